"""Which percent scale a stored score is on: its scorer's own, or one that looks at all values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from ig4.core.contracts.scorer import Indicator
from ig4.core.engine.scoring.outputs import output_of, scorer_label
from ig4.core.engine.selecting.scaling import (
    PAPER_SCALES,
    RELATIVE,
    SCALES,
    as_it_is,
    percentile_within,
    within_groups,
)
from ig4.core.errors import Ig4Error, PluginError, UsageError
from ig4.core.host.recording import RecordedOptions
from ig4.core.records import Choice
from ig4.core.suggest import did_you_mean

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ig4.core.engine.session import Session
    from ig4.core.host.host import Host
    from ig4.storage.scorecolumns import ScoreColumnRow

IMPORTED = "imported"
"""The distribution that imported scores and clusters are recorded under."""

Percent = Callable[["NDArray[np.float64]"], "NDArray[np.float64]"]


def percents(
    session: Session,
    columns: Sequence[ScoreColumnRow],
    raw: NDArray[np.float64],
    scale: str,
    labels: NDArray[np.int64] | None = None,
) -> NDArray[np.float64]:
    """Return raw scores (n, m) of m columns on the 0-100 scale, NaN where they are.

    With `labels` (n,) each group is scaled by itself. More is better on all scales: where a
    scorer's own one falls (its values are a share of what is bad), so do the others.

    Raises:
        UsageError: the scale is unknown, or a column's own scale can no longer be had.
        PluginError: a scorer's percents are not finite, or not as many as the values.
    """
    if scale not in SCALES:
        raise UsageError(
            f"unknown scale {scale!r}{did_you_mean(scale, SCALES)} (scales: {', '.join(SCALES)})"
        )
    result = np.full_like(raw, np.nan)
    for n, column in enumerate(columns):
        known = ~np.isnan(raw[:, n])
        values = raw[known, n]
        if scale in RELATIVE and low_is_good(session, column, values):
            values = -values
        to_percent = RELATIVE.get(scale) or paper_scale(session, column)
        if labels is None:
            result[known, n] = to_percent(values)
        elif scale == "percentile":
            result[known, n] = percentile_within(values, labels[known])
        else:
            result[known, n] = within_groups(to_percent, values, labels[known])
    return result


_SQUARABLE = 1e140


def low_is_good(session: Session, column: ScoreColumnRow, values: NDArray[np.float64]) -> bool:
    """Tell whether low values (n,) of a column are the good ones, on its scorer's own scale.

    False where that scale cannot be had, as the scorer is not installed any more.
    """
    try:
        return percents_fall(values, paper_scale(session, column)(values))
    except Ig4Error:
        return False


def percents_fall(values: NDArray[np.float64], percent: NDArray[np.float64]) -> bool:
    """Tell whether a scorer's percents (n,) go down where its values (n,) go up."""
    if not len(values):
        return False
    a, b = squarable(values), squarable(percent)
    return float(np.dot(a - a.mean(), b - b.mean())) < 0


