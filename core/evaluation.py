"""Where plugins import what judges and benchmarks work with; it is defined in `core/contracts/`."""

from ig4.core.contracts.evaluation import Item, Measured, Pair, Side, Verdict

__all__ = ["Item", "Measured", "Pair", "Side", "Verdict"]
