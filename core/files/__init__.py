"""Reads what others wrote: data sets, tables, questions, answers, reviews and images."""
