"""Built-in pool scorers: what a sample is worth among the others."""
