"""The command line of ig4."""
