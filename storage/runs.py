"""Statements on runs and components: what computed a result, with which options."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, select, update

from ig4.storage.bulk import upsert
from ig4.storage.integrity.seals import seal
from ig4.storage.schema import Component, Dataset, FileDigest, Run

if TYPE_CHECKING:
    from sqlalchemy import Connection


def now() -> datetime:
    """Return the time in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class RunProcess:
    """The process that a run is, as `ig4.core.calls.worker` knows it."""

    host: str
    pid: int
    started: str | None


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run as stored, with the name of its data set."""

    id: int
    command: str
    dataset: str | None
    status: str
    seed: int | None
    config: Mapping[str, Any]
    versions: Mapping[str, Any]
    summary: Mapping[str, Any] | None
    started_at: datetime
    finished_at: datetime | None


def start(
    connection: Connection,
    command: str,
    *,
    config: Mapping[str, Any],
    versions: Mapping[str, str],
    seed: int | None = None,
    dataset_id: int | None = None,
    process: RunProcess | None = None,
) -> int:
    """Record the start of a command; returns the id of the run."""
    values = {
        "command": command,
        "config": dict(config),
        "versions": dict(versions),
        "seed": seed,
        "dataset_id": dataset_id,
        "status": "running",
        "started_at": now(),
        "host": process.host if process else None,
        "pid": process.pid if process else None,
        "process_started": process.started if process else None,
    }
    return int(connection.scalar(insert(Run).values(values).returning(Run.id)) or 0)


def set_dataset(connection: Connection, run_id: int, dataset_id: int) -> None:
    """Record which data set a run works on."""
    connection.execute(update(Run).where(Run.id == run_id).values(dataset_id=dataset_id))


def finish(
    connection: Connection, run_id: int, status: str, summary: Mapping[str, Any] | None = None
) -> None:
    """Record how a run ended."""
    values = {"status": status, "summary": dict(summary or {}), "finished_at": now()}
    connection.execute(update(Run).where(Run.id == run_id).values(values))


def newest(
    connection: Connection,
    *,
    limit: int | None = None,
    number: int | None = None,
    command: str | None = None,
) -> list[RunRow]:
    """Return runs, the newest first: the last `limit`, the one of a number, those of a command."""
    statement = (
        select(
            Run.id, Run.command, Dataset.name.label("dataset"), Run.status, Run.seed, Run.config,
            Run.versions, Run.summary, Run.started_at, Run.finished_at,
        )
        .outerjoin(Dataset, Dataset.id == Run.dataset_id)
        .order_by(Run.id.desc())
        .limit(limit)
    )  # fmt: skip
    if number is not None:
        statement = statement.where(Run.id == number)
    if command is not None:
        statement = statement.where(Run.command == command)
    return [RunRow(**row._mapping) for row in connection.execute(statement)]


def unfinished(connection: Connection) -> list[tuple[int, RunProcess | None]]:
    """Return the runs that have not come to an end, with the process of each, if it is known."""
    rows = connection.execute(
        select(Run.id, Run.host, Run.pid, Run.process_started).where(Run.status == "running")
    )
    return [
        (number, None if host is None or pid is None else RunProcess(host, pid, started))
        for number, host, pid, started in rows
    ]


def mark_killed(connection: Connection, numbers: Sequence[int]) -> None:
    """Record that the processes of runs are gone; nobody knows when they ended."""
    connection.execute(
        update(Run).where(Run.id.in_(numbers), Run.status == "running").values(status="killed")
    )


@dataclass(frozen=True, slots=True)
class ComponentRow:
    """A component with fixed version and options, as stored."""

    kind: str
    name: str
    distribution: str
    version: str
    options: Mapping[str, Any]
    fingerprint: str


def component_id(connection: Connection, row: ComponentRow) -> int:
    """Return the id of a component, adding it if it is new."""
    statement = select(Component.id).where(Component.fingerprint == row.fingerprint)
    existing = connection.scalar(statement)
    if existing is not None:
        return existing
    values = {
        "kind": row.kind,
        "name": row.name,
        "distribution": row.distribution,
        "version": row.version,
        "options": dict(row.options),
        "fingerprint": row.fingerprint,
        "created_at": now(),
    }
    connection.execute(upsert(connection, Component, ["fingerprint"]).values(values))
    seal(connection, Component, Component.fingerprint == row.fingerprint)
    return int(connection.scalar(statement) or 0)


def find_component(connection: Connection, fingerprint: str) -> int | None:
    """Return the id of a component, None if it is not recorded."""
    return connection.scalar(select(Component.id).where(Component.fingerprint == fingerprint))


def component_names(connection: Connection) -> dict[str, str]:
    """Return by fingerprint the names of all components; other kinds than scorers with theirs."""
    rows = connection.execute(select(Component.fingerprint, Component.kind, Component.name))
    return {
        fingerprint: name if kind == "scorer" else f"{name} ({kind})"
        for fingerprint, kind, name in rows
    }


def find_digest(connection: Connection, path: str, size: int, mtime_ns: int) -> str | None:
    """Return the stored sha256 of a file, None unless its size and modification time are equal."""
    return connection.scalar(
        select(FileDigest.sha256).where(
            FileDigest.path == path, FileDigest.size == size, FileDigest.mtime_ns == mtime_ns
        )
    )


def put_digest(connection: Connection, path: str, size: int, mtime_ns: int, sha256: str) -> None:
    """Store the sha256 of a file with this size and modification time."""
    values = {"path": path, "size": size, "mtime_ns": mtime_ns, "sha256": sha256}
    connection.execute(
        upsert(connection, FileDigest, ["path"], update=["size", "mtime_ns", "sha256"]).values(
            values
        )
    )


@dataclass(frozen=True, slots=True)
class MeasuredSpeed:
    """What a component took in a run: seconds for so many units, on a device if it is known."""

    run_id: int
    units: float
    seconds: float
    device: str | None

    @property
    def seconds_per_unit(self) -> float:
        """Seconds for a sample, image or text."""
        return self.seconds / self.units


def measured_speeds(connection: Connection) -> dict[str, list[MeasuredSpeed]]:
    """Return by fingerprint what components took in the last runs, the newest first."""
    rows = connection.execute(
        select(Run.id, Run.summary)
        .where(Run.summary.is_not(None))
        .order_by(Run.id.desc())
        .limit(_LAST_RUNS)
    )
    found: dict[str, list[MeasuredSpeed]] = {}
    for run_id, summary in rows:
        devices = (summary or {}).get("devices") or {}
        for fingerprint, (units, seconds) in ((summary or {}).get("speeds") or {}).items():
            if units:
                speed = MeasuredSpeed(run_id, units, seconds, devices.get(fingerprint))
                found.setdefault(fingerprint, []).append(speed)
    return found


_LAST_RUNS = 500
