"""`ig4 ingest`: from a data set to samples in the database."""
