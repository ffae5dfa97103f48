"""ig4 picks the few samples of a vision-language instruction set that are worth training on.

The names below are loaded on first use, so that `import ig4` stays light.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ig4.core.version import __version__

if TYPE_CHECKING:
    from ig4.core.api import (
        ablate,
        check,
        cluster,
        compare,
        drop_scores,
        evaluate,
        explain,
        export,
        groups,
        ingest,
        judge,
        learn_weights,
        open,  # noqa: A004 - used as ig4.open
        plot,
        query,
        rename_scores,
        report,
        run,
        score,
        scores,
        select,
        train,
    )
    from ig4.core.contracts import (
        AsyncJudge,
        AsyncScorer,
        Benchmark,
        Clusterer,
        Embedder,
        Executor,
        Format,
        Grouper,
        Groups,
        Index,
        Judge,
        Needs,
        Options,
        Pool,
        PoolEmbedder,
        PoolScorer,
        Recipe,
        Scorer,
        Selector,
        Trainer,
    )
    from ig4.core.contracts.evaluation import BenchmarkResult, Item, Pair, Verdict
    from ig4.core.contracts.training import Checkpoint, Decoding, Prompt, TrainingJob, TrainingStep
    from ig4.core.errors import Ig4Error
    from ig4.core.evaluation import Measured
    from ig4.core.hookspecs import hookimpl
    from ig4.core.records import Component, Failure, ImagePart, Record, Sample, Score, Turn

_HOMES = {
    "AsyncJudge": "contracts",
    "AsyncScorer": "contracts",
    "Benchmark": "contracts",
    "BenchmarkResult": "contracts.evaluation",
    "Checkpoint": "contracts.training",
    "Clusterer": "contracts",
    "Component": "records",
    "Decoding": "contracts.training",
    "Embedder": "contracts",
    "Executor": "contracts",
    "Failure": "records",
    "Format": "contracts",
    "Grouper": "contracts",
    "Groups": "contracts",
    "Ig4Error": "errors",
    "ImagePart": "records",
    "Index": "contracts",
    "Item": "contracts.evaluation",
    "Judge": "contracts",
    "Measured": "evaluation",
    "Needs": "contracts",
    "Options": "contracts",
    "Pair": "contracts.evaluation",
    "Pool": "contracts",
    "PoolEmbedder": "contracts",
    "PoolScorer": "contracts",
    "Prompt": "contracts.training",
    "Recipe": "contracts",
    "Record": "records",
    "Sample": "records",
    "Score": "records",
    "Scorer": "contracts",
    "Selector": "contracts",
    "Trainer": "contracts",
    "TrainingJob": "contracts.training",
    "TrainingStep": "contracts.training",
    "Turn": "records",
    "Verdict": "contracts.evaluation",
    "ablate": "api",
    "check": "api",
    "compare": "api",
    "cluster": "api",
    "drop_scores": "api",
    "evaluate": "api",
    "explain": "api",
    "export": "api",
    "groups": "api",
    "ingest": "api",
    "hookimpl": "hookspecs",
    "judge": "api",
    "learn_weights": "api",
    "open": "api",
    "plot": "api",
    "query": "api",
    "rename_scores": "api",
    "report": "api",
    "run": "api",
    "score": "api",
    "scores": "api",
    "select": "api",
    "train": "api",
}

__all__ = [
    "AsyncJudge",
    "AsyncScorer",
    "Benchmark",
    "BenchmarkResult",
    "Checkpoint",
    "Clusterer",
    "Component",
    "Decoding",
    "Embedder",
    "Executor",
    "Failure",
    "Format",
    "Grouper",
    "Groups",
    "Ig4Error",
    "ImagePart",
    "Index",
    "Item",
    "Judge",
    "Measured",
    "Needs",
    "Options",
    "Pair",
    "Pool",
    "PoolEmbedder",
    "PoolScorer",
    "Prompt",
    "Recipe",
    "Record",
    "Sample",
    "Score",
    "Scorer",
    "Selector",
    "Trainer",
    "TrainingJob",
    "TrainingStep",
    "Turn",
    "Verdict",
    "__version__",
    "ablate",
    "check",
    "cluster",
    "compare",
    "drop_scores",
    "evaluate",
    "explain",
    "export",
    "groups",
    "hookimpl",
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


if not TYPE_CHECKING:  # with it in sight, a type checker would take any name for one of these

    def __getattr__(name: str) -> Any:
        """Load a public name from the module that defines it."""
        home = _HOMES.get(name)
        if home is None:
            raise AttributeError(f"module 'ig4' has no attribute {name!r}")
        if home == "api":
            from ig4._progress import display

            import_module("ig4.core.api.progress").show_with(display)
        return getattr(import_module(f"ig4.core.{home}"), name)


def __dir__() -> list[str]:
    """List the public names, loaded or not."""
    return sorted(__all__)
