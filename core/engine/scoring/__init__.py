"""`ig4 score`: from samples to scores and embeddings."""
