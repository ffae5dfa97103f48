"""Asks services about many things at once, one by one or in batches."""
