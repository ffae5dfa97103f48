"""Takes over selections, their names, and pins, of data sets that both databases have."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import select, update

from ig4.storage import selectedscores, selectionnames, selections
from ig4.storage.bulk import in_values
from ig4.storage.integrity.seals import is_sound, seal
from ig4.storage.merging.merging import Merging, columns, in_order, sealed
from ig4.storage.schema import (
    Component,
    Pin,
    SelectedSample,
    Selection,
    SelectionName,
    SelectionReport,
)
from ig4.storage.selectedscores import SelectionColumn
from ig4.storage.selections import SelectionItem
from ig4.storage.subsets import OWN, SUBSETS
from ig4.storage.transfer.rows import read_rows
from ig4.storage.transfer.upserting import add_rows
from ig4.storage.views import lock_schema

if TYPE_CHECKING:
    from sqlalchemy import Connection


def take_selections(merging: Merging) -> None:
    """Take over selections all of whose samples are here, with what they are told with.

    The subsets that weights are learned from are not: they belong to trainings.
    """
    tally = merging.result.of("selections")
    subsets = set(
        merging.source.connection.scalars(
            select(Component.id).where(
                Component.kind == "selector",
                Component.name == SUBSETS,
                Component.distribution == OWN,
            )
        )
    )
    for rows in merging.rows(Selection):
        sound = merging.sound(Selection, rows)
        for row in sound:
            dataset = merging.datasets.get(row["dataset_id"])
            if dataset is None or row["component_id"] in subsets:
                tally.left_out += 1
                continue
            _take(merging, {**row, "dataset_id": dataset})


def _take(merging: Merging, row: Mapping[str, Any]) -> None:
    tally = merging.result.of("selections")
    with merging.store.reading() as connection:
        known = _known(connection, row)
    if known is not None:
        tally.equal += 1
        _take_name(merging, row, known)
        return
    source = merging.source.connection
    if not _is_whole(source, row):
        tally.damaged += 1
        return
    items = _items(merging, row["id"])
    scores = _scores(merging, row["id"])
    if items is None or scores is None or merging.components.get(row["component_id"]) is None:
        tally.left_out += 1
        return
    tally.taken += 1
    merging.result.of("selected_samples").taken += len(items)
    number = None
    if not merging.dry_run:
        with merging.store.writing() as connection:
            lock_schema(connection)  # another merge may be taking it over
            number = _known(connection, row)
            if number is None:
                number = _put(connection, merging, row, items, scores)
    _take_name(merging, row, number)


def _known(connection: Connection, row: Mapping[str, Any]) -> int | None:
    """Return the selection here that was taken over before, or is the same."""
    names = columns(Selection)
    ids = connection.scalars(
        select(Selection.id).where(
            Selection.dataset_id == row["dataset_id"], Selection.digest == row["digest"]
        )
    ).all()
    for number in ids:
        stored = next(read_rows(connection, _table(Selection), where=f"id = {number}"))[0]
        if dict(zip(names, stored, strict=True))["created_at"] == row["created_at"]:
            return number
    return None


def _table(model: Any) -> Any:
    return model.__table__


def _is_whole(source: Connection, row: Mapping[str, Any]) -> bool:
    """Tell whether the samples and scores of a selection there are what was stored."""
    number, crc = row["id"], row["samples_crc"]
    if crc is not None and selections.stored_checksum(source, number) != crc:
        return False
    return all(
        selectedscores.stored_checksum(source, number, position) == stored
        for position, stored in selectedscores.checksums(source, number)
    )


def _items(merging: Merging, selection: int) -> list[SelectionItem] | None:
    """Return the samples of a selection by the ids of this database; None if one is not here."""
    found = []
    rows = merging.source.connection.execute(
        select(
            SelectedSample.sample_id, SelectedSample.content_id, SelectedSample.rank,
            SelectedSample.cluster, SelectedSample.final_score, SelectedSample.quota,
        )
        .where(SelectedSample.selection_id == selection)
        .order_by(SelectedSample.rank)
    )  # fmt: skip
    for sample, content, rank, cluster, score, quota in rows:
        own, own_content = merging.samples.get(sample), merging.contents.get(content)
        if own is None or own_content is None:
            return None
        found.append(SelectionItem(own, own_content, "", rank, cluster, score, quota))
    return found


def _scores(merging: Merging, selection: int) -> list[SelectionColumn] | None:
    columns_ = []
    for one in selectedscores.read(merging.source.connection, selection):
        component = merging.components.get(one.component_id)
        if component is None:
            return None
        columns_.append(SelectionColumn(one.name, component, one.values, one.percents))
    return columns_


def _put(
    connection: Connection,
    merging: Merging,
    row: Mapping[str, Any],
    items: Sequence[SelectionItem],
    scores: Sequence[SelectionColumn],
) -> int:
    number = selections.put(
        connection,
        dataset_id=row["dataset_id"],
        component_id=int(merging.components.get(row["component_id"]) or 0),
        clustering_id=merging.clusterings.get(row["clustering_id"]),
        config=json.loads(row["config"]),
        digest=row["digest"],
        run_id=merging.runs.get(row["run_id"]),
        items=items,
        scores=scores,
    )
    _set_time(connection, number, row["created_at"])
    name, report = selections.report(merging.source.connection, row["id"])
    if _has_report(merging, row["id"]):
        selections.put_report(connection, number, name, report)
    return number


def _has_report(merging: Merging, selection: int) -> bool:
    rows = merging.rows(SelectionReport, where=f"selection_id = {selection}")
    return any(is_sound(SelectionReport, row) for part in rows for row in part)


def _set_time(connection: Connection, selection: int, created_at: str) -> None:
    """Give a selection the time that it was made at, as it is stored there."""
    time = datetime.fromisoformat(created_at).replace(tzinfo=UTC)
    here = Selection.id == selection
    connection.execute(update(Selection).where(here).values(created_at=time))
    seal(connection, Selection, here)


def _take_name(merging: Merging, row: Mapping[str, Any], selection: int | None) -> None:
    """Take over the name of a selection, unless it has one, or the name is another's."""
    named = next(merging.rows(SelectionName, where=f"selection_id = {row['id']}"), [])
    if not named or not is_sound(SelectionName, named[0]):
        return
    name, note = named[0]["name"], named[0]["note"]
    tally = merging.result.of("selection_names")
    with merging.store.reading() as connection:
        holders = selectionnames.find(connection, name, row["dataset_id"])
        own = None
        if selection is not None:
            mine = SelectionName.selection_id == selection
            own = connection.scalar(select(SelectionName.name).where(mine))
    if own == name:
        tally.equal += 1
    elif holders or own is not None:
        merging.conflict(SelectionName, f"selection {name}: another one is called so here, or it "
                         "has another name")  # fmt: skip
    else:
        tally.taken += 1
        if not merging.dry_run and selection is not None:
            with merging.store.writing() as connection:
                selectionnames.put(connection, selection, name, note)


