"""Two selections side by side: what they share, what came in and went out, and why."""
