"""Finds the data sets that both databases have, and takes over those that are not here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy import func, select, update

from ig4.storage import datasets, membership, samples
from ig4.storage.bulk import in_values
from ig4.storage.copying.places import ImagePlaces
from ig4.storage.errors import StorageError
from ig4.storage.merging.idmaps import IdMap
from ig4.storage.merging.merging import Merging, columns, in_order
from ig4.storage.schema import Dataset, ImageFile, Run, Sample, SampleImage
from ig4.storage.transfer.folders import copy_file
from ig4.storage.transfer.upserting import add_rows, reserve_ids

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from sqlalchemy import Connection

    from ig4.storage.datasets import DatasetRow


def match_datasets(merging: Merging) -> None:
    """Find out which data set here each one there is, and take over the others if asked to.

    It is the same where all samples have the same contents in the same order, whatever it is
    called; or where one here has its name and shares contents with it. Mixtures are the same
    where all their members are.
    """
    there = datasets.list_all(merging.source.connection)
    with merging.store.reading() as connection:
        here = datasets.list_all(connection)
        order_of = {row.id: _order(connection, row) for row in here if not row.is_mixture}
    for row in (one for one in there if not one.is_mixture):
        order = merging.contents.array(_order(merging.source.connection, row))
        same = _same(row, order, here, order_of)
        if same is not None:
            merging.datasets.put([row.id], [same.id])
            merging.result.datasets[row.name] = same.name
            if not _mostly_shared(order_of[same.id], order):
                merging.unlike.add(same.id)
            merging.result.of("datasets").equal += 1
        else:
            _take_or_tell(merging, row, {one.name for one in here})
    for row in (one for one in there if one.is_mixture):
        _match_mixture(merging, row)
    _give_runs_their_datasets(merging)


def _order(connection: Connection, row: DatasetRow) -> NDArray[np.int64]:
    """Return the contents (n,) of the samples of a data set, in their order."""
    return samples.ordered_ids(connection, row.id)[1]


def _same(
    row: DatasetRow,
    order: NDArray[np.int64],
    here: Sequence[DatasetRow],
    order_of: Mapping[int, NDArray[np.int64]],
) -> DatasetRow | None:
    alike = [
        one
        for one in here
        if one.id in order_of and len(order) and np.array_equal(order_of[one.id], order)
    ]
    named = [one for one in here if one.name == row.name and one.id in order_of]
    if named and (named[0] in alike or len(np.intersect1d(order_of[named[0].id], order))):
        return named[0]
    return alike[0] if alike else None


def _mostly_shared(here: NDArray[np.int64], there: NDArray[np.int64]) -> bool:
    """Tell whether most of the contents of each of two data sets are in the other, too."""
    own, other = np.unique(here), np.unique(there)
    shared = len(np.intersect1d(own, other, assume_unique=True))
    return 2 * shared > max(len(own), len(other))


def _take_or_tell(merging: Merging, row: DatasetRow, names: set[str]) -> None:
    tally = merging.result.of("datasets")
    if row.name in names:
        why = "left out: another data set here has its name"
    elif not merging.take_datasets:
        why = "left out: it is not here (--datasets takes it over)"
    else:
        tally.taken += 1
        merging.result.datasets[row.name] = f"{row.name} (taken over)"
        if merging.dry_run:
            _foresee(merging, row)
        else:
            _take(merging, row)
        return
    tally.left_out += 1
    merging.result.datasets[row.name] = why


def _foresee(merging: Merging, row: DatasetRow) -> None:
    """Count the samples of a data set that would be taken over."""
    merging.datasets.unseen([row.id])
    mine = f"dataset_id = {row.id}"
    links = f"sample_id IN (SELECT id FROM samples WHERE {mine})"
    for rows in merging.rows(ImageFile, where=mine):
        merging.result.of("image_files").taken += len(rows)
    damaged = 0
    for rows in merging.rows(Sample, where=mine):
        sound = _sound_samples(merging, rows)
        damaged += len(rows) - len(sound)
        merging.result.of("samples").taken += len(sound)
        merging.samples.unseen([one["id"] for one in sound])
    for rows in merging.rows(SampleImage, where=links):
        whole = [one for one in rows if merging.samples.get(one["sample_id"]) is not None]
        merging.result.of("sample_images").taken += len(whole)
    _tell_damaged(merging, row, damaged)


def _take(merging: Merging, row: DatasetRow) -> None:
    """Take over a data set with its samples and images, in one transaction."""
    mine = f"dataset_id = {row.id}"
    with merging.store.writing() as connection:
        whole = next(merging.rows(Dataset, where=f"id = {row.id}"))[0]
        number = _add(connection, merging, Dataset, [whole], IdMap(), {})[0]
        merging.datasets.put([row.id], [number])
        own = {"dataset_id": number}
        files, linked, gone, damaged = IdMap(), 0, 0, 0
        places = ImagePlaces(merging.source.image_folder, merging.store.image_folder)
        for rows in merging.rows(ImageFile, where=mine):
            gone += _bring_images(merging, rows, places)
            for one in rows:
                one["image_id"] = merging.images.get(one["image_id"])
            placed = [
                dict(zip(columns(ImageFile), values, strict=True))
                for values in places.moved(in_order(columns(ImageFile), rows))
            ]
            _add(connection, merging, ImageFile, placed, files, own)
        for stored in merging.rows(Sample, where=mine):
            rows = _sound_samples(merging, stored)
            damaged += len(stored) - len(rows)
            for one in rows:
                one["content_id"] = merging.contents.get(one["content_id"])
                one["run_id"] = merging.runs.get(one["run_id"])
            _add(connection, merging, Sample, rows, merging.samples, own)
        links = f"sample_id IN (SELECT id FROM samples WHERE {mine})"
        names = columns(SampleImage)
        for stored in merging.rows(SampleImage, where=links):
            rows = [one for one in stored if merging.samples.get(one["sample_id"]) is not None]
            for one in rows:
                one["sample_id"] = merging.samples.get(one["sample_id"])
                one["file_id"] = files.get(one["file_id"])
            linked += add_rows(connection, "sample_images", names, in_order(names, rows))
        if damaged:  # the next time, `ig4 ingest` reads all of it
            unread = update(Dataset).where(Dataset.id == number).values(source_state=None)
            connection.execute(unread)
    _tell_damaged(merging, row, damaged)
    merging.result.of("sample_images").taken += linked
    if gone:
        merging.result.notes.append(
            f"{gone:,} of the images that {row.name} contains are not in {places.source}, and were "
            "not copied: `ig4 ingest` of the data set puts them beside this database"
        )


def _sound_samples(merging: Merging, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the samples that hold what their content says, and count the others.

    As `ig4 db check` does; those that were removed from the data set are nobody's to look at.
    """
    if merging.content_hash is None:
        return rows
    source = merging.source.connection
    current = [one["id"] for one in rows if one["ordinal"] is not None]
    known = datasets.content_hashes(source, [one["content_id"] for one in rows])
    damaged = {
        one.id
        for one in samples.by_id(source, current)
        if merging.content_hash(one) != known.get(one.content_id)
    }
    merging.result.of("samples").damaged += len(damaged)
    return [one for one in rows if one["id"] not in damaged]


