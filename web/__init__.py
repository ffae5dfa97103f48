"""Sources of ig4's pages: one HTML file, one style sheet, and small JavaScript modules."""
