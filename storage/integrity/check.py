"""Finds damage in a score database: on its pages, between its tables, and in its results."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import create_engine, inspect, select, text
from sqlalchemy.pool import StaticPool

from ig4.storage.admin import existing_url
from ig4.storage.bulk import in_values
from ig4.storage.connect import connect, describe, is_sqlite, transaction, translate_errors
from ig4.storage.errors import StorageError
from ig4.storage.integrity import checksums
from ig4.storage.integrity.sealedrows import RowReport, check_all
from ig4.storage.integrity.vectorcheck import with_vectors
from ig4.storage.querying.readonly import open_readonly
from ig4.storage.schema import (
    Base,
    Component,
    DatasetScorer,
    DatasetSpace,
    Embedding,
    InputEmbedding,
    Sample,
    Score,
)
from ig4.storage.vectors.exclusion import moves_now
from ig4.storage.vectors.folder import VectorFolder, VectorFolderError
from ig4.storage.versions import HEAD, check, current

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection, Engine

BLOCK = 4096
"""Damaged results are told by blocks of so many content or image ids."""

_SHOWN = 20
_DIGEST_BYTES = 16


@dataclass(frozen=True, slots=True)
class Damage:
    """Something that is wrong: in which table, what, and what to do about it.

    `rows` are the keys of the damaged results (component id; content id, image id, or the digest
    of an input as a number), or of the damaged samples (data set id, sample id); of other tables,
    the numbers of what they belong to.
    """

    table: str
    problem: str
    remedy: str
    rows: Sequence[tuple[int, ...]] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return it as a JSON-able dict."""
        return asdict(self) | {"rows": [list(row) for row in self.rows]}


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What was found: damage, how many rows were verified by table, and what nobody can verify."""

    location: str
    damage: Sequence[Damage]
    verified: dict[str, int] = field(default_factory=dict)
    notes: Sequence[str] = ()

    @property
    def sound(self) -> bool:
        """Whether no damage was found."""
        return not self.damage

    def to_dict(self) -> dict[str, Any]:
        """Return it as a JSON-able dict."""
        return {
            "location": self.location,
            "sound": self.sound,
            "damage": [one.to_dict() for one in self.damage],
            "verified": self.verified,
            "notes": list(self.notes),
        }


ContentCheck = Callable[["Connection"], tuple[Sequence[Damage], int]]
"""Compares the texts of samples with the hashes of their contents; returns also how many."""


def check_database(location: str | Path, contents: ContentCheck | None = None) -> CheckReport:
    """Check a database without changing it.

    SQLite's own check covers the structure of all pages and indexes, foreign keys and counts. The
    checksum of each score and embedding covers bytes that changed inside them; `contents` covers
    the texts of samples. PostgreSQL's pages are the server's own to check: the report says how.

    Raises:
        StorageError: there is no such database, or it is not one of this version of ig4.
    """
    url = existing_url(location)
    damage: list[Damage] = []
    notes: list[str] = []
    with _reading(url) as (connection, raw), closing(VectorFolder(url)) as folder:
        if raw is not None:
            damage += _check_pages(raw)
        else:
            notes += _server_notes(connection)
        _require_current(connection, describe(url))
        verified = {}
        checks: dict[str, ContentCheck] = {
            "scores": _check_scores,
            "embeddings": partial(check_embeddings, folder=folder),
            "input_embeddings": partial(check_inputs, folder=folder),
            **({"samples": contents} if contents else {}),
        }
        for table, run in checks.items():
            try:
                with translate_errors(url):
                    found, verified[table] = run(connection)
            except VectorFolderError as error:
                found = [Damage(table, f"{table} cannot be read: {error}", "bring it back")]
            except Exception as error:  # noqa: BLE001 - damaged rows break whatever reads them
                reason = str(error) or type(error).__name__
                found = [Damage(table, f"{table} cannot be read: {reason}", _RESTORE)]
            damage += found
        bare: dict[str, int] = {}
        for name, look in check_all(connection):
            try:
                with translate_errors(url):
                    report = look()
            except Exception as error:  # noqa: BLE001 - see above
                reason = str(error) or type(error).__name__
                damage.append(Damage(name, f"{name} cannot be read: {reason}", _RESTORE))
                continue
            bare[name] = report.bare
            if report.verified:
                verified[name] = report.verified
            damage += _damaged_rows(report)
        if moves_now(connection):
            notes.append(
                "another process moves vectors now, or was killed while it did: what is told of "
                "their files may hold no more, check again when it has ended"
            )
        if not damage:
            notes += _unprotected(connection, bare)
    return CheckReport(describe(url), damage, verified, notes)


_RESTORE = "restore a backup (`ig4 db backup` makes one), or read the data set into a new database"


@contextmanager
def _reading(url: URL) -> Iterator[tuple[Connection, sqlite3.Connection | None]]:
    """Yield a connection that reads one state; on SQLite also the driver's own."""
    if not is_sqlite(url):
        engine = connect(url)
        try:
            with transaction(engine, writes=False) as connection:
                yield connection, None
        finally:
            engine.dispose()
        return
    with open_readonly(Path(url.database or ""), check_same_thread=False) as file:
        file.connection.text_factory = _lenient  # damaged text is what is looked for
        engine = _engine_on(file.connection)
        with translate_errors(url), engine.connect() as connection:
            yield connection, file.connection


