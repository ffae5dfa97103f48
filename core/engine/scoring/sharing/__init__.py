"""Sharing the work among processes: what each has claimed, and parts for job arrays."""
