"""What plots of results show: verdicts, trainings, evaluations, ablations, and what was paid."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ig4.core.charts.kinds.costs import CostValue, Spending, TimeValue
from ig4.core.charts.kinds.judge import Verdicts, verdicts
from ig4.core.charts.kinds.results import ArmValue, BenchmarkValue
from ig4.core.charts.kinds.training import TrainingCurve, training_curve
from ig4.core.engine.ablating.arms.arm import REFERENCE
from ig4.core.engine.ablating.result import list_ablations, load_result
from ig4.core.engine.ablating.table import MEAN, METRIC_FACTORS, PERCENT_LIKE
from ig4.core.engine.judging.judge import summarise_verdicts
from ig4.core.engine.plotting.kinds import ArmValues
from ig4.core.errors import UsageError
from ig4.core.statistics.comparison import mean_interval
from ig4.core.suggest import did_you_mean
from ig4.storage import calls, evaluations, judgements, runs, trainings

if TYPE_CHECKING:
    from ig4.core.engine.session import Session
    from ig4.storage.evaluations import EvaluationRow


def judge_values(session: Session, number: int | None = None) -> tuple[Verdicts, int]:
    """Return the verdicts of a judgement, by default the newest, and its number.

    Raises:
        UsageError: there is none, or none of that number.
    """
    with session.store.reading() as connection:
        rows = judgements.list_all(connection, number)
        if not rows:
            raise _none("judgement", number, "ig4 judge FIRST SECOND", "ig4 judge show")
        row = rows[-1]
        stored = judgements.verdicts(connection, row.id)
    summary = row.summary
    if summary is None:  # it is not finished: what there is so far
        summary = summarise_verdicts(stored)[0].to_dict()
    return verdicts(row.first, row.second, summary), row.id


def training_values(
    session: Session, number: int | None = None, dataset: str | None = None
) -> tuple[TrainingCurve, ...]:
    """Return the curves of all trainings (of a data set) that have steps, or of the one numbered.

    Raises:
        UsageError: there is none, or none of that number.
    """
    found = []
    with session.store.reading() as connection:
        rows = trainings.list_all(connection, number)
        for row in rows:
            steps = trainings.steps(connection, row.id)
            if steps and (number is not None or dataset in (None, row.dataset)):
                of = "all" if row.selection_id is None else f"selection {row.selection_id}"
                found.append(training_curve(f"{row.id}: {row.trainer}, {of}", steps))
    if not found:
        if rows and number is not None:
            raise UsageError(f"training {number} has no steps yet: `ig4 train show {number}`")
        raise _none("training", number, "ig4 train", "ig4 train show")
    return tuple(found)


def evaluation_values(
    session: Session, number: int | None = None, dataset: str | None = None
) -> tuple[BenchmarkValue, ...]:
    """Return the headline of every finished evaluation with its interval; shares times 100.

    Of several evaluations of a model on a benchmark the newest counts. With a `dataset` those of
    models that were trained on it.

    Raises:
        UsageError: there is none, or none of that number.
    """
    newest: dict[tuple[str, str, str], EvaluationRow] = {}
    with session.store.reading() as connection:
        names = {row.id: row.dataset for row in trainings.list_all(connection)}
        for row in evaluations.list_all(connection, number):
            of = names.get(row.training_id or 0)
            if row.value is not None and row.headline and dataset in (None, of):
                newest[row.name, row.headline, row.label] = row
        intervals = {
            row.id: _interval(
                row, [one.value for one in evaluations.predictions(connection, row.id)]
            )
            for row in newest.values()
        }
    if not newest:
        raise _none("evaluation", number, "ig4 eval CHECKPOINT", "ig4 eval show")
    factors = _factors([*newest.values()])
    return tuple(_benchmark(row, intervals[row.id], factors[row.name]) for row in newest.values())


def _interval(row: EvaluationRow, values: Sequence[float | None]) -> tuple[float, float] | None:
    """Return the 95 % interval of a headline if it is the mean of the answers' values."""
    known = [value for value in values if value is not None]
    if row.value is None or len(known) < max(2, len(values)):
        return None
    is_mean = math.isclose(math.fsum(known) / len(known), row.value, rel_tol=1e-9, abs_tol=1e-12)
    return mean_interval(known) if is_mean else None


