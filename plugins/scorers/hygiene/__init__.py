"""Built-in scorers of text hygiene: what can be seen of an answer without knowing anything."""
