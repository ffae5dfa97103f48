"""The engine of ig4: records, plugin contracts, discovery, scoring, clustering, selection."""
