"""What pages, charts and browsers show of a data set and a selection."""
