"""`ig4 ablate`: from arms to a table of what each is worth."""
