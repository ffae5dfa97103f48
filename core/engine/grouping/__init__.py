"""`ig4 cluster`: from embeddings to groups."""
