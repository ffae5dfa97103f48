"""`ig4 eval`: from a checkpoint or answers to metrics."""
