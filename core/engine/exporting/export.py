"""The export stage: writes a selection, or everything, as a data set of some format."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, cast

from ig4.core.counts import counted, verb
from ig4.core.engine.exporting.ahead import ImageFetcher
from ig4.core.engine.exporting.card import WrittenExport, data_card
from ig4.core.engine.exporting.cards import CARD, CardPart, card_text, with_earlier
from ig4.core.engine.exporting.description import WrittenKeys, write_description
from ig4.core.engine.exporting.endings import format_of_target
from ig4.core.engine.exporting.extras import export_extras
from ig4.core.engine.exporting.images import ImagePlacement, ImagePlacer, entry_of
from ig4.core.engine.exporting.records import STAGE, ExportRecords
from ig4.core.engine.exporting.sources import sources_of
from ig4.core.engine.exporting.stubs import DATA, write_stub
from ig4.core.engine.mixtures import member_rows, tell_shared
from ig4.core.engine.selections import finding
from ig4.core.errors import DatasetError, PluginError, UsageError
from ig4.core.events import StageFinished, StageStarted
from ig4.core.files.patterns import is_local_pattern, local_files
from ig4.core.files.remote.addresses import is_address
from ig4.core.files.writing.staging import check_target, named, staged
from ig4.core.files.writing.written import refuse_link
from ig4.core.records import JSON, Choice
from ig4.core.views.tabular import ResultTable, TabularResult
from ig4.storage import datasets, selections

if TYPE_CHECKING:
    from ig4.core.contracts import Format
    from ig4.core.engine.session import Session
    from ig4.core.files.writing.staging import Protects, Staging
    from ig4.storage.datasets import DatasetRow

__all__ = [
    "ExportResult", "ExportTarget", "ImagePlacement", "check_export", "dataset_of_selection",
    "export", "find_selection",
]  # fmt: skip

_STUB_FORMAT = "sharegpt"


@dataclass(frozen=True, slots=True)
class ExportTarget:
    """Where to write, in which format, and what to do with the images.

    With a `trainer`, `path` is a folder for the data and what that trainer needs beside it. In the
    data set's own format `keep_problems` also writes the samples that have a problem. `overwrite`
    allows to replace files that ig4 did not write. `extras` are written beside each record (see
    `ig4.core.engine.exporting.extras`); with them, or `card`, a data card is written beside it all.
    """

    path: Path
    format: str | None = None
    options: Mapping[str, JSON] = field(default_factory=dict)
    images: ImagePlacement = "link"
    trainer: str | None = None
    model: str | None = None
    keep_problems: bool = False
    overwrite: bool = False
    extras: tuple[str, ...] = ()
    card: bool | None = None

    @property
    def wants_card(self) -> bool:
        """Whether a data card is written: as asked, else where there are extras."""
        return bool(self.extras) if self.card is None else self.card

    @property
    def file(self) -> Path:
        """What the format writes."""
        return self.path if self.trainer is None else self.path / DATA[self.trainer]


@dataclass(frozen=True, slots=True, repr=False)
class ExportResult(TabularResult):
    """What was written.

    `images` counts all images, of which `linked` are links, `copied` are files and `inside` are in
    the format's own files. `left_out` counts the samples that are not in the export, by the reason.
    """

    path: Path
    format: str
    samples: int
    images: int
    missing_images: int
    linked: int = 0
    copied: int = 0
    inside: int = 0
    left_out: Mapping[str, int] = field(default_factory=dict)
    beside: tuple[Path, ...] = ()

    def headline(self) -> str:
        """Return what it is, in a few words."""
        left = sum(self.left_out.values())
        without = f", {left:,} left out" if left else ""
        return f"{self.path}: {counted(self.samples, 'sample')} as {self.format}{without}"

    def _table(self) -> ResultTable:
        counts = {
            "samples": self.samples,
            "images": self.images,
            "linked images": self.linked,
            "copied images": self.copied,
            "images inside": self.inside,
            "missing images": self.missing_images,
            **{f"left out: {reason}": count for reason, count in self.left_out.items()},
        }
        return ResultTable(("what", "count"), [*counts.items()])


def check_export(session: Session, dataset: DatasetRow, target: ExportTarget) -> str:
    """Find out before any work is done whether an export can be written; returns its format.

    Raises:
        UsageError: the ending does not fit the format, or the target is taken or protected.
        DatasetError: the target cannot be written.
    """
    if target.path == Path("-"):
        raise UsageError("an export has images beside its records: name a file or a folder, not -")
    if target.trainer is not None:
        name = _STUB_FORMAT
        if target.format not in (None, name):
            raise UsageError(f"--for {target.trainer} says which format is written: leave --format "
                             "away")  # fmt: skip
        if not target.overwrite:
            refuse_link(target.path)
    else:
        own = _members(session, dataset)[0].format
        name = format_of_target(session.host, target.file, target.format, own)
    form = cast("Format", session.host.build(Choice("format", name), runnable=False))
    for member in _members(session, dataset):
        _refuse_source(session, target.file, member, form)
    check_target(target.file, overwrite=target.overwrite)
    if target.wants_card:
        folder = _folder_of(form, target.file)
        check_target(folder / CARD, overwrite=target.overwrite, is_file=True)
    return name


def _folder_of(form: Format, path: Path) -> Path:
    """Return the folder that an export gets to, as far as its format tells before it is there."""
    return form.image_folder(named(path))


def export(
    session: Session, dataset: DatasetRow, target: ExportTarget, selection_id: int | None = None
) -> ExportResult:
    """Write the samples of a selection (by rank), or all of a data set (in its order).

    In the data set's own format every record is written as it was read, but for the names of images
    that are elsewhere in the export, with what stood beside the records; in another one records are
    made from turns and images. Samples with a problem, and those whose images cannot be had, are
    left out and counted. A mixture is written in the format of its first data set by default; of
    the others, those records are written as they were read that are of the same format.

    Raises:
        DatasetError: the target cannot be written.
        UsageError: unknown selection, format or option; the target holds files of others.
    """
    name = check_export(session, dataset, target)
    sources = sources_of(_members(session, dataset), name, target.trainer is not None)
    first = next((source for source in sources.values() if source.same), None)
    options = {**first.dataset.options, **target.options} if first else dict(target.options)
    form = cast("Format", session.host.build(Choice("format", name, options)))
    header = first.dataset.header if first else None
    if target.extras and form.carries_extras(header) is None:
        raise UsageError(
            f"{name} cannot hold anything beside such records: write another format (--format "
            "csv, --format parquet), or leave --with away"
        )
    extras = export_extras(session, dataset, selection_id, target.extras)
    config = {"dataset": dataset.name, "format": name, "path": str(target.path),
              "selection": selection_id, "images": target.images}  # fmt: skip
    with session.recorded("export", config, required=False):
        session.attach(dataset.id)
        session.emit(StageStarted(STAGE, None))
        tell_shared(session.store, dataset, session.notice_once)
        protects = _protection(session)
        with staged(target.file, overwrite=target.overwrite, protects=protects) as staging:
            placer = ImagePlacer(staging, target.images)
            records = ExportRecords(
                session, dataset, form, placer, sources=sources,
                keep_problems=target.keep_problems, for_trainer=target.trainer is not None,
                extras=extras,
            )  # fmt: skip
            written = WrittenKeys()
            with ImageFetcher() as fetcher:
                rows = records.of_selection(selection_id, fetcher)
                changes = form.write(written.of(rows), staging.path, header)
            _refuse_others(form, staging)
            placer.place(_image_folder(form, staging))
            beside = _write_stub(staging, target, form, images=bool(placer.placed)) or (
                write_description(staging, form, header, written, overwrite=target.overwrite)
            )
            images = len(placer.placed) + len(records.inside)
            if target.wants_card:
                about = WrittenExport(
                    _data_name(staging, form), name, records.written, images, records.left_out,
                    records.example, nested=form.carries_extras(header) == "key",
                )  # fmt: skip
                part = data_card(session, dataset, selection_id, about)
                beside = (*beside, _write_card(session, staging, form, part, target.overwrite))
        result = ExportResult(
            target.file, name, records.written, images,
            len(records.missing), placer.linked, placer.copied, len(records.inside),
            records.left_out, beside,
        )  # fmt: skip
        _notify(session, records, name)
        for told in changes or ():
            session.notice(told)
        session.emit(StageFinished(STAGE, f"{counted(result.samples, 'sample')} to {result.path}"))
        return result


def _refuse_others(form: Format, staging: Staging) -> None:
    """Refuse a folder with files that would be read as parts of the export.

    Raises:
        UsageError: there are some.
    """
    others = form.read_along(staging.final(staging.path), staging.path)
    if others:
        raise UsageError(
            f"{staging.target} holds {counted(len(others), 'file')} that would be read with the "
            f"export (first: {others[0].name}): delete {verb(len(others), 'it', 'them')}, or write "
            "to another folder"
        )


def _image_folder(form: Format, staging: Staging) -> Path:
    """Return the folder of the images of what was written.

    Raises:
        PluginError: it is outside the target.
    """
    folder = form.image_folder(staging.path)
    if not folder.is_relative_to(staging.root):
        raise PluginError(f"{type(form).__name__}.image_folder leads out of the target")
    return folder


def _data_name(staging: Staging, form: Format) -> str:
    """Return the name of the file of records, below the folder of an export."""
    folder = form.image_folder(staging.path)
    found = [file for file in _files(form, staging.path) if file.is_relative_to(folder)]
    return found[0].relative_to(folder).as_posix() if found else staging.path.name


def _write_card(
    session: Session, staging: Staging, form: Format, part: CardPart, overwrite: bool
) -> Path:
    """Write the card of the folder, with the parts of other exports that are in it."""
    file = form.image_folder(staging.path) / CARD
    place = staging.final(file)
    parts = with_earlier(place.parent, part, overwrite=overwrite)
    file.write_text(card_text(parts), encoding="utf-8", newline="\n")
    if len(parts) > 1:
        session.notice(f"{place} tells of {', '.join(one.file for one in parts)}")
    return place


def _write_stub(
    staging: Staging, target: ExportTarget, form: Format, *, images: bool
) -> tuple[Path, ...]:
    if target.trainer is None:
        return ()
    entry = form.describe(staging.path)
    files = write_stub(
        target.trainer, staging.path.parent, target.model, images=images, entry=entry
    )
    return tuple(target.path / file.name for file in files)


def _members(session: Session, dataset: DatasetRow) -> list[DatasetRow]:
    with session.store.reading() as connection:
        return member_rows(connection, dataset)


def _notify(session: Session, records: ExportRecords, form: str) -> None:
    """Say what is not as the user may expect."""
    for name, count in records.remade.items():
        source = records.sources[name].dataset
        session.notice(
            f"{counted(count, 'sample')} of {name} ({source.format}) {verb(count, 'is', 'are')} "
            f"written as {form} from turns and images: other fields of the records are left out"
        )
    if records.repeated:
        session.notice(
            f"{counted(records.repeated, 'record')} of several data sets "
            f"{verb(records.repeated, 'has', 'have')} an id that another record of the export has, "
            f"which {form} cannot change"
        )
    if records.changed:
        were = verb(records.changed, "it was", "they were")
        session.notice(f"{counted(records.changed, 'sample')} changed after {were} selected")
    if records.missing:
        session.notice(
            f"{counted(len(records.missing), 'image')} could not be placed: gone, or not readable"
        )
    for reason, count in records.left_out.items():
        session.notice(f"{counted(count, 'sample')} left out of the export: {reason}")
    if records.unwritten and not all(one.same for one in records.sources.values()):
        session.notice(f"{counted(len(records.unwritten), 'image is', 'images are')} inside "
            "the data set alone, and not written: use --images copy")  # fmt: skip
    if records.made_anew:
        session.notice(
            f"{counted(records.made_anew, 'record')} could not name the images of the export as "
            f"{verb(records.made_anew, 'it is', 'they are')}, and "
            f"{verb(records.made_anew, 'was', 'were')} made anew from turns and images"
        )


def find_selection(session: Session, dataset: DatasetRow | None, which: str) -> int:
    """Return the id of a selection given as "last", as a number, or by its name.

    Raises:
        UsageError: there is none, or several have the name.
    """
    return finding.find_selection(session, dataset, which).id


def dataset_of_selection(session: Session, selection_id: int) -> DatasetRow:
    """Return the data set that a selection was made from.

    Raises:
        UsageError: there is no such selection.
    """
    with session.store.reading() as connection:
        found = selections.find(connection, selection_id)
        if found is None:
            raise UsageError(f"there is no selection {selection_id} any more")
        return next(row for row in datasets.list_all(connection) if row.id == found.dataset_id)


def _protection(session: Session) -> Protects:
    """Return what tells why a place may not be written: it belongs to a data set, or the database.

    Images are known by their entry in a folder, so that a link to one is protected, too.
    """
    real = lru_cache(os.path.realpath)  # many images, few folders
    with session.store.reading() as connection:
        paths = datasets.image_paths(connection)
        images = {entry_of(path, real) for path in paths if not is_address(path)}
        rows = [row for row in datasets.list_all(connection) if not row.is_mixture]
    sources = {_identity(file.stat()) for row in rows for file in _sources(session, row)}

    def protects(place: Path, status: os.stat_result | None) -> str | None:
        if status is None:
            return None
        if _identity(status) in sources:
            return f"{place} is the data set itself: write the export somewhere else"
        if entry_of(str(place), real) in images:
            return f"{place} is an image of a data set: write the export into another folder"
        return None

    return protects


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def _sources(session: Session, row: DatasetRow) -> Iterator[Path]:
    """Yield the files that the records of a data set were read from, as far as they are there."""
    if is_address(row.path):
        return
    try:
        form = session.host.build(Choice("format", row.format, row.options), runnable=False)
    except (PluginError, UsageError):  # of a plugin that is gone
        yield from filter(Path.is_file, [Path(row.path)])
        return
    yield from _files(cast("Format", form), Path(row.path))


def _refuse_source(session: Session, path: Path, dataset: DatasetRow, form: Format) -> None:
    """Refuse to write over the files of the data set, be it in another format."""
    if is_address(dataset.path):
        return
    source = Choice("format", dataset.format, dataset.options)
    own = cast("Format", session.host.build(source, runnable=False))
    taken = _files(own, Path(dataset.path))
    if any(one.samefile(goal) for one in taken for goal in _files(form, path)):
        raise UsageError(f"{path} is the data set itself: write the export somewhere else")


def _files(form: Format, path: Path) -> list[Path]:
    """Return the files of a data set at a path that exist."""
    try:
        if is_local_pattern(str(path)):
            return local_files(str(path))
        found = [path, *form.sources(path)]
    except (DatasetError, OSError):
        found = [path]
    return [file for file in found if file.is_file()]
