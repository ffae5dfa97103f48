"""The conformance kit: small named checks that every component of a kind must pass.

Parametrise over them in the tests of a plugin:

    @pytest.mark.parametrize("check", scorer_checks(lambda: Mine(MineOptions())))
    def test_mine(check):
        check()

Each check makes its own component, so that none depends on another. A check that does not
hold raises `ConformanceError`, an AssertionError. Nothing here needs pytest.
"""

from __future__ import annotations

from ig4.core.testing.benchmark import benchmark_checks
from ig4.core.testing.check import Check, ConformanceError
from ig4.core.testing.clusterer import clusterer_checks
from ig4.core.testing.component import component_checks
from ig4.core.testing.declaration import declaration_checks
from ig4.core.testing.embedder import embedder_checks
from ig4.core.testing.executor import executor_checks
from ig4.core.testing.format import format_checks
from ig4.core.testing.grouper import grouper_checks
from ig4.core.testing.index import index_checks
from ig4.core.testing.judge import judge_checks, make_pairs
from ig4.core.testing.pool import ArrayPoolData, make_pool, make_pool_data
from ig4.core.testing.poolembedder import pool_embedder_checks
from ig4.core.testing.poolscorer import pool_scorer_checks
from ig4.core.testing.recipe import recipe_checks
from ig4.core.testing.samples import make_picture, make_samples
from ig4.core.testing.scorer import scorer_checks
from ig4.core.testing.selector import selector_checks
from ig4.core.testing.trainer import trainer_checks

__all__ = [
    "ArrayPoolData",
    "Check",
    "ConformanceError",
    "benchmark_checks",
    "clusterer_checks",
    "component_checks",
    "declaration_checks",
    "embedder_checks",
    "executor_checks",
    "format_checks",
    "grouper_checks",
    "index_checks",
    "judge_checks",
    "make_pairs",
    "make_picture",
    "make_pool",
    "make_pool_data",
    "make_samples",
    "pool_embedder_checks",
    "pool_scorer_checks",
    "recipe_checks",
    "scorer_checks",
    "selector_checks",
    "trainer_checks",
]
