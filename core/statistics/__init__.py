"""Bootstrap intervals, paired tests, and what verdicts and metrics come to."""
