"""A plugin package in which nothing works."""
