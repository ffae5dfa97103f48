"""What an arm is, and what it selects and trains with."""
