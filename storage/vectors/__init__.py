"""Vectors of a database: where they lie, in it or in columnar files, and how they are read."""
