"""Takes over what is known by a name of its own: contents, images, components, runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from ig4.storage.bulk import in_values, update_rows
from ig4.storage.integrity.seals import seal
from ig4.storage.merging.idmaps import IdMap
from ig4.storage.merging.merging import Merging, columns, in_order
from ig4.storage.schema import Component, Content, Image, Run
from ig4.storage.transfer.rows import read_rows
from ig4.storage.transfer.upserting import HIGHEST_ID, add_rows, reserve_ids
from ig4.storage.views import lock_schema

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from ig4.storage.schema import Base


def take_contents(merging: Merging) -> None:
    """Take over the hashes of contents, which scores belong to."""
    for rows in merging.rows(Content):
        _take(merging, Content, "hash", rows, merging.contents)


def take_images(merging: Merging) -> None:
    """Take over images by their sha256, and sizes that are not known here."""
    for rows in merging.rows(Image):
        _take(merging, Image, "sha256", rows, merging.images)
        _take_sizes(merging, rows)


def take_components(merging: Merging) -> None:
    """Take over components by their fingerprints."""
    for rows in merging.rows(Component):
        sound = merging.sound(Component, rows)
        _take(merging, Component, "fingerprint", sound, merging.components)


def _take(
    merging: Merging, model: Any, key: str, rows: Sequence[Mapping[str, Any]], ids: IdMap
) -> None:
    if not rows:
        return
    with merging.store.reading() as connection:
        known = _find(connection, model, key, rows)
    missing = [row for row in rows if row[key] not in known]
    tally = merging.result.of(model.__tablename__)
    tally.equal += len(rows) - len(missing)
    tally.taken += len(missing)
    if missing and merging.dry_run:
        unseen = ids.unseen([row["id"] for row in missing])
        known |= {row[key]: one for row, one in zip(missing, unseen, strict=True)}
    elif missing:
        with merging.store.writing() as connection:
            if _add(connection, model, missing):
                known |= {row[key]: row["id"] for row in missing}
            else:
                known |= _ids(connection, model, key, [row[key] for row in missing])
    ids.put([row["id"] for row in rows], [known[row[key]] for row in rows])


def _find(
    connection: Connection, model: Any, key: str, rows: Sequence[Mapping[str, Any]]
) -> dict[str, int]:
    """Return the ids here by key; first of those that have the id that they have there."""
    numbers = [row["id"] for row in rows]
    column = getattr(model, key)
    alike: dict[int, str] = dict(
        connection.execute(
            select(model.id, column).where(
                model.id.between(*(min(one, HIGHEST_ID) for one in (min(numbers), max(numbers))))
            )
        ).all()
    )
    found = {row[key]: row["id"] for row in rows if alike.get(row["id"]) == row[key]}
    others = [row[key] for row in rows if row[key] not in found]
    return found | _ids(connection, model, key, others)


def _ids(connection: Connection, model: Any, key: str, values: Sequence[str]) -> dict[str, int]:
    if not values:
        return {}
    column = getattr(model, key)
    rows = connection.execute(select(column, model.id).where(in_values(connection, column, values)))
    return dict(rows.all())


def _add(connection: Connection, model: type[Base], rows: Sequence[Mapping[str, Any]]) -> bool:
    """Add rows, under the ids that they have there where these are free beyond the last.

    Tells whether all got these: another process may have added some of them in the meantime.
    """
    table = model.__tablename__
    kept = reserve_ids(connection, table, rows[0]["id"], rows[-1]["id"])
    names = columns(model, without=() if kept else ("id",))
    added = add_rows(connection, table, names, in_order(names, [dict(row) for row in rows]))
    if model is Component:  # the checksum covers the id
        prints = [row["fingerprint"] for row in rows]
        seal(connection, Component, in_values(connection, Component.fingerprint, prints))
    return kept and added == len(rows)


_SIZES = ("width", "height", "format")


def _take_sizes(merging: Merging, rows: Sequence[Mapping[str, Any]]) -> None:
    """Take over the sizes of images that an older ig4 has not looked into here."""
    known = {merging.images.get(row["id"]): row for row in rows if row["width"] is not None}
    with merging.store.reading() as connection:
        bare = connection.scalars(
            select(Image.id).where(
                Image.width.is_(None), in_values(connection, Image.id, list(known))
            )
        ).all()
    if not bare:
        return
    merging.result.of("images").replaced += len(bare)
    merging.result.of("images").equal -= len(bare)
    if not merging.dry_run:
        values = [(number, *(known[number][name] for name in _SIZES)) for number in bare]
        with merging.store.writing() as connection:
            update_rows(connection, Image, "id", _SIZES, values)


_SAME_RUN = ("command", "started_at", "host", "pid", "process_started")
_OUTCOME = ("status", "summary", "finished_at")


def take_runs(merging: Merging) -> None:
    """Take over the records of runs, which tell where results come from.

    A run is known by its command, process and start. One that was at work when it was taken over
    gets its outcome when it is taken over again.
    """
    with merging.store.reading() as connection:
        known = _known_runs(connection)
    names = columns(Run, without=("id", "dataset_id"))
    tally = merging.result.of("runs")
    for rows in merging.rows(Run):
        fresh = []
        for row in rows:
            found = known.get(_identity(row))
            if found is None:
                fresh.append(row)
                continue
            merging.runs.put([row["id"]], [found["id"]])
            ended = found["status"] in ("running", "killed") and row["status"] != found["status"]
            better = ended and row["status"] != "running"
            tally.replaced += better
            tally.equal += not better
            if better and not merging.dry_run:
                _set_outcome(merging, found["id"], row)
        tally.taken += len(fresh)
        if merging.dry_run:
            merging.runs.unseen([row["id"] for row in fresh])
        elif fresh:
            with merging.store.writing() as connection:
                lock_schema(connection)  # another merge may be taking them over
                known = _known_runs(connection)
                fresh_here = [row for row in fresh if _identity(row) not in known]
                add_rows(connection, "runs", names, in_order(names, fresh_here))
                known = _known_runs(connection)
            here = [known[_identity(row)]["id"] for row in fresh]
            merging.runs.put([row["id"] for row in fresh], here)


def _identity(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(row[name] for name in _SAME_RUN)


def _known_runs(connection: Connection) -> dict[tuple[Any, ...], dict[str, Any]]:
    table: Any = Run.__table__
    names = [column.name for column in table.columns]
    kept = ("id", "status", *_SAME_RUN)
    known: dict[tuple[Any, ...], dict[str, Any]] = {}
    for rows in read_rows(connection, table):
        for values in rows:
            row = dict(zip(names, values, strict=True))
            known[_identity(row)] = {name: row[name] for name in kept}
    return known


def _set_outcome(merging: Merging, run_id: int, row: Mapping[str, Any]) -> None:
    with merging.store.writing() as connection:
        time = row["finished_at"]
        if connection.dialect.name != "sqlite" and time is not None:
            time += "+00"
        update_rows(
            connection, Run, "id", _OUTCOME, [(run_id, row["status"], row["summary"], time)]
        )
