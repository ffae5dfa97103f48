"""`ig4 export`: from a selection to a data set on disk."""
