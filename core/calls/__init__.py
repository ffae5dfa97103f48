"""The engine for paid calls: ledger, limits, budget and batches; it knows no vendor."""
