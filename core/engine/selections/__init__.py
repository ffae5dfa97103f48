"""Stored selections: what they are called, where they are found, listed, renamed and deleted."""
