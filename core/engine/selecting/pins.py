"""Samples that a user wants in a selection or keeps out of it: by id, file, query, as stored."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ig4.core.counts import counted, verb
from ig4.core.errors import UsageError
from ig4.core.files.opening import open_file, read_bounded
from ig4.core.host.fingerprint import digest_of
from ig4.core.suggest import did_you_mean
from ig4.core.texts import sanitize
from ig4.storage import membership, pins, samples
from ig4.storage.errors import StorageError
from ig4.storage.querying.query import run_query

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ig4.core.engine.session import Session
    from ig4.storage.datasets import DatasetRow

VETO = "a veto"
"""Why samples that the user keeps out are no candidates."""

_SHOWN = 3
_LONGEST = 60  # characters of an id that are shown
_MAX_BYTES = 1 << 28  # of a file of ids
_ID, _DATASET = "external_id", "dataset"


@dataclass(frozen=True, slots=True)
class PinSource:
    """Where ids come from: a `file`, a query (`sql`), pins in the database (`stored`), or a list.

    `ids` are None until they were read. Of a `recorded` one, ids that are gone are no error.
    """

    file: str | None = None
    sql: str | None = None
    stored: bool = False
    ids: tuple[str, ...] | None = None
    recorded: bool = field(default=False, compare=False)

    def label(self, what: str) -> str:
        """Return how the user names it, where `what` is keep or drop."""
        if self.file is not None:
            return f"--{what} {self.file}"
        if self.sql is not None:
            return f"--{what}-sql"
        return "the stored pins" if self.stored else f"the list {what}"

    def to_dict(self, *, short: bool = False) -> dict[str, Any]:
        """Return what the record of a selection keeps: where the ids come from, and all of them.

        A `short` one, for the record of a run, has their number and a digest in their place.
        """
        named = {"file": self.file, "sql": self.sql, "stored": self.stored or None}
        told: dict[str, Any] = {key: value for key, value in named.items() if value is not None}
        ids = list(self.ids or ())
        return told | ({"count": len(ids), "digest": digest_of(ids)} if short else {"ids": ids})


@dataclass(frozen=True, slots=True)
class PinRequest:
    """Which samples are in a selection whatever they score (`keep`), and which are not (`drop`)."""

    keep: tuple[PinSource, ...] = ()
    drop: tuple[PinSource, ...] = ()

    def to_config(self, *, short: bool = False) -> dict[str, Any]:
        """Return what the record of a selection keeps; nothing where nothing is pinned.

        `short` as in `PinSource.to_dict`.
        """
        parts = {
            name: [one.to_dict(short=short) for one in some if one.ids or not one.stored]
            for name, some in (("keep", self.keep), ("drop", self.drop))
        }
        return {name: some for name, some in parts.items() if some}

    @property
    def uses_stored(self) -> bool:
        """Whether the pins in the database are applied."""
        return any(one.stored for one in (*self.keep, *self.drop))


def recorded_pins(config: Mapping[str, Any]) -> PinRequest:
    """Return the pins that the record of a selection keeps."""

    def sources(name: str) -> tuple[PinSource, ...]:
        return tuple(
            PinSource(
                one.get("file"),
                one.get("sql"),
                one.get("stored", False),
                tuple(one["ids"]),
                recorded=True,
            )
            for one in config.get(name, ())
        )

    return PinRequest(sources("keep"), sources("drop"))


@dataclass(frozen=True, slots=True)
class PinnedSamples:
    """The ids of samples that are kept, and of those that are dropped; both int64, ascending."""

    keep: NDArray[np.int64]
    drop: NDArray[np.int64]


def read_pins(session: Session, dataset: DatasetRow, request: PinRequest) -> PinRequest:
    """Return a request whose sources have their ids: files are read, and queries are run, once.

    A pin in the database gives way to what the other sources say of its sample.

    Raises:
        UsageError: a file cannot be read, or a query is not valid, or does not give ids.
    """
    keep = _read_all(session, dataset, request.keep, "keep")
    drop = _read_all(session, dataset, request.drop, "drop")
    if not request.uses_stored:
        return PinRequest(keep, drop)
    given = {name for one in (*keep, *drop) if not one.stored for name in one.ids or ()}
    away = {name for one in (*keep, *drop) if one.stored for name in one.ids or ()} & given
    if away:
        session.notice(
            f"{counted(len(away), 'stored pin gives', 'stored pins give')} way to what is said "
            f"here of {verb(len(away), 'its sample', 'their samples')}"
        )
    return PinRequest(_without(keep, away), _without(drop, away))


def _without(sources: Sequence[PinSource], away: set[str]) -> tuple[PinSource, ...]:
    return tuple(
        replace(one, ids=tuple(name for name in one.ids or () if name not in away))
        if one.stored and not one.recorded
        else one
        for one in sources
    )


def _read_all(
    session: Session, dataset: DatasetRow, sources: Iterable[PinSource], what: str
) -> tuple[PinSource, ...]:
    return tuple(
        one if one.ids is not None else replace(one, ids=_read(session, dataset, one, what))
        for one in sources
    )


def _read(session: Session, dataset: DatasetRow, source: PinSource, what: str) -> tuple[str, ...]:
    if source.stored:
        with session.store.reading() as connection:
            rows = pins.list_all(connection, dataset.id)
        return tuple(row.external_id for row in rows if row.keep == (what == "keep"))
    if source.sql is not None:
        found = _ids_of_query(session, dataset, source.sql, source.label(what))
    else:
        assert source.file is not None
        found = _ids_of_file(Path(source.file), source.label(what))
    return tuple(dict.fromkeys(found))


def _ids_of_file(path: Path, where: str) -> list[str]:
    """Return the ids of a file: a JSON list, or one a line."""
    try:
        with open_file(path.expanduser()) as file:
            text = read_bounded(file, _MAX_BYTES).decode("utf-8-sig")
    except FileNotFoundError:
        raise UsageError(f"{where}: there is no such file") from None
    except UnicodeDecodeError:
        raise UsageError(f"{where}: it is not UTF-8 text: write one id a line") from None
    except OSError as error:
        raise UsageError(f"{where}: it cannot be read: {error.strerror or error}") from None
    if text.lstrip().startswith("{") and _is_json(text):
        raise UsageError(
            f"{where}: it holds a JSON object, and a list of ids is wanted: write "
            '["12", "34"], or one id a line'
        )
    if not text.lstrip().startswith("["):
        return [line for line in map(str.strip, text.splitlines()) if line]
    try:
        values = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        if path.suffix != ".json":  # ids may begin with a bracket
            return [line for line in map(str.strip, text.splitlines()) if line]
        raise UsageError(f"{where}: it is not valid JSON: {error}") from None
    return [_id_of(value, where) for value in values]


def _is_json(text: str) -> bool:
    """Tell whether a text is JSON: as a whole, or each line of it."""
    lines = [line for line in text.splitlines() if line.strip()]
    for parts in ([text], lines):
        try:
            for part in parts:
                json.loads(part)
        except (json.JSONDecodeError, RecursionError):
            continue
        return True
    return False


def _id_of(value: object, where: str) -> str:
    """Return an id as text; whole numbers are ids, too.

    Raises:
        UsageError: it is something else.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    shown = sanitize(repr(value))[:_LONGEST]
    raise UsageError(f"{where}: {shown} is no id: ids are texts or whole numbers")


