"""Benchmarks: questions from files, and the scoring of answers."""
