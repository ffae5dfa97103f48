"""Selectors that decide by the vectors of a space."""
