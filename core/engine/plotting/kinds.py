"""The kinds of plots, what is asked of one, and what one is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

from ig4.core.errors import UsageError

if TYPE_CHECKING:
    from ig4.core.charts.kinds.compare import Overlap
    from ig4.core.charts.kinds.correlations import Correlations
    from ig4.core.charts.kinds.costs import Spending
    from ig4.core.charts.kinds.funnel import FunnelStep
    from ig4.core.charts.kinds.judge import Verdicts
    from ig4.core.charts.kinds.maps import MapValues
    from ig4.core.charts.kinds.results import ArmValue, BenchmarkValue
    from ig4.core.charts.kinds.scores import Histogram
    from ig4.core.charts.kinds.shares import PartShares
    from ig4.core.charts.kinds.training import TrainingCurve
    from ig4.core.charts.kinds.weights import WeightShare

PlotKind: TypeAlias = Literal[
    "scores", "correlations", "weights", "groups", "clusters", "funnel", "map", "compare",
    "judge", "training", "evaluations", "ablation", "costs",
]  # fmt: skip

PLOT_KINDS: tuple[PlotKind, ...] = get_args(PlotKind)

OF_SELECTION: tuple[PlotKind, ...] = (
    "scores", "correlations", "weights", "groups", "clusters", "funnel", "map",
)  # fmt: skip
"""The plots of a data set beside one selection of it."""

FINAL = "final"
"""What the final score F(x) is called among scorers."""

TARGETS = {
    "judge": "judgement", "training": "training", "ablation": "ablation",
    "evaluations": "evaluation",
}  # fmt: skip
"""The plots of what has a number, and what it is the number of."""


@dataclass(frozen=True, slots=True)
class PlotRequest:
    """What is to be plotted.

    `selection` is a number, a name or "last"; `other` is the second selection of `compare`.
    `scorers` are those to show, all if None. `by` is the grouper of groups, or what costs are
    summed by. `number` is that of a judgement, training or ablation, by default the newest (all
    trainings). `method`, by default "pca", and `space` say what the map is, `column` which
    benchmark of an ablation.
    """

    kind: PlotKind
    selection: str = "last"
    other: str | None = None
    scorers: tuple[str, ...] | None = None
    by: str | None = None
    number: int | None = None
    method: str | None = None
    space: str | None = None
    column: str | None = None


ONLY_FOR: dict[str, tuple[PlotKind, ...]] = {
    "scorers": ("scores", "correlations"),
    "by": ("groups", "costs"),
    "method": ("map",),
    "space": ("map",),
    "column": ("ablation",),
}
"""The kinds that read a field of a request; none other may have it."""

_FLAGS = {"scorers": "--scorer", "method": "--map"}


def check_plot_request(request: PlotRequest) -> None:
    """Refuse what a kind of plot does not read.

    Raises:
        UsageError: names the option and its kinds.
    """
    for name, kinds in ONLY_FOR.items():
        if getattr(request, name) is not None and request.kind not in kinds:
            flag = _FLAGS.get(name, f"--{name}")
            raise UsageError(f"{flag} is for {' and '.join(kinds)}, not for {request.kind}")


@dataclass(frozen=True, slots=True)
class ArmValues:
    """The arms of an ablation in one column of its tables."""

    column: str
    arms: tuple[ArmValue, ...]


Values: TypeAlias = (
    "tuple[Histogram, ...] | Correlations | tuple[WeightShare, ...] | PartShares"
    " | tuple[FunnelStep, ...] | MapValues | Overlap | Verdicts | tuple[TrainingCurve, ...]"
    " | tuple[BenchmarkValue, ...] | ArmValues | Spending"
)


@dataclass(frozen=True, slots=True)
class Plot:
    """The values of a plot; which type they have, `kind` says. `about` names what they are of."""

    kind: PlotKind
    values: Any
    about: dict[str, Any] = field(default_factory=dict)
