"""Decoding of images that nobody vouches for: what they are, what they may cost, and where."""
