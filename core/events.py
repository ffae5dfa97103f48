"""Events that the engine emits while it works; the command line shows them as progress bars."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class RunStarted:
    """A command that writes to the database has begun."""

    run_id: int
    command: str


@dataclass(frozen=True, slots=True)
class StageStarted:
    """A stage (ingest, embed and score, cluster, …) begins; `total` is None if unknown."""

    stage: str
    total: int | None = None
    unit: str = "samples"


@dataclass(frozen=True, slots=True)
class StageAdvanced:
    """`done` more units are committed, `failed` of them with errors; `note` is shown meanwhile."""

    stage: str
    done: int
    failed: int = 0
    cost: float = 0.0
    note: str = ""


@dataclass(frozen=True, slots=True)
class StageFinished:
    """A stage is over; `summary` gives its result in a few words."""

    stage: str
    summary: str = ""


@dataclass(frozen=True, slots=True)
class BatchScored:
    """A batch of samples went through one component and its results are committed."""

    component: str
    done: int
    failed: int


@dataclass(frozen=True, slots=True)
class Selected:
    """A selection was stored."""

    selection_id: int
    size: int


@dataclass(frozen=True, slots=True)
class Notice:
    """Something the user should know that stops nothing."""

    text: str


@dataclass(frozen=True, slots=True)
class RunFinished:
    """The command ended; `status` is "done", "partial", "failed" or "interrupted"."""

    run_id: int
    status: str
    failures: dict[str, int] = field(default_factory=dict)


Event: TypeAlias = (
    RunStarted
    | StageStarted
    | StageAdvanced
    | StageFinished
    | BatchScored
    | Selected
    | Notice
    | RunFinished
)
Listener: TypeAlias = Callable[[Event], None]
