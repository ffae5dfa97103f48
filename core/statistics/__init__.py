"""Bootstrap intervals, paired tests, and summaries of verdicts."""