def _tell_damaged(merging: Merging, row: DatasetRow, damaged: int) -> None:
    if damaged:
        merging.result.notes.append(
            f"{damaged:,} of the samples of {row.name} do not hold the texts and images that were "
            f"scored, and were left out: `ig4 ingest {row.path} --name {row.name}` reads them again"
        )


def _add(
    connection: Connection,
    merging: Merging,
    model: Any,
    rows: Sequence[dict[str, Any]],
    ids: IdMap,
    own: Mapping[str, Any],
) -> list[int]:
    """Add rows that are in nobody's way, under their ids there if these are free; returns ids."""
    if not rows:
        return []
    table = model.__tablename__
    there = [row["id"] for row in rows]
    if reserve_ids(connection, table, there[0], there[-1]):
        here = there
    else:
        first = _next_id(connection, table, len(rows))
        here = list(range(first, first + len(rows)))
    names = columns(model)
    values = [{**row, **own, "id": number} for row, number in zip(rows, here, strict=True)]
    if add_rows(connection, table, names, in_order(names, values)) != len(rows):
        raise StorageError(
            "Another process took over the same data set at the same time: run the same command "
            "again when it has ended."
        )
    ids.put(there, here)
    if model is not Dataset:
        merging.result.of(table).taken += len(rows)
    return here


