"""The offline demonstration: a rendered data set and a tiny CLIP model."""
