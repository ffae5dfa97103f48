"""What a selection is told with: its mix, what its weights are worth, what it repeats."""
