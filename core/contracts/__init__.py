"""The contracts that components of each kind implement. Subclass one of these in a plugin.

Constructors only store their options; `open()` loads models; `close()` frees them. A class has a
`version` of its results: raise it, and ig4 computes them anew. There is one file for each kind;
the names below are loaded on first use, so that importing plain values stays fast.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ig4.core.calls.request import Ask
    from ig4.core.contracts.benchmark import Benchmark
    from ig4.core.contracts.clusterer import Clusterer
    from ig4.core.contracts.embedder import Embedder
    from ig4.core.contracts.executor import Executor, Run, Work
    from ig4.core.contracts.format import Format
    from ig4.core.contracts.grouper import Grouper
    from ig4.core.contracts.index import Index
    from ig4.core.contracts.judge import AsyncJudge, Judge
    from ig4.core.contracts.kinds import CONTRACTS
    from ig4.core.contracts.needs import Needs
    from ig4.core.contracts.pool import Groups, Neighbours, Pool
    from ig4.core.contracts.poolembedder import PoolEmbedder
    from ig4.core.contracts.poolscorer import PoolScorer
    from ig4.core.contracts.recipe import Recipe
    from ig4.core.contracts.root import Configurable, Digest, Options
    from ig4.core.contracts.scorer import AsyncScorer, Scorer
    from ig4.core.contracts.selector import Selector
    from ig4.core.contracts.trainer import Trainer

_MODULES = {
    "Ask": "ig4.core.calls.request",
    "AsyncJudge": "ig4.core.contracts.judge",
    "AsyncScorer": "ig4.core.contracts.scorer",
    "Benchmark": "ig4.core.contracts.benchmark",
    "CONTRACTS": "ig4.core.contracts.kinds",
    "Clusterer": "ig4.core.contracts.clusterer",
    "Configurable": "ig4.core.contracts.root",
    "Digest": "ig4.core.contracts.root",
    "Embedder": "ig4.core.contracts.embedder",
    "Executor": "ig4.core.contracts.executor",
    "Format": "ig4.core.contracts.format",
    "Grouper": "ig4.core.contracts.grouper",
    "Groups": "ig4.core.contracts.pool",
    "Index": "ig4.core.contracts.index",
    "Judge": "ig4.core.contracts.judge",
    "Needs": "ig4.core.contracts.needs",
    "Neighbours": "ig4.core.contracts.pool",
    "Options": "ig4.core.contracts.root",
    "Pool": "ig4.core.contracts.pool",
    "PoolEmbedder": "ig4.core.contracts.poolembedder",
    "PoolScorer": "ig4.core.contracts.poolscorer",
    "Recipe": "ig4.core.contracts.recipe",
    "Run": "ig4.core.contracts.executor",
    "Scorer": "ig4.core.contracts.scorer",
    "Selector": "ig4.core.contracts.selector",
    "Trainer": "ig4.core.contracts.trainer",
    "Work": "ig4.core.contracts.executor",
}

__all__ = [
    "CONTRACTS",
    "Ask",
    "AsyncJudge",
    "AsyncScorer",
    "Benchmark",
    "Clusterer",
    "Configurable",
    "Digest",
    "Embedder",
    "Executor",
    "Format",
    "Grouper",
    "Groups",
    "Index",
    "Judge",
    "Needs",
    "Neighbours",
    "Options",
    "Pool",
    "PoolEmbedder",
    "PoolScorer",
    "Recipe",
    "Run",
    "Scorer",
    "Selector",
    "Trainer",
    "Work",
]


if not TYPE_CHECKING:  # with it in sight, a type checker would take any name for one of these

    def __getattr__(name: str) -> Any:
        """Load a contract from the module that defines it."""
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    """List the contracts, loaded or not."""
    return sorted(__all__)