def _factors(rows: Sequence[EvaluationRow]) -> dict[str, float]:
    """Return by benchmark what its values are multiplied by, as in the tables of ablations."""
    found: dict[str, float] = {}
    for row in rows:
        largest = max(abs(one.value or 0.0) for one in rows if one.name == row.name)
        found[row.name] = METRIC_FACTORS.get(row.headline or "") or (
            1.0 if largest > PERCENT_LIKE else 100.0
        )
    return found


def _benchmark(
    row: EvaluationRow, interval: tuple[float, float] | None, factor: float
) -> BenchmarkValue:
    low, high = (None, None) if interval is None else (factor * one for one in interval)
    return BenchmarkValue(
        row.name, row.headline or "", row.label, factor * (row.value or 0.0), low, high
    )


def ablation_values(
    session: Session,
    number: int | None = None,
    column: str | None = None,
    dataset: str | None = None,
) -> tuple[ArmValues, int]:
    """Return the arms of an ablation, by default the newest (of a data set), and its number.

    `column` is a benchmark, by default the mean of all.

    Raises:
        UsageError: there is none, none of that number, or no such column.
    """
    rows = [row.id for row in list_ablations(session) if dataset in (None, row.dataset)]
    if not rows or number not in (None, *rows):
        raise _none("ablation", number, "ig4 ablate", "ig4 ablate show")
    chosen = rows[-1] if number is None else number
    report = load_result(session, chosen).report
    columns = report.tables[0].columns if report.tables else ()
    name = column or (MEAN if MEAN in columns else next(iter(columns), MEAN))
    if name not in columns:
        raise UsageError(
            f"ablation {chosen} has no column {name!r}{did_you_mean(name, columns)} (there are: "
            f"{', '.join(columns)})"
        )
    arms: dict[str, ArmValue] = {}
    for table in report.tables:
        for row in table.rows:
            cell = row.cells[table.columns.index(name)]
            if cell is not None and row.arm not in arms:
                seeds = _seeds(report.outcomes, row.arm, name, report.factors)
                arms[row.arm] = ArmValue(
                    row.arm, cell.mean, cell.deviation, seeds, row.arm == REFERENCE
                )
    return ArmValues(name, tuple(arms.values())), chosen


def _seeds(
    outcomes: Sequence[Any], arm: str, column: str, factors: Mapping[str, float]
) -> tuple[float, ...]:
    """Return the value of each seed in the unit of the tables."""
    found = []
    for one in outcomes:
        if one.arm != arm:
            continue
        values = {name: value * factors[name] for name, value in one.values.items()}
        if column == MEAN and len(values) == len(factors):
            found.append(math.fsum(values.values()) / len(values))
        elif column in values:
            found.append(values[column])
    return tuple(found)


def spending_values(session: Session, by: str = "model", dataset: str | None = None) -> Spending:
    """Return what calls cost, and how long components worked in all runs (of a data set).

    Costs are of the whole database.

    Raises:
        UsageError: calls are not summed by that, or nothing was called or timed.
    """
    if by not in calls.COST_GROUPS:
        raise UsageError(
            f"costs are not summed by {by!r}{did_you_mean(by, calls.COST_GROUPS)} (but by "
            f"{', '.join(calls.COST_GROUPS)})"
        )
    with session.store.reading() as connection:
        sums = calls.sum_costs(connection, by)
        names = runs.component_names(connection)
        stored = runs.newest(connection)
    costs = [CostValue(one.group, one.calls, one.cost, one.unpriced) for one in sums]
    if by != "day":
        costs.sort(key=lambda one: -one.cost)
    times: dict[str, TimeValue] = {}
    for row in stored:
        if dataset not in (None, row.dataset):
            continue
        for fingerprint, (units, seconds) in ((row.summary or {}).get("speeds") or {}).items():
            name = names.get(fingerprint, fingerprint[:12])
            known = times.get(name, TimeValue(name, 0.0, 0))
            times[name] = TimeValue(name, known.seconds + seconds, known.units + int(units))
    if not costs and not times:
        raise UsageError("nothing was paid for and nothing was timed yet: run `ig4 score` first")
    return Spending(by, tuple(costs), tuple(sorted(times.values(), key=lambda one: -one.seconds)))


def _none(what: str, number: int | None, make: str, look: str) -> UsageError:
    if number is None:
        return UsageError(f"there is no {what} yet: `{make}` makes one")
    return UsageError(f"there is no {what} {number}: see `{look}`")
