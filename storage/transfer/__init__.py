"""Reading a whole score database, and writing many rows of one."""