def _ids_of_query(session: Session, dataset: DatasetRow, sql: str, where: str) -> list[str]:
    """Return the ids that a query gives, which can only read.

    It has one column, or one called `external_id`; with a column `dataset`, rows of other data sets
    are left away, and told.
    """
    found, others = [], 0
    with session.store.reading() as connection:
        parts = {part.name for part in membership.members(connection, dataset.id)}
    try:
        with run_query(session.store.engine.url, sql) as result:
            place, owner = _columns(result.columns, where)
            for row in result.rows:
                name = _id_of(row[place], where)
                of = None if owner is None else row[owner]
                if of in parts:
                    name = f"{of}/{name}"
                elif of not in (None, dataset.name):
                    others += 1
                    continue
                found.append(name)
    except StorageError as error:
        raise UsageError(f"{where}: {error}") from None
    if others:
        session.notice(
            f"{where}: {counted(others, 'row is', 'rows are')} of other data sets than "
            f"{dataset.name}, and not meant"
        )
    return found


def _columns(columns: Sequence[str], where: str) -> tuple[int, int | None]:
    """Return the places of the column of ids, and of that of data sets if there is one."""
    if len(columns) == 1:
        return 0, None
    if _ID not in columns:
        raise UsageError(
            f"{where}: the query gives {', '.join(columns)}: let it give external_id, or dataset "
            "and external_id"
        )
    return columns.index(_ID), columns.index(_DATASET) if _DATASET in columns else None


