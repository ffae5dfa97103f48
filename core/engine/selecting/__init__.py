"""`ig4 select`: from scores and groups to the samples that are kept."""