def _lenient(raw: bytes) -> str:
    # Not "replace": what became another byte would look like a character that was there before.
    return raw.decode("utf-8", "surrogateescape")


def _engine_on(connection: sqlite3.Connection) -> Engine:
    return create_engine("sqlite://", creator=lambda: connection, poolclass=StaticPool)


def _require_current(connection: Connection, where: str) -> None:
    version = current(connection)
    if version is None:
        raise StorageError(f"{where} has no ig4 tables: name another database with --db.")
    if version != HEAD:
        check(version, where)


def _check_pages(connection: sqlite3.Connection) -> list[Damage]:
    """Let SQLite check the structure of its file, then foreign keys."""
    try:
        lines = [row[0] for row in connection.execute(f"PRAGMA integrity_check({_SHOWN})")]
        broken = connection.execute("PRAGMA foreign_key_check").fetchall()
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        return [Damage("", f"the file is damaged: {error}", _RESTORE)]
    damage = [
        Damage("", f"the file is damaged: {line}", _RESTORE) for line in lines if line != "ok"
    ]
    counts: dict[tuple[str, str], int] = {}
    for table, _, parent, _ in broken:
        counts[table, parent] = counts.get((table, parent), 0) + 1
    damage += [
        Damage(
            table,
            f"{count:,} {'row refers' if count == 1 else 'rows refer'} to {parent} that are not "
            "there",
            _RESTORE,
        )
        for (table, parent), count in counts.items()
    ]
    return damage


def _server_notes(connection: Connection) -> list[str]:
    own = (
        "PostgreSQL's own tool for its tables and indexes is pg_amcheck; ig4 does not look at them"
    )
    notes = [own]
    if connection.scalar(text("SELECT current_setting('data_checksums')")) == "off":
        notes.append(
            "the server keeps no checksums of its pages (data_checksums is off): outside of "
            "scores, embeddings and texts, changed bytes stay unseen"
        )
    return notes


def _check_scores(connection: Connection) -> tuple[Sequence[Damage], int]:
    table = Score.__table__.c
    columns = (table.component_id, table.content_id, table.value, table.error, table.crc)
    return _check_results(connection, "scores", columns, checksums.of_score, _finite)


def check_embeddings(connection: Connection, folder: VectorFolder) -> tuple[Sequence[Damage], int]:
    """Return the damage among the vectors of images, and the number of rows."""
    table = Embedding.__table__.c
    columns = (table.component_id, table.image_id, table.vector, table.error, table.crc)
    places = (table.file_id, table.file_row)
    return _check_results(
        connection, "embeddings", columns, checksums.of_vector, _whole, places=places, folder=folder
    )


def check_inputs(connection: Connection, folder: VectorFolder) -> tuple[Sequence[Damage], int]:
    """Return the damage among the vectors of texts, and the number of rows."""
    table = InputEmbedding.__table__.c
    columns = (table.component_id, table.digest, table.vector, table.error, table.crc)
    places = (table.file_id, table.file_row)
    return _check_results(
        connection, "input_embeddings", columns, checksums.of_input, _whole, _number_of,
        places=places, folder=folder,
    )  # fmt: skip


def _number_of(digest: Any) -> int:
    return int.from_bytes(digest) if isinstance(digest, bytes) else 0


def _finite(value: Any) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value)


def _whole(vector: Any) -> bool:
    return isinstance(vector, bytes) and len(vector) > 0 and len(vector) % 4 == 0


