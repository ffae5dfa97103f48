"""One module for each schema change, oldest first."""
