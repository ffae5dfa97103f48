"""The library's verbs: what the commands do, returning objects instead of printing."""

from __future__ import annotations

from ig4.core.api.comparing import compare
from ig4.core.api.databases import (
    open,  # noqa: A004 - used as ig4.open
    query,
)
from ig4.core.api.evaluating import evaluate, judge
from ig4.core.api.explaining import explain
from ig4.core.api.plotting import plot
from ig4.core.api.reporting import report
from ig4.core.api.running import run, select
from ig4.core.api.scoring import check, drop_scores, groups, rename_scores, scores
from ig4.core.api.stages import cluster, export, ingest, score
from ig4.core.api.training import ablate, learn_weights, train

__all__ = [
    "ablate",
    "check",
    "cluster",
    "compare",
    "drop_scores",
    "evaluate",
    "explain",
    "export",
    "groups",
    "ingest",
    "judge",
    "learn_weights",
    "open",
    "plot",
    "query",
    "rename_scores",
    "report",
    "run",
    "score",
    "scores",
    "select",
    "train",
]