def _next_id(connection: Connection, table: str, count: int) -> int:
    """Return the first of so many ids that nobody has, with the table locked for them."""
    model: Any = {"samples": Sample, "image_files": ImageFile, "datasets": Dataset}[table]
    highest = int(connection.scalar(select(func.max(model.id))) or 0)
    first = highest + 1
    while not reserve_ids(connection, table, first, first + count - 1):
        first += count  # ids that were given out, and are no row's
    return first


def _bring_images(merging: Merging, rows: Sequence[Mapping[str, Any]], places: ImagePlaces) -> int:
    """Copy images that a data set contains to the folder here; returns how many are not there."""
    gone = 0
    for row in rows:
        if not row["embedded"] or row["path"] is None:
            continue
        source, target = Path(row["path"]), Path(places.place(row["path"]) or "")
        if source == target:
            continue
        copied = copy_file(source, target)
        gone += copied is None
        merging.result.files += bool(copied)
        merging.result.file_bytes += copied or 0
    return gone


def _match_mixture(merging: Merging, row: DatasetRow) -> None:
    """Find a mixture of the same members here, or make one where all members are here."""
    parts = membership.owners(merging.source.connection, row.id)
    ids = [merging.datasets.get(one) for one in parts]
    tally = merging.result.of("datasets")
    if None in ids or not membership.members(merging.source.connection, row.id):
        tally.left_out += 1
        merging.result.datasets[row.name] = "left out: not all of its data sets are here"
        return
    with merging.store.reading() as connection:
        known = membership.member_ids(connection)
        rows = {one.id: one.name for one in datasets.list_all(connection)}
    same = next((number for number, own in known.items() if own == ids), None)
    if same is not None:
        tally.equal += 1
        merging.datasets.put([row.id], [same])
        merging.result.datasets[row.name] = rows[same]
    elif row.name in rows.values():
        tally.left_out += 1
        merging.result.datasets[row.name] = "left out: another data set here has its name"
    else:
        tally.taken += 1
        merging.result.datasets[row.name] = f"{row.name} (taken over)"
        if merging.dry_run:
            merging.datasets.unseen([row.id])
            return
        members = [membership.Member(int(one or 0), rows[int(one or 0)]) for one in ids]
        with merging.store.writing() as connection:
            number = membership.put(connection, row.name, members)
        merging.datasets.put([row.id], [number])


def _give_runs_their_datasets(merging: Merging) -> None:
    """Record which data set the runs that were taken over worked on."""
    if merging.dry_run:
        return
    source = merging.source.connection
    rows = source.execute(select(Run.id, Run.dataset_id).where(Run.dataset_id.is_not(None))).all()
    by_dataset: dict[int, list[int]] = {}
    for run, dataset in rows:
        here, own = merging.datasets.get(dataset), merging.runs.get(run)
        if here is not None and own is not None:
            by_dataset.setdefault(here, []).append(own)
    with merging.store.writing() as connection:
        for dataset, runs in by_dataset.items():
            mine = in_values(connection, Run.id, runs)
            connection.execute(
                update(Run).where(mine, Run.dataset_id.is_(None)).values(dataset_id=dataset)
            )


def match_samples(merging: Merging, dataset: int) -> None:
    """Find the samples of a data set here: those with the same id and the same content."""
    here = merging.datasets.get(dataset)
    for row in merging.rows(Sample, where=f"dataset_id = {dataset}"):
        ids = [one["external_id"] for one in row]
        with merging.store.reading() as connection:
            known = {
                external: (number, content)
                for number, external, content in connection.execute(
                    select(Sample.id, Sample.external_id, Sample.content_id).where(
                        Sample.dataset_id == here, in_values(connection, Sample.external_id, ids)
                    )
                )
            }
        pairs = [
            (one["id"], known[one["external_id"]][0])
            for one in row
            if one["external_id"] in known
            and known[one["external_id"]][1] == merging.contents.get(one["content_id"])
        ]
        merging.samples.put([there for there, _ in pairs], [own for _, own in pairs])