def _check_results(
    connection: Connection,
    name: str,
    columns: Sequence[Any],
    checksum: Callable[..., int],
    plausible: Callable[[Any], bool],
    number: Callable[[Any], int] = int,
    *,
    places: Sequence[Any] = (),
    folder: VectorFolder | None = None,
) -> tuple[Sequence[Damage], int]:
    """Return the damage in a table of results, by component and block, and the number of rows.

    `places` are the columns of file and row, of results that may lie in files of `folder`.
    """
    damaged: dict[tuple[int, int], list[tuple[int, int]]] = {}
    count = 0
    stored = connection.execution_options(stream_results=True).execute(select(*columns, *places))
    rows: Iterable[Any] = stored
    if folder is not None:
        rows = with_vectors(connection, folder, stored)
    for component, key, value, error, crc in rows:
        count += 1
        try:
            sound = crc is None or checksum(component, key, value, error) == crc
            sound = sound and (plausible(value) if value is not None else error is not None)
        except (TypeError, ValueError, ArithmeticError):  # the bytes became another type
            sound = False
        if not sound:
            # Digests are spread evenly: they have no blocks.
            block = 0 if number is _number_of else number(key) // BLOCK
            damaged.setdefault((component, block), []).append((component, number(key)))
    named = _names(connection, {component for component, _ in damaged})
    found = [
        _describe(connection, name, named, component, block, keys)
        for (component, block), keys in sorted(damaged.items())
    ]
    return found, count


def _describe(
    connection: Connection,
    table: str,
    named: dict[int, tuple[str, str]],
    component: int,
    block: int,
    rows: Sequence[tuple[int, int]],
) -> Damage:
    label, again = named.get(component, (f"component {component}", _RESTORE))
    what = "content" if table == "scores" else "image"
    where = f"{what} ids {block * BLOCK:,} to {(block + 1) * BLOCK - 1:,}"
    if table == "input_embeddings":
        where = f"digests {', '.join(f'{key:032x}'[:8] for _, key in rows[:3])}"
        where += ", …" if len(rows) > 3 else ""
    problem = f"{len(rows):,} {table} of {label} are not what was stored ({where}"
    if table == "scores":
        keys = [key for _, key in rows[:_SHOWN]]
        samples = connection.scalars(
            select(Sample.external_id)
            .where(in_values(connection, Sample.content_id, keys), Sample.ordinal.is_not(None))
            .limit(3)
        ).all()
        problem += f"; samples {', '.join(map(repr, samples))}" if samples else ""
    return Damage(table, problem + ")", f"`ig4 db check --repair` deletes them; then {again}", rows)


def _names(connection: Connection, components: set[int]) -> dict[int, tuple[str, str]]:
    """Return what to call each component, and the command that computes its results again."""
    names = {}
    for component in components:
        row = connection.execute(
            select(Component.kind, Component.name).where(Component.id == component)
        ).first()
        bound = connection.execute(
            select(DatasetScorer.name, DatasetScorer.imported).where(
                DatasetScorer.component_id == component
            )
        ).first()
        space = connection.execute(
            select(DatasetSpace.name, DatasetSpace.imported).where(
                DatasetSpace.component_id == component
            )
        ).first()
        if space is not None and space.imported:
            again = f"`ig4 import-vectors FILE --as {space.name}` stores them again"
            names[component] = (f"space {space.name} (imported)", again)
        elif space is not None:
            again = f"`ig4 score --spaces {space.name}` computes them again"
            names[component] = (f"space {space.name}", again)
        elif bound is not None and bound.imported:
            again = f"`ig4 import-scores FILE --as {bound.name}` stores them again"
            names[component] = (f"scorer {bound.name} (imported)", again)
        elif bound is not None:
            again = f"`ig4 score --scorers {bound.name}` computes them again"
            names[component] = (f"scorer {bound.name}", again)
        elif row is not None:
            again = f"`ig4 score` or `ig4 cluster` with {row.name} computes them again"
            names[component] = (f"{row.kind} {row.name}", again)
    return names


def _damaged_rows(report: RowReport) -> list[Damage]:
    if not report.damaged:
        return []
    numbers = ", ".join(map(str, report.keys[:_SHOWN])) + (
        ", …" if len(report.keys) > _SHOWN else ""
    )
    key = report.table.key if report.table.name == report.name else f"{report.table.name} id"
    return [
        Damage(
            report.name,
            f"{report.damaged:,} rows of {report.name} are not what was stored ({key} {numbers})",
            report.table.remedy,
            [(key,) for key in report.keys],
        )
    ]


def _unprotected(connection: Connection, bare: Mapping[str, int]) -> list[str]:
    notes = [
        f"{count:,} rows of {name} were stored by an older ig4 without a checksum: changed bytes "
        "in them stay unseen"
        for name, count in bare.items()
        if count
    ]
    for model in (Score, Embedding, InputEmbedding):
        table: Any = model.__table__
        number = connection.execute(
            select(text("count(*)")).select_from(table).where(table.c.crc.is_(None))
        ).scalar()
        if number:
            notes.append(
                f"{number:,} {table.name} were stored by an older ig4 without a checksum: changed "
                "bytes in them stay unseen"
            )
    known = set(inspect(connection).get_table_names())
    missing = sorted(table.name for table in Base.metadata.sorted_tables if table.name not in known)
    if missing:
        notes.append(f"tables are missing: {', '.join(missing)}")
    return notes
