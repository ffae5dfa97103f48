"""`--dry-run`: what would be computed and how long it takes, before it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from ig4.core.engine import plan as planning
from ig4.core.engine.score import imported_of
from ig4.core.records import Choice
from ig4.storage import runs

if TYPE_CHECKING:
    from ig4.core.engine.session import Session
    from ig4.storage.datasets import DatasetRow


@dataclass(frozen=True, slots=True)
class Estimate:
    """By component: how many samples (embedder: images) it has yet to see, and the seconds.

    Seconds are None where this database has not seen the component at work.
    """

    dataset: str
    samples: int
    calls: dict[str, int]
    seconds: dict[str, float | None]

    def to_dict(self) -> dict[str, Any]:
        """Return the fields, JSON-able."""
        return asdict(self)


def estimate(
    session: Session,
    dataset: DatasetRow,
    scorers: Sequence[Choice],
    embedders: Sequence[Choice] = (),
) -> Estimate:
    """Tell what scoring would do; nothing is computed.

    Raises:
        UsageError: unknown component or option.
    """
    imported = imported_of(session, dataset)
    wanted = [choice for choice in scorers if choice.label not in imported]
    plan = planning.make(session, dataset, wanted, embedders)
    seconds: dict[str, float | None] = {}
    calls = plan.calls
    names = {f"embedder {p.configured.label}": p for p in plan.embedders.values()}
    with session.store.reading() as connection:
        for name, pending in {**names, **plan.scorers}.items():
            speed = runs.speed(connection, pending.configured.fingerprint.value)
            seconds[name] = None if speed is None else speed * calls[name]
    return Estimate(dataset.name, len(plan.sample_ids), calls, seconds)
