"""Maps each kind to the classes that its components may inherit from."""

from __future__ import annotations

from collections.abc import Mapping

from ig4.core.contracts.benchmark import Benchmark
from ig4.core.contracts.clusterer import Clusterer
from ig4.core.contracts.embedder import Embedder
from ig4.core.contracts.executor import Executor
from ig4.core.contracts.format import Format
from ig4.core.contracts.grouper import Grouper
from ig4.core.contracts.index import Index
from ig4.core.contracts.judge import Judge
from ig4.core.contracts.poolembedder import PoolEmbedder
from ig4.core.contracts.poolscorer import PoolScorer
from ig4.core.contracts.recipe import Recipe
from ig4.core.contracts.root import Configurable
from ig4.core.contracts.scorer import Scorer
from ig4.core.contracts.selector import Selector
from ig4.core.contracts.trainer import Trainer

CONTRACTS: Mapping[str, type[Configurable]] = {
    "scorer": Scorer,
    "embedder": Embedder,
    "grouper": Grouper,
    "clusterer": Clusterer,
    "index": Index,
    "selector": Selector,
    "recipe": Recipe,
    "trainer": Trainer,
    "judge": Judge,
    "benchmark": Benchmark,
    "format": Format,
    "executor": Executor,
}

POOL_CONTRACTS: Mapping[str, type[Configurable]] = {
    "scorer": PoolScorer,
    "embedder": PoolEmbedder,
}
"""The second contract of a kind: for components that look at all samples together."""


def contracts_of(kind: str) -> tuple[type[Configurable], ...]:
    """Return the contracts of a kind, any of which will do."""
    pooled = POOL_CONTRACTS.get(kind)
    return (CONTRACTS[kind],) if pooled is None else (CONTRACTS[kind], pooled)
