"""Algorithms that pick rows by their vectors, as pure functions on arrays."""
