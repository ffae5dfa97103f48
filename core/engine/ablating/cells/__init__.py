"""A cell is an arm with a seed: what it has to do, where it runs, and what is kept of it."""
