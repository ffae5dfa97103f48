"""Alembic migrations of the score database."""
