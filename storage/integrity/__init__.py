"""Finding damage in a score database."""
