"""Copying a score database to another place, exactly."""
