"""Statements on runs and components: what computed a result, with which options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, select, update

from ig4.storage.bulk import upsert
from ig4.storage.schema import Component, FileDigest, Run

if TYPE_CHECKING:
    from sqlalchemy import Connection


def now() -> datetime:
    """Return the time in UTC."""
    return datetime.now(UTC)


def start(
    connection: Connection,
    command: str,
    *,
    config: Mapping[str, Any],
    versions: Mapping[str, str],
    seed: int | None = None,
    dataset_id: int | None = None,
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
    return int(connection.scalar(statement) or 0)


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


def seconds_per_unit(connection: Connection, fingerprint: str) -> float | None:
    """Return the seconds per unit of a component in the newest run that used it, or None."""
    summaries = connection.scalars(
        select(Run.summary).where(Run.summary.is_not(None)).order_by(Run.id.desc()).limit(100)
    )
    for summary in summaries:
        done, seconds = ((summary or {}).get("speeds") or {}).get(fingerprint, (0, 0))
        if done:
            return float(seconds / done)
    return None
