"""What answers and captions are measured by: pure functions on texts."""
