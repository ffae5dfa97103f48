"""Takes over what another score database has: by fingerprint of the component, and content."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from ig4.storage import datasets, membership
from ig4.storage.connect import is_sqlite, parse
from ig4.storage.errors import StorageError
from ig4.storage.merging import bindings, keyed, labels, ledger, scores, selections, vectors
from ig4.storage.merging.datasets import match_datasets, match_samples
from ig4.storage.merging.merging import ContentHash, Merging
from ig4.storage.merging.tally import MergeResult
from ig4.storage.schema import (
    Ablation,
    Checkup,
    Clustering,
    Component,
    Content,
    DatasetScorer,
    DatasetSpace,
    Embedding,
    Evaluation,
    Grouping,
    Image,
    InputEmbedding,
    Judgement,
    LlmBatch,
    LlmCall,
    Pin,
    Run,
    Score,
    Selection,
    Training,
)
from ig4.storage.transfer.source import open_source
from ig4.storage.transfer.watching import RowWatcher, unwatched

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection

    from ig4.storage.store import Store

_READ = (
    Component, Content, Image, Run, DatasetScorer, DatasetSpace, Score, Embedding, InputEmbedding,
    LlmBatch, LlmCall, Clustering, Grouping, Selection, Pin,
)  # fmt: skip
_NOT_TAKEN: Mapping[str, type[Any]] = {
    "training": Training, "evaluation": Evaluation, "judgement": Judgement, "ablation": Ablation,
    "checkup": Checkup,
}  # fmt: skip
_BY_SAMPLE = (Clustering, Grouping, Selection, Pin)
"""What refers to single samples."""


def check_source(store: URL, other: str | Path) -> int:
    """Return how many rows a merge would read of another database.

    Raises:
        StorageError: it is this database, cannot be read, is of another version of ig4, or its
            vectors lie in a folder that this machine does not see.
    """
    url = parse(other)
    if _place(url) == _place(store):
        raise StorageError(
            f"{other} is the database itself: name another one, or the one to merge into with --db."
        )
    with open_source(other) as source:
        source.vectors.require_there(source.connection)
        return sum(_count(source.connection, model) for model in _READ)


def _place(url: URL) -> tuple[Any, ...]:
    if is_sqlite(url):
        return ("sqlite", os.path.realpath(url.database or ""))
    return (url.host, url.port, url.database, tuple(sorted(url.query.items())))


def _count(connection: Connection, model: type[Any]) -> int:
    return int(connection.scalar(select(func.count()).select_from(model)) or 0)


def merge(
    store: Store,
    other: str | Path,
    *,
    take_datasets: bool = False,
    dry_run: bool = False,
    watch: RowWatcher = unwatched,
    content_hash: ContentHash | None = None,
) -> MergeResult:
    """Take over the results of another database, which is only read.

    Rows are added a chunk at a time, a transaction each, in an order in which what they refer to
    is there; so a merge that was interrupted is completed by the next, and a second one changes
    nothing. What is here stays, unless it is a failure and there is a value in its place. With
    `content_hash`, samples whose texts and images are not those of their content are left out.

    Raises:
        StorageError: the other database cannot be read, is of another version of ig4, or this one
            cannot be written; the folder of vector files of either is not seen by this machine.
    """
    check_source(store.engine.url, other)
    with store.reading() as connection:
        store.vectors.require_there(connection)
    with open_source(other) as source:
        result = MergeResult(source.location, dry_run)
        merging = Merging(store, source, result, dry_run, take_datasets, watch, content_hash)
        if source.note:
            result.notes.append(source.note)
        _take_all(merging)
        _tell_damage(merging)
        _tell_not_taken(merging)
    return result


def _take_all(merging: Merging) -> None:
    keyed.take_components(merging)
    keyed.take_contents(merging)
    keyed.take_images(merging)
    keyed.take_runs(merging)
    match_datasets(merging)
    ledger.take_ledger(merging)
    scores.take_scores(merging)
    vectors.take_vectors(merging)
    vectors.take_vector_files(merging)
    bindings.take_names(merging)
    _match_samples(merging)
    labels.take_clusterings(merging)
    labels.take_groupings(merging)
    newest = _newest(merging.store)
    selections.take_selections(merging)
    _tell_newest(merging, newest)
    selections.take_pins(merging)


def _match_samples(merging: Merging) -> None:
    """Find the samples here of those data sets that anything refers to by sample."""
    source = merging.source.connection
    used = {
        number
        for model in _BY_SAMPLE
        for number in source.scalars(select(model.dataset_id).distinct())
    }
    taken = {name for name, told in merging.result.datasets.items() if "taken over" in told}
    parts = {part for number in used for part in membership.owners(source, number)}
    for row in datasets.list_all(source):
        if row.id in parts and row.name not in taken and merging.datasets.get(row.id) is not None:
            match_samples(merging, row.id)


def _newest(store: Store) -> int | None:
    with store.reading() as connection:
        return connection.scalar(select(func.max(Selection.id)))


def _tell_newest(merging: Merging, before: int | None) -> None:
    """Say that a selection that was taken over is the last one now."""
    after = _newest(merging.store)
    if before is not None and after is not None and after > before:
        merging.result.notes.append(
            f"the last selection is one that was taken over now ({after}): name the one you mean "
            "where a command takes a selection (`ig4 selections` lists them)"
        )


def _tell_damage(merging: Merging) -> None:
    damaged = merging.result.total("damaged")
    if damaged:
        merging.result.notes.append(
            f"{_counted(damaged, 'row')} of {merging.source.location} are not what was stored, and "
            f"were not taken over: `ig4 db check --db {merging.source.location}` tells more"
        )


def _tell_not_taken(merging: Merging) -> None:
    counts: Sequence[tuple[str, int]] = [
        (name, _count(merging.source.connection, model)) for name, model in _NOT_TAKEN.items()
    ]
    told = ", ".join(_counted(count, name) for name, count in counts if count)
    if told:
        merging.result.notes.append(
            f"not taken over, as these belong to the machine that made them: {told}"
        )


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
