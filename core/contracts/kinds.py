"""Maps each kind to the class that its components must inherit from."""

from __future__ import annotations

from collections.abc import Mapping

from ig4.core.contracts.benchmark import Benchmark
from ig4.core.contracts.clusterer import Clusterer
from ig4.core.contracts.embedder import Embedder
from ig4.core.contracts.executor import Executor
from ig4.core.contracts.format import Format
from ig4.core.contracts.judge import Judge
from ig4.core.contracts.root import Configurable
from ig4.core.contracts.scorer import Scorer
from ig4.core.contracts.selector import Selector
from ig4.core.contracts.trainer import Trainer

CONTRACTS: Mapping[str, type[Configurable]] = {
    "scorer": Scorer,
    "embedder": Embedder,
    "clusterer": Clusterer,
    "selector": Selector,
    "trainer": Trainer,
    "judge": Judge,
    "benchmark": Benchmark,
    "format": Format,
    "executor": Executor,
}
