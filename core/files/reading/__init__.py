"""Reading files that others wrote, of any size, in any encoding, compressed or not."""
