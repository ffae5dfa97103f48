"""Built-in groupers."""
