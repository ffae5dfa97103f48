"""`ig4 train` and `ig4 generate`: from a selection to a checkpoint and its answers."""
