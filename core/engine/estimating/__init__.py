"""What a run would take: time, reading, disk and money, before anything is computed."""
