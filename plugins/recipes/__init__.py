"""Built-in recipes: published methods as settings."""
