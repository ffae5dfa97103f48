"""The live database in a browser: a read-only server on this machine."""
