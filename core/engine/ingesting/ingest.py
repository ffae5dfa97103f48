"""Brings a data set into the store: its records, their texts, and the images they name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ig4.core.counts import counted
from ig4.core.engine.ingesting import origin
from ig4.core.engine.ingesting.contents import content_hash
from ig4.core.engine.ingesting.files import ImageFileIndex
from ig4.core.engine.ingesting.notices import tell_unreadable
from ig4.core.engine.ingesting.paths import ImageRoots
from ig4.core.engine.ingesting.reader import DatasetReader
from ig4.core.engine.ingesting.result import IngestResult
from ig4.core.engine.ingesting.shards import tell_shards
from ig4.core.files import formats
from ig4.core.records import JSON
from ig4.storage import datasets, samples
from ig4.storage.datasets import DatasetRow

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from ig4.core.contracts import Format
    from ig4.core.engine.session import Session


@dataclass(frozen=True, slots=True)
class DatasetSource:
    """A data set to ingest, as the user describes it; ig4 finds out what is None."""

    path: Path
    name: str | None = None
    format: str | None = None
    options: Mapping[str, JSON] = field(default_factory=dict)
    image_root: Path | None = None
    duplicates: str = "number"  # or "error"
    replace: bool = False
    """Whether the data set takes the place of another one with its name."""


def ingest(session: Session, source: DatasetSource) -> IngestResult:
    """Read a data set into the store, or find that it has not changed since.

    Samples keep their identity by external id: one that changed gets another content (and so
    new scores), one that is gone leaves the data set. Interrupted, it starts reading again
    and changes nothing that was stored right.

    Raises:
        DatasetError: the path is missing, in no known format, or cannot be read.
        UsageError: the name is taken by another data set, or an option is wrong.
    """
    path = source.path.expanduser().absolute()
    origin.require_names(path, source.image_root, source.name)
    name, form = formats.resolve(session.host, path, source.format, source.options)
    dataset_name = source.name or default_name(session, path)
    image_root = str(source.image_root.absolute()) if source.image_root else None
    config = {
        "path": str(path),
        "format": name,
        "name": dataset_name,
        "options": form.options.model_dump(mode="json"),
        "image_root": image_root,
    }
    with session.recorded("ingest", config):
        roots = _roots(image_root, path, form)
        origin.refuse_outside(form, path, roots)
        tell_shards(session, form, path)
        state = origin.source_state(form, path, {**config, "duplicates": source.duplicates})
        origin.refuse_mixture(session, dataset_name)
        origin.refuse_name(session, dataset_name)
        if not source.replace:
            origin.refuse_other(session, dataset_name, path, state)
        with session.store.reading() as connection:
            known = datasets.find(connection, dataset_name)
        if known is not None and known.source_state == state:
            return _refresh(session, known, form)
        reader = DatasetReader(session, form, path, roots)
        return reader.read(config, state, refuse_duplicates=source.duplicates == "error")


def default_name(session: Session, path: Path) -> str:
    """Return what a data set at a path is called if nobody names it.

    Commas become underscores, as they join names; a data set that has one in its name keeps it.
    """
    path = path.expanduser().absolute()
    generic = {"filter_cap", "data", "train", "dataset", "annotations"}
    of_folder = path.name if path.is_dir() else path.parent.name
    name = of_folder if path.is_dir() or path.stem in generic else path.stem
    if "," not in name:
        return name
    with session.store.reading() as connection:
        known = datasets.find(connection, name)
    return name if known is not None else name.replace(",", "_")


def _refresh(session: Session, dataset: DatasetRow, form: Format) -> IngestResult:
    """Check whether images of an unchanged data set changed on disk."""
    session.attach(dataset.id)
    roots = _roots(dataset.image_root, Path(dataset.path), form)
    with session.store.writing() as connection:  # a link to a folder may lead elsewhere by now
        datasets.set_image_roots(connection, dataset.id, roots.real)
    index = ImageFileIndex(session, dataset.id, roots)
    changed = index.refresh(_rehash)
    with session.store.reading() as connection:
        count = datasets.count_samples(connection, dataset.id)
        problems = samples.problems(connection, dataset.id)
        unreadable = datasets.count_unreadable_files(connection, dataset.id)
    if changed:
        session.notice(f"{counted(changed, 'image')} of {dataset.name} changed: what shows them is "
                       "scored anew")  # fmt: skip
    tell_unreadable(session, index.unreadable)
    return IngestResult(
        dataset, 0, count, 0, changed, problems, unchanged=True, unreadable_images=unreadable
    )


def _rehash(connection: Connection, file_ids: Sequence[int]) -> None:
    """Give the samples that show image files the content they have now."""
    rows = samples.by_id(connection, datasets.samples_of_files(connection, file_ids))
    hashes = {row.id: content_hash(row) for row in rows}
    ids = datasets.content_ids(connection, list(hashes.values()))
    datasets.set_contents(connection, {sample: ids[value] for sample, value in hashes.items()})


def _roots(image_root: str | None, path: Path, form: Format) -> ImageRoots:
    return ImageRoots(form.image_folder(path), Path(image_root) if image_root else None)
