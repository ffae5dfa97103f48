"""Reads the result of an ablation from the database: its tables, and what is missing in them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ig4.core.counts import counted, verb
from ig4.core.engine.ablating.arms.arm import Arm
from ig4.core.engine.ablating.table import AblationReport, CellOutcome, build_report
from ig4.core.errors import UsageError
from ig4.storage import ablations

if TYPE_CHECKING:
    from ig4.core.engine.session import Session
    from ig4.storage.ablations import AblationRow, CellRow


@dataclass(frozen=True, slots=True)
class AblationResult:
    """The result of an ablation: its number, its tables, and how many cells are done and failed.

    `computed` counts the cells that this call trained or evaluated; `unanswered` the questions
    without an answer, which count as wrong.
    """

    id: int
    dataset: str
    report: AblationReport
    cells: int
    done: int
    failed: int
    computed: int
    unanswered: int


def list_ablations(session: Session) -> list[AblationRow]:
    """Return all ablations, the newest last."""
    with session.store.reading() as connection:
        return ablations.list_all(connection)


def load_result(session: Session, number: int, *, computed: int = 0) -> AblationResult:
    """Return the result of an ablation so far.

    Raises:
        UsageError: there is no ablation of that number.
    """
    with session.store.reading() as connection:
        rows = ablations.list_all(connection, number)
        cells = ablations.cells(connection, number)
    if not rows:
        raise UsageError(f"there is no ablation {number}: see `ig4 ablate show`")
    config = rows[0].config
    arms = [Arm(arm["name"], arm["take"], arm["group"]) for arm in config["arms"]]
    measured = [row for row in cells if row.metrics]
    outcomes = [
        CellOutcome(row.arm, row.seed, row.samples,
                {name: float(one["value"]) for name, one in (row.metrics or {}).items()})
        for row in measured
    ]  # fmt: skip
    headlines = {
        name: str(one["headline"]) for row in measured for name, one in (row.metrics or {}).items()
    }
    unanswered = sum(int(one["failed"]) for row in measured for one in (row.metrics or {}).values())
    expected = len(arms) * len(config["seeds"])
    counts = Counter(row.status for row in cells)
    report = build_report(
        arms, list(config["benchmarks"]), outcomes,
        headlines=headlines, factors=config["factors"],
        notes=_notes(cells, expected, counts, unanswered),
    )  # fmt: skip
    return AblationResult(
        number, rows[0].dataset, report, expected, counts["done"], counts["failed"], computed,
        unanswered,
    )  # fmt: skip


def _notes(
    cells: Sequence[CellRow], expected: int, counts: Mapping[str, int], unanswered: int
) -> list[str]:
    notes = []
    missing = expected - counts.get("done", 0) - counts.get("failed", 0)
    if missing:
        notes.append(
            f"{missing:,} of {counted(expected, 'cell')} {verb(missing, 'is', 'are')} not done yet."
        )
    reasons: dict[str, list[str]] = {}
    for row in cells:
        if row.status == "failed":
            reasons.setdefault(row.error or "", []).append(f"{row.arm} {row.seed}")
    for reason, names in reasons.items():
        more = f" and {len(names) - 3:,} more" if len(names) > 3 else ""
        notes.append(f"Failed: {', '.join(names[:3])}{more}: {reason}")
    if unanswered:
        notes.append(
            f"{counted(unanswered, 'question has', 'questions have')} no answer and "
            f"{verb(unanswered, 'counts', 'count')} as wrong: --retry-failed asks "
            "again."
        )
    return notes
