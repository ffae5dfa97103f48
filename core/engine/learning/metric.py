"""Which result of a subset is to be predicted: a metric of a benchmark, or several together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ig4.core.engine.evaluating.evaluate import opened_questions
from ig4.core.errors import UsageError
from ig4.core.suggest import did_you_mean

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ig4.core.config import Config
    from ig4.core.engine.session import Session
    from ig4.core.records import Choice


@dataclass(frozen=True, slots=True)
class Metric:
    """The results to predict: pairs of a benchmark and one of its metrics; fewer may be better."""

    parts: tuple[tuple[str, str], ...]
    lower_is_better: bool = False

    @property
    def label(self) -> str:
        """The metrics in words."""
        names = [f"{benchmark}.{name}" for benchmark, name in self.parts]
        return names[0] if len(names) == 1 else f"mean of {', '.join(names)} (standardised)"

    def values(self, measured: Mapping[str, Any]) -> tuple[float, ...] | None:
        """Return the parts of a cell's metrics; None where one is missing."""
        found = []
        for benchmark, name in self.parts:
            value = (measured.get(benchmark) or {}).get("metrics", {}).get(name)
            if value is None:
                return None
            found.append(float(value))
        return tuple(found)

    def outcomes(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return one result (n,) of the parts (n, k); more is better.

        Several are brought to mean 0 and deviation 1, so that none counts for its unit alone.
        """
        sign = -1.0 if self.lower_is_better else 1.0
        if values.shape[1] == 1:
            return sign * values[:, 0]
        spread = values.std(axis=0)
        scaled = (values - values.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
        together: NDArray[np.float64] = sign * scaled.mean(axis=1)
        return together


def find_metric(session: Session, config: Config, benchmarks: Sequence[Choice]) -> Metric:
    """Return the metric that a configuration names, or the headlines of its benchmarks.

    Raises:
        UsageError: no benchmark has it; lists those that there are.
        Ig4Error: a benchmark cannot be read.
    """
    section = config.learn
    known: dict[str, tuple[str, str]] = {}
    headlines = []
    for choice in benchmarks:
        with opened_questions(session, choice, config.ablate.limit) as opened:
            result = opened.metrics()
        headlines.append((choice.label, result.headline))
        known |= {f"{choice.label}.{name}": (choice.label, name) for name in result.metrics}
    if section.metric is None:
        return Metric(tuple(headlines), section.lower_is_better)
    wanted = section.metric
    if wanted not in known and len(benchmarks) == 1:
        wanted = f"{benchmarks[0].label}.{wanted}"
    if wanted not in known:
        raise UsageError(
            f"there is no metric {section.metric!r}{did_you_mean(section.metric, known)} (there "
            f"are: {', '.join(known)})"
        )
    return Metric((known[wanted],), section.lower_is_better)
