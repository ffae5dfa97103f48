"""What pools are made of: spaces of vectors, by name."""
