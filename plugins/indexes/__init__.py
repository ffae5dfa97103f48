"""Built-in indexes, which find nearest neighbours."""
