"""Judges: compare two answers to one question."""
