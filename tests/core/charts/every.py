"""One chart of each kind, made from whatever names a test gives."""

from __future__ import annotations

import numpy as np

from ig4.core.charts.frame import PAGE
from ig4.core.charts.kinds import (
    compare,
    correlations,
    costs,
    funnel,
    judge,
    maps,
    results,
    scores,
    shares,
    training,
    weights,
)

HOSTILE = (
    "<script>alert(1)</script>",
    "a.b[c]['d']",
    "say \"hi\" & 'bye'",
    "datum.x; signal + {expr}",
    "\u202egnp.evil\u202c",
    "line\nbreak\ttab\x1b[31m",
    "漢字" * 40,
    "",
    "__proto__",
    "constructor",
)
"""Names that mean something to HTML, to Vega-Lite, to JavaScript, or to a terminal."""


KINDS = (
    "score", "correlations", "weights", "groups", "funnel", "map", "crowd", "overlap", "ranks",
    "judge", "loss", "rate", "benchmarks", "ablation", "costs", "times",
)  # fmt: skip


def every_chart(names=HOSTILE, size=PAGE, only=None):
    """Return charts by kind, or `only` one; each shows the names wherever it shows names."""
    rng = np.random.default_rng(7)
    m = len(names)
    columns = [rng.normal(size=60) for _ in names]
    selected = columns[0] > 0.5
    parts = [shares.PartCount(name, 100 - n, 9 - n % 9, 5) for n, name in enumerate(names)]
    ranks = np.array([[n + 1, (n * 7) % 30] for n in range(30)])
    groups = tuple(compare.GroupOverlap(name, n, 2, 3) for n, name in enumerate(names))
    verdicts = [judge.VerdictCount(name, 3, 2, 1, (0.2, 0.8)) for name in names]
    steps = [(n, 0.0, 3.0 / n, 1e-4) for n in range(1, 40)]
    curves = [training.training_curve(name, steps) for name in names]
    spent = [costs.CostValue(name, 3, 0.5 * n, n % 2) for n, name in enumerate(names)]
    points = maps.map_values(
        rng.normal(size=(m, 2)).astype("f4"), np.arange(m) % 2 == 0, names,
        space=names[0], method=names[-1],
    )  # fmt: skip
    crowd = maps.map_values(
        rng.normal(size=(5_000, 2)).astype("f4"), rng.random(5_000) < 0.1, [],
        space=names[0], method="pca",
    )  # fmt: skip
    overlap = compare.Overlap(names[0], names[1], names[2], groups, ranks)
    histogram = scores.histogram(names[0], columns[0], selected, has_line=True)
    makers = {
        "score": lambda: scores.score_chart(histogram, size),
        "correlations": lambda: correlations.correlation_chart(
            correlations.correlations(names, columns), size
        ),
        "weights": lambda: weights.weight_chart(
            [weights.WeightShare(name, 0.1, 1 / m, 1 / m) for name in names], size
        ),
        "groups": lambda: shares.share_chart(shares.part_shares("group", names[0], parts), size),
        "funnel": lambda: funnel.funnel_chart(
            [funnel.FunnelStep(name, 100 - n) for n, name in enumerate(names)], size
        ),
        "map": lambda: maps.map_chart(points, size),
        "crowd": lambda: maps.map_chart(crowd, size),
        "overlap": lambda: compare.overlap_chart(overlap, size),
        "ranks": lambda: compare.rank_chart(overlap, size),
        "judge": lambda: judge.judge_chart(
            judge.Verdicts(names[0], names[1], tuple(verdicts)), size
        ),
        "loss": lambda: training.loss_chart(curves, size),
        "rate": lambda: training.rate_chart(curves, size),
        "benchmarks": lambda: results.benchmark_chart(
            [results.BenchmarkValue(name, name, name, 50.0, 40.0, 60.0) for name in names], size
        ),
        "ablation": lambda: results.ablation_chart(
            names[0], [results.ArmValue(name, 50.0, 1.0, (49.0, 51.0)) for name in names], size
        ),
        "costs": lambda: costs.cost_chart("model", spent, size),
        "times": lambda: costs.time_chart([costs.TimeValue(name, 61.0, 5) for name in names], size),
    }
    return {kind: make() for kind, make in makers.items() if only in (None, kind)}


def rows_of(spec):
    """Return the values of all data of a specification, one list of rows after the other."""
    return [row for one in inside(spec) for row in one.get("data", {}).get("values", ())]


def inside(value):
    """Yield all mappings of a specification, itself first."""
    if isinstance(value, dict):
        yield value
        for key, one in value.items():
            if key != "values":
                yield from inside(one)
    elif isinstance(value, list):
        for one in value:
            yield from inside(one)
