"""Which percent scale a stored score is on: its scorer's own, or one that looks at all values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from ig4.core.contracts import Scorer
from ig4.core.engine.selecting.scaling import PAPER_SCALES, RELATIVE, SCALES, as_it_is
from ig4.core.errors import Ig4Error, UsageError
from ig4.core.records import Choice
from ig4.core.suggest import did_you_mean

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ig4.core.engine.session import Session
    from ig4.core.host.host import Host

IMPORTED = "imported"
"""The distribution that imported scores and clusters are recorded under."""

Percent = Callable[["NDArray[np.float64]"], "NDArray[np.float64]"]


def percents(
    session: Session,
    names: Sequence[str],
    components: Mapping[str, Mapping[str, Any]],
    raw: NDArray[np.float64],
    scale: str,
) -> NDArray[np.float64]:
    """Return raw scores (n, m) on the 0-100 scale, NaN where they are.

    Raises:
        UsageError: the scale is unknown.
    """
    if scale not in SCALES:
        raise UsageError(
            f"unknown scale {scale!r}{did_you_mean(scale, SCALES)} (scales: {', '.join(SCALES)})"
        )
    result = np.full_like(raw, np.nan)
    for n, name in enumerate(names):
        known = ~np.isnan(raw[:, n])
        to_percent = RELATIVE.get(scale) or paper_scale(session.host, components[name])
        result[known, n] = to_percent(raw[known, n])
    return result


def paper_scale(host: Host, component: Mapping[str, Any]) -> Percent:
    """Return the percent scale of a stored scorer, imported or computed."""
    if component["distribution"] == IMPORTED:
        return named_scale(host, component["options"]["scale_of"])
    name = f"{component['distribution']}/{component['name']}"
    return _own_scale(host, name) or named_scale(host, component["name"])


def named_scale(host: Host, name: str | None) -> Percent:
    """Return the percent scale of a scorer by name; None means percents already.

    Raises:
        UsageError: no scorer and no indicator of the paper has that name.
    """
    if name is None:
        return as_it_is
    if name in PAPER_SCALES:
        return PAPER_SCALES[name]
    found = _own_scale(host, name)
    if found is None:
        known = [*PAPER_SCALES, *(r.component.name for r in host.components("scorer"))]
        raise UsageError(
            f"no scorer {name!r} to take the percent scale of{did_you_mean(name, known)} (there "
            f"are: {', '.join(dict.fromkeys(known))})"
        )
    return found


def _own_scale(host: Host, name: str) -> Percent | None:
    try:
        scorer = cast("Scorer", host.build(Choice("scorer", name), runnable=False))
    except Ig4Error:
        return None
    return scorer.to_percent
