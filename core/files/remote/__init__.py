"""Data that lies elsewhere: fetched through a bounded cache, and then read as local files are."""
