"""A database with something of everything that can be plotted."""

from .database import full, scored, session, table

__all__ = ["full", "scored", "session", "table"]
