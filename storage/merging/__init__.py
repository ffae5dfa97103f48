"""Taking over what other score databases have."""
