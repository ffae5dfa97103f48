"""Hashed TF-IDF with a truncated SVD, in NumPy alone."""
