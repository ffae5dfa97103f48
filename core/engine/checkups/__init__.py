"""Is a column of scores worth trusting on its data? Pairs, spread, dependence, agreement."""
