"""What an explanation of one sample is made of: its texts, place, neighbours, and what would do."""