def squarable(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return values (n,) whose squares and sums are numbers: very large ones over the largest."""
    largest = float(np.abs(values).max(initial=0.0))
    return values / largest if largest > _SQUARABLE else values


def paper_scale(session: Session, column: ScoreColumnRow) -> Percent:
    """Return the percent scale of a stored column, with the options its scores were made with.

    Raises:
        UsageError: the scorer is not installed, or does not take these options any more.
    """
    if column.distribution == IMPORTED:
        return named_scale(
            session.host, column.identity["scale_of"], column.identity.get("scale_options")
        )
    use = f"{column.distribution}/{column.component}"
    output = output_of(column)
    label = scorer_label(column)
    try:
        cls = cast("type[Indicator]", session.host.load("scorer", use, runnable=False))
        if _is_plain(cls, output):
            return as_it_is  # whatever its options are
        options = _options(session, column, cls)
        scorer = session.host.build(Choice("scorer", use, options, column.name), runnable=False)
    except Ig4Error as error:
        raise UsageError(
            f"{column.name} cannot be brought to percents by its scorer {use}, version "
            f"{column.version}: {error}. Install the plugin that computed it, or score with "
            f"`ig4 score --scorers {label}` again, or choose another scale (--scale "
            "percentile) or other scorers (--scorers)"
        ) from None
    if cls.version != column.version:
        session.notice(
            f"{column.name} was computed by version {column.version} of {use}; its percents are "
            f"those of version {cls.version} (`ig4 score --scorers {label}` computes it anew)"
        )
    indicator = cast("Indicator", scorer)
    if output is None:
        return _checked(indicator.to_percent, "to_percent", column.name)
    to_percent = partial(indicator.output_to_percent, output)
    return _checked(to_percent, "output_to_percent", column.name)


def _is_plain(cls: type[Indicator], output: str | None) -> bool:
    """Return whether a scorer leaves values, or those of an output, as they are."""
    plain = cls.to_percent is Indicator.to_percent
    if output is None:
        return plain
    return plain and cls.output_to_percent is Indicator.output_to_percent


def recorded_choice(session: Session, column: ScoreColumnRow) -> Choice:
    """Return the scorer that computed a column, with the options that it was made with.

    Raises:
        Ig4Error: the scorer is not installed.
    """
    use = f"{column.distribution}/{column.component}"
    cls = cast("type[Indicator]", session.host.load("scorer", use, runnable=False))
    return Choice("scorer", use, _options(session, column, cls), column.name)


def named_scale(host: Host, name: str | None, options: Mapping[str, Any] | None = None) -> Percent:
    """Return the percent scale of a scorer by name; None means percents already.

    Raises:
        UsageError: no scorer and no indicator of the paper has that name, or the scorer does not
            take the options.
    """
    if name is None:
        return as_it_is
    if name in PAPER_SCALES and not options:
        return PAPER_SCALES[name]
    own = name.rpartition("/")[2]
    if own not in {registered.component.name for registered in host.components("scorer")}:
        known = [*PAPER_SCALES, *(r.component.name for r in host.components("scorer"))]
        raise UsageError(
            f"no scorer {name!r} to take the percent scale of{did_you_mean(name, known)} (there "
            f"are: {', '.join(dict.fromkeys(known))}): install its plugin, or choose a scale that "
            "needs none (--scale percentile)"
        )
    built = host.build(Choice("scorer", name, dict(options or {})), runnable=False)
    return _checked(cast("Indicator", built).to_percent, "to_percent", name)


def _options(session: Session, column: ScoreColumnRow, cls: type[Indicator]) -> Mapping[str, Any]:
    """Return the options that a column was made with.

    A database of an earlier ig4 has only the identity. Where that is not all options, as the
    identity of a component of its own making, nobody knows the rest, and that is said.
    """
    recorded = RecordedOptions.from_dict(column.options)
    if recorded is not None:
        return recorded.values
    fields = cls.Options.model_fields
    known = {name: value for name, value in column.identity.items() if name in fields}
    unknown = [name for name in fields if name not in known]
    if unknown:
        session.notice(
            f"{column.name}: the options {', '.join(unknown)} of its scorer were not recorded by "
            "the ig4 that computed it, so percents are those of their defaults (`ig4 score "
            f"--scorers {column.name}` with the same options records them and computes nothing)"
        )
    return known


def _checked(scale: Percent, method: str, name: str) -> Percent:
    """Return a scorer's percent scale, which names the scorer when it goes wrong."""

    def to_percent(values: NDArray[np.float64]) -> NDArray[np.float64]:
        try:
            percent = np.asarray(scale(values.copy()), dtype=np.float64)
        except Exception as error:
            raise PluginError(
                f"{method} of scorer {name} failed ({type(error).__name__}: {error}); choose "
                "another scale (--scale percentile) or other scorers (--scorers)"
            ) from error
        if percent.shape != values.shape or not np.isfinite(percent).all():
            raise PluginError(
                f"{method} of scorer {name} must return {len(values)} finite percents; choose "
                "another scale (--scale percentile) or other scorers (--scorers)"
            )
        return percent

    return to_percent