def pinned_samples(session: Session, dataset: DatasetRow, request: PinRequest) -> PinnedSamples:
    """Return the samples that a request keeps and drops; those are read that were not yet.

    Raises:
        UsageError: as `read_pins`; or an id is unknown, or both kept and dropped.
    """
    known = read_pins(session, dataset, request)
    keep = _sample_ids(session, dataset, known.keep, "keep")
    drop = _sample_ids(session, dataset, known.drop, "drop")
    both = next((name for name in keep if name in drop), None)
    if both is not None:
        raise UsageError(
            f"{sanitize(both)[:_LONGEST]!r} is to be kept ({_source_of(known.keep, both, 'keep')}) "
            f"and dropped ({_source_of(known.drop, both, 'drop')}): take it out of one of them"
        )
    return PinnedSamples(_ascending(keep.values()), _ascending(drop.values()))


def _ascending(ids: Iterable[int]) -> NDArray[np.int64]:
    return np.array(sorted(set(ids)), dtype=np.int64)


def _source_of(sources: Sequence[PinSource], name: str, what: str) -> str:
    return next(one.label(what) for one in sources if name in (one.ids or ()))


def _sample_ids(
    session: Session, dataset: DatasetRow, sources: Sequence[PinSource], what: str
) -> dict[str, int]:
    """Return the sample of each id.

    Raises:
        UsageError: the data set has no sample of an id.
    """
    found: dict[str, int] = {}
    for source in sources:
        ids = list(source.ids or ())
        storable = [name for name in ids if sanitize(name) == name]
        with session.store.reading() as connection:
            places = samples.find_ids(connection, dataset.id, storable)
        unknown = [name for name in ids if name not in places]
        if unknown and not source.recorded:
            raise UsageError(_unknown(session, dataset, source, unknown, what))
        found |= {name: place[0] for name, place in places.items()}
    return found


def _unknown(
    session: Session, dataset: DatasetRow, source: PinSource, unknown: Sequence[str], what: str
) -> str:
    """Say which ids the data set does not hold, and what may be meant."""
    shown = ", ".join(repr(sanitize(name)[:_LONGEST]) for name in unknown[:_SHOWN])
    more = f" and {len(unknown) - _SHOWN:,} more" if len(unknown) > _SHOWN else ""
    told = (
        f"{source.label(what)}: {dataset.name} holds no "
        f"{'sample' if len(unknown) == 1 else 'samples'} {shown}{more}"
    )
    if source.sql is not None:
        return f"{told}: of several data sets, let the query give dataset and external_id"
    with session.store.reading() as connection:
        ids, _ = samples.ordered_ids(connection, dataset.id)
        some = samples.external_ids(connection, ids[:_PROBED].tolist(), dataset.id)
    if dataset.is_mixture:
        return f"{told}: ids of a mixture are DATASET/ID, as in {next(iter(some.values()), 'a/1')}"
    return f"{told}{did_you_mean(unknown[0], some.values())}"


_PROBED = 2000  # ids among which a similar one is looked for
