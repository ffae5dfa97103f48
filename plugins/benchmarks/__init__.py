"""Benchmarks: questions from files, and how answers to them are scored."""