_PIN = ("dataset_id", "sample_id")


def take_pins(merging: Merging) -> None:
    """Take over pins of samples that have none here."""
    names = columns(Pin)
    tally = merging.result.of("pins")
    for rows in merging.rows(Pin):
        sound = merging.sound(Pin, rows)
        mapped = [
            {**row, "dataset_id": dataset, "sample_id": sample}
            for row in sound
            if (dataset := merging.datasets.get(row["dataset_id"])) is not None
            and (sample := merging.samples.get(row["sample_id"])) is not None
        ]
        tally.left_out += len(sound) - len(mapped)
        with merging.store.reading() as connection:
            ids = [row["sample_id"] for row in mapped]
            known = {
                (dataset, sample): (keep, note)
                for dataset, sample, keep, note in connection.execute(
                    select(Pin.dataset_id, Pin.sample_id, Pin.keep, Pin.note).where(
                        in_values(connection, Pin.sample_id, ids)
                    )
                )
            }
        fresh = []
        for row in mapped:
            here = known.get((row["dataset_id"], row["sample_id"]))
            if here is None:
                fresh.append(row)
            elif here == (bool(row["keep"]), row["note"]):
                tally.equal += 1
            else:
                tally.conflicts += 1
        tally.taken += len(fresh)
        if fresh and not merging.dry_run:
            with merging.store.writing() as connection:
                own = [sealed(Pin, row) for row in fresh]
                add_rows(connection, "pins", names, in_order(names, own), key=_PIN)
