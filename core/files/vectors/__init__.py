"""Vectors in files that others wrote, read without running anything that these hold."""
