"""What plots show: the values of charts, read from the database."""
