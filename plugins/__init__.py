"""The built-in components of ig4, declared through the entry point any plugin uses."""
