"""How results show themselves: a line, a table for a notebook, a DataFrame."""
