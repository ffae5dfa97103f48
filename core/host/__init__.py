"""Finds installed plugins, knows their components by name, and builds them."""
