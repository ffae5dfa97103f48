"""Where plugins import what judges and benchmarks work with; it is defined in `core/contracts/`."""

from ig4.core.contracts.evaluation import BenchmarkResult, Item, Pair, Side, Verdict

Measured = BenchmarkResult  # its earlier name

__all__ = ["BenchmarkResult", "Item", "Measured", "Pair", "Side", "Verdict"]
