"""Brings a data set into the store: its records, their texts, and the images they name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from ig4.core.counts import counted
from ig4.core.engine.ingesting import origin
from ig4.core.engine.ingesting.contents import content_hash
from ig4.core.engine.ingesting.fetched import fetched_now, fetched_since, tell_fetched
from ig4.core.engine.ingesting.files import ImageFileIndex
from ig4.core.engine.ingesting.notices import tell_unreadable
from ig4.core.engine.ingesting.paths import ImageRoots
from ig4.core.engine.ingesting.reader import DatasetReader
from ig4.core.engine.ingesting.result import IngestResult
from ig4.core.engine.ingesting.shards import tell_shards
from ig4.core.files import formats
from ig4.core.files.patterns import is_local_pattern
from ig4.core.files.reading.compressed import DATA_SUFFIXES, data_stem, data_suffix
from ig4.core.files.remote.addresses import (
    folder_of,
    has_glob,
    has_pattern,
    is_address,
    name_of,
)
from ig4.core.files.remote.images import FetchPolicy
from ig4.core.files.remote.places import LocalPlace, Place, opened_place
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

    path: Path | str
    """A path, or an address without credentials (see `ig4.core.files.remote.addresses`)."""
    name: str | None = None
    format: str | None = None
    options: Mapping[str, JSON] = field(default_factory=dict)
    image_root: Path | str | None = None
    duplicates: str = "number"  # or "error"
    replace: bool = False
    """Whether the data set takes the place of another one with its name."""
    fetch_images: FetchPolicy = "none"
    refetch: bool = False
    """Whether images that lie elsewhere are fetched again, whatever the cache has."""


def ingest(session: Session, source: DatasetSource) -> IngestResult:
    """Read a data set into the store, or find that it has not changed since.

    Samples keep their identity by external id: one that changed gets another content (and so
    new scores), one that is gone leaves the data set. Interrupted, it starts reading again
    and changes nothing that was stored right.

    Raises:
        DatasetError: the path is missing, in no known format, or cannot be read.
        UsageError: the name is taken by another data set, or an option is wrong.
    """
    origin.require_names(source.path, source.image_root, source.name)
    before = fetched_now()
    with opened_place(source.path) as place:
        result = _ingest(session, source, place)
    fetched = fetched_since(before)
    tell_fetched(session, fetched)
    return replace(result, fetched=fetched)


@dataclass(frozen=True, slots=True)
class ResolvedSource:
    """A source with what ig4 found out: its name, its format, and where its images may lie.

    `config` is what is recorded of it.
    """

    name: str
    form: Format
    place: Place
    config: dict[str, JSON]
    image_root: str | None
    fetch: FetchPolicy

    @property
    def roots(self) -> ImageRoots:
        """Where images may be read from."""
        return _roots(self.image_root, self.place, self.form, self.fetch)

    def state(self, duplicates: str) -> str:
        """Return what tells the data set, as it is now, from an earlier one."""
        return origin.source_state(self.form, self.place, {**self.config, "duplicates": duplicates})


def resolve_source(session: Session, source: DatasetSource, place: Place) -> ResolvedSource:
    """Find out what a source leaves open; nothing is read but what tells its format.

    Raises:
        DatasetError: it is in no known format.
        UsageError: an option is wrong.
    """
    name, form = formats.resolve(session.host, place.path, source.format, source.options)
    named = Path(place.text) if isinstance(place, LocalPlace) else place.text
    dataset_name = source.name or default_name(session, named)
    image_root = _absolute(source.image_root)
    config: dict[str, JSON] = {
        "path": place.text,
        "format": name,
        "name": dataset_name,
        "options": form.options.model_dump(mode="json"),
        "image_root": image_root,
    }
    if source.fetch_images != "none":
        config["fetch_images"] = source.fetch_images
    return ResolvedSource(dataset_name, form, place, config, image_root, source.fetch_images)


def _ingest(session: Session, source: DatasetSource, place: Place) -> IngestResult:
    found = resolve_source(session, source, place)
    dataset_name, form, config = found.name, found.form, found.config
    with session.recorded("ingest", config):
        roots = found.roots
        origin.refuse_outside(form, place.path, roots)
        tell_shards(session, form, place)
        state = found.state(source.duplicates)
        origin.refuse_mixture(session, dataset_name)
        origin.refuse_name(session, dataset_name)
        if not source.replace:
            origin.refuse_other(session, dataset_name, place.text, state)
        with session.store.reading() as connection:
            known = datasets.find(connection, dataset_name)
        if known is not None and known.source_state == state:
            return _refresh(session, known, roots, refetch=source.refetch)
        reader = DatasetReader(session, form, place, roots, refetch=source.refetch)
        return reader.read(config, state, refuse_duplicates=source.duplicates == "error")


def _absolute(folder: Path | str | None) -> str | None:
    if folder is None:
        return None
    return str(folder if is_address(str(folder)) else Path(folder).absolute())


_GENERIC = frozenset({"filter_cap", "data", "train", "dataset", "annotations"})


def default_name(session: Session, path: Path | str) -> str:
    """Return what a data set at a path or an address is called if nobody names it.

    Commas become underscores, as they join names; a data set that has one in its name keeps it.
    """
    text = str(path)
    if is_address(text) or is_local_pattern(text):
        name = _name_far(text if is_address(text) else str(Path(text).expanduser().absolute()))
    else:
        path = Path(path).expanduser().absolute()
        of_folder = path.name if path.is_dir() else path.parent.name
        name = of_folder if path.is_dir() or path.stem in _GENERIC else path.stem
    if "," not in name:
        return name
    with session.store.reading() as connection:
        known = datasets.find(connection, name)
    return name if known is not None else name.replace(",", "_")


def _name_far(text: str) -> str:
    """Return the name of a file without its ending, or that of the folder above where it says less.

    What has no usual ending is a folder; of a pattern, the folder is what its files share.
    """
    is_far = is_address(text)
    if has_pattern(text) or has_glob(text):
        while has_pattern(text) or has_glob(text):
            text = folder_of(text) if is_far else str(Path(text).parent)
        return (name_of(text) if is_far else Path(text).name) or "shards"
    last = name_of(text) if is_far else Path(text).name
    above = name_of(folder_of(text)) if is_far else Path(text).parent.name
    file = PurePosixPath(last)
    if data_suffix(Path(last)) not in DATA_SUFFIXES:
        return last
    stem = data_stem(Path(file))
    return above if stem in _GENERIC and above else stem


def _refresh(
    session: Session, dataset: DatasetRow, roots: ImageRoots, *, refetch: bool
) -> IngestResult:
    """Check whether images of an unchanged data set changed on disk."""
    session.attach(dataset.id)
    with session.store.writing() as connection:  # a link to a folder may lead elsewhere by now
        datasets.set_image_roots(connection, dataset.id, roots.real)
    index = ImageFileIndex(session, dataset.id, roots, refetch=refetch)
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


def _roots(image_root: str | None, place: Place, form: Format, fetch: FetchPolicy) -> ImageRoots:
    folder = form.image_folder(place.path)
    home = place.origin(str(folder))
    allowed: Path | str | None = image_root
    if image_root is not None and not is_address(image_root):
        allowed = Path(image_root)
    return ImageRoots(home if is_address(home) else Path(home), allowed, fetch)
