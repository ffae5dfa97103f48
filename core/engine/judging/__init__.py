"""`ig4 judge`: from two models' answers to verdicts."""
