"""Compares two evaluations on the questions that both answered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ig4.core.counts import counted
from ig4.core.errors import UsageError
from ig4.core.statistics.comparison import ComparisonResult
from ig4.core.statistics.comparison import compare as compare_values
from ig4.storage import evaluations

if TYPE_CHECKING:
    from ig4.core.engine.session import Session
    from ig4.storage.evaluations import EvaluationRow

_DEPEND_ON_ALL = frozenset(("cider",))
"""Metrics whose value for one answer depends on which other questions are evaluated with it."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two evaluations, and how their values differ on the questions that both answered."""

    first: EvaluationRow
    second: EvaluationRow
    compared: ComparisonResult
    left_out: int


def compare(session: Session, first: int, second: int) -> Comparison:
    """Compare evaluation `second` with `first`, question by question.

    Raises:
        UsageError: one of them does not exist or is not done, they are of different benchmarks or
            have no question in common that has a value in both, or they are of different
            questions and the metric weighs words by how rare they are in all questions.
    """
    with session.store.reading() as connection:
        matching = [evaluations.list_all(connection, number) for number in (first, second)]
        answers = [evaluations.predictions(connection, number) for number in (first, second)]
    rows = []
    for number, matches in zip((first, second), matching, strict=True):
        if not matches:
            raise UsageError(f"there is no evaluation {number}: see `ig4 eval show`")
        if matches[0].status != "done":
            raise UsageError(f"evaluation {number} is {matches[0].status}: see `ig4 eval show`")
        rows.append(matches[0])
    if (rows[0].benchmark, rows[0].options) != (rows[1].benchmark, rows[1].options):
        raise UsageError(
            f"evaluation {first} is of {rows[0].name!r} and {second} of {rows[1].name!r}, or with "
            "other options: only evaluations of the same benchmark can be compared"
        )
    questions = [{row.item_id for row in each} for each in answers]
    if questions[0] != questions[1] and rows[0].headline in _DEPEND_ON_ALL:
        raise UsageError(
            f"evaluations {first} and {second} are of {len(questions[0]):,} and "
            f"{counted(len(questions[1]), 'question')}, and {rows[0].headline} of each answer "
            "depends on all of them: evaluate both on the same questions, with the same --limit"
        )
    values = [
        {row.item_id: row.value for row in each if row.answer is not None and row.value is not None}
        for each in answers
    ]
    both = [name for name in values[0] if name in values[1]]
    if not both:
        raise UsageError(
            f"evaluations {first} and {second} have no question in common that has a value in both"
        )
    compared = compare_values(
        [float(values[0][name] or 0) for name in both],
        [float(values[1][name] or 0) for name in both],
    )
    return Comparison(rows[0], rows[1], compared, len(questions[0] | questions[1]) - len(both))
