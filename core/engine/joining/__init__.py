"""Copying a score database, and taking over what others have, with progress."""
