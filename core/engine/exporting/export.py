"""The export stage: writes a selection, or everything, as a data set of some format."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

from ig4.core.chunks import chunks
from ig4.core.engine.ingesting.files import EMBEDDED
from ig4.core.engine.ingesting.ingest import turns_of
from ig4.core.engine.ingesting.texts import sanitize
from ig4.core.errors import DatasetError, UsageError
from ig4.core.events import StageAdvanced, StageFinished, StageStarted
from ig4.core.files.atomic import copy
from ig4.core.files.images import measure
from ig4.core.records import JSON, Choice, Record, Turn
from ig4.storage import datasets, samples, selections

if TYPE_CHECKING:
    from ig4.core.contracts import Format
    from ig4.core.engine.session import Session
    from ig4.storage.datasets import DatasetRow
    from ig4.storage.samples import ImageRow, SampleRow

STAGE = "export"
_STEP = 1000
_LONGEST_ID = 19  # digits: the database counts to 2^63

ImagePlacement = Literal["link", "copy", "none"]


@dataclass(frozen=True, slots=True)
class ExportTarget:
    """Where to write, in which format, and what to do with the images."""

    path: Path
    format: str | None = None
    options: Mapping[str, JSON] = field(default_factory=dict)
    images: ImagePlacement = "link"
    anew: bool = False
    """Whether records are written from turns and images, also in the data set's own format."""


@dataclass(frozen=True, slots=True)
class ExportResult:
    """What was written."""

    path: Path
    format: str
    samples: int
    images: int
    missing_images: int


def export(
    session: Session, dataset: DatasetRow, target: ExportTarget, selection_id: int | None = None
) -> ExportResult:
    """Write the samples of a selection (by rank), or all of a data set (in its order).

    In the data set's own format every record is written as it was read, with what stood
    beside the records; in another one records are made from turns and images.

    Raises:
        DatasetError: the target cannot be written.
        UsageError: unknown selection, format or option.
    """
    name = target.format or dataset.format
    same = name == dataset.format and not target.anew
    options = {**dataset.options, **target.options} if same else dict(target.options)
    form = cast("Format", session.host.build(Choice("format", name, options)))
    config = {"dataset": dataset.name, "format": name, "path": str(target.path),
              "selection": selection_id, "images": target.images}  # fmt: skip
    _refuse_source(session, target.path, dataset, form)
    with session.recorded("export", config):
        session.attach(dataset.id)
        session.emit(StageStarted(STAGE, None))
        writer = _ExportWriter(session, dataset, target, form, same)
        rows = writer.rows(selection_id)
        try:
            target.path.parent.mkdir(parents=True, exist_ok=True)
            form.write(writer.records(rows), target.path, dataset.header if same else None)
        except OSError as error:
            raise DatasetError(
                f"{target.path} cannot be written: {error.strerror or error}"
            ) from None
        if writer.changed:
            session.notice(f"{writer.changed:,} samples changed after they were selected")
        if writer.missing:
            session.notice(f"{writer.missing:,} images could not be placed: their files are gone")
        session.emit(StageFinished(STAGE, f"{writer.written:,} samples to {target.path}"))
        return ExportResult(target.path, name, writer.written, len(writer.placed), writer.missing)


def find_selection(session: Session, dataset: DatasetRow | None, which: str) -> int:
    """Return the id of a selection given as "last" or as a number.

    Raises:
        UsageError: there is none.
    """
    with session.store.reading() as connection:
        if which == "last":
            found = selections.last(connection, dataset.id if dataset else None)
        elif which.isdecimal() and len(which) < _LONGEST_ID:
            found = selections.find(connection, int(which))
        else:
            raise UsageError(f"--selection {which!r}: give a selection's number, `last` or `all`")
    if found is None:
        raise UsageError(
            "there is no selection yet: run `ig4 select --size 200` first"
            if which == "last"
            else f"there is no selection {which}"
        )
    return found.id


def dataset_of_selection(session: Session, selection_id: int) -> DatasetRow:
    """Return the data set that a selection was made from."""
    with session.store.reading() as connection:
        found = selections.find(connection, selection_id)
        assert found is not None
        return next(row for row in datasets.list_all(connection) if row.id == found.dataset_id)


class _ExportWriter:
    """Turns stored samples back into records, placing each image once."""

    def __init__(
        self, session: Session, dataset: DatasetRow, target: ExportTarget, form: Format, same: bool
    ) -> None:
        self.session = session
        self.dataset = dataset
        self.target = target
        self.form = form
        self.same = same
        self.folder = form.image_folder(target.path)
        self.placed: dict[str, str] = {}
        self.missing = 0
        self.changed = 0
        self.written = 0

    @cached_property
    def sources(self) -> set[str]:
        """All image files that data sets were read from, none of which may be overwritten."""
        real = lru_cache(os.path.realpath)  # many images, few folders
        with self.session.store.reading() as connection:
            return {_entry(path, real) for path in datasets.image_paths(connection)}

    def rows(self, selection_id: int | None) -> Iterator[SampleRow]:
        with self.session.store.reading() as connection:
            if selection_id is None:
                yield from samples.stream(connection, self.dataset.id)
                return
            chosen = selections.samples(connection, selection_id)
            then = {one.sample_id: one.content_id for one in chosen}
            for part in chunks(then, _STEP):
                rows = samples.by_id(connection, part)
                self.changed += sum(row.content_id != then[row.id] for row in rows)
                yield from rows

    def records(self, rows: Iterator[SampleRow]) -> Iterator[Record]:
        for row in rows:
            raw = json.loads(row.raw) if self.same else None
            turns = turns_of(row)
            if not self.same:  # readers such as Arrow's refuse a whole file for half a surrogate
                turns = tuple(Turn(turn.role, sanitize(turn.text)) for turn in turns)
            plain = Record(row.external_id, turns, tuple(i.name for i in row.images), raw)
            images = tuple(
                self._image(plain, index, image) for index, image in enumerate(row.images)
            )
            self.written += 1
            if self.written % _STEP == 0:
                self.session.emit(StageAdvanced(STAGE, _STEP))
            yield Record(row.external_id, turns, images, raw)

    def _image(self, record: Record, index: int, image: ImageRow) -> str | bytes:
        if image.name.startswith(EMBEDDED) and self.form.embeds_images:
            try:
                return Path(image.path or "").read_bytes()
            except OSError as error:
                raise DatasetError(
                    f"an image of sample {record.id!r} is gone ({image.path}: {error.strerror}): "
                    "ingest the data set again"
                ) from None
        name = self.form.image_name(record, index, _suffix(image))
        if self.target.images != "none" and name not in self.placed:
            self._place(image, self.folder / name)
        self.placed[name] = image.name
        return name

    def _place(self, image: ImageRow, goal: Path) -> None:
        source = Path(image.path) if image.path and not image.problem else None
        if source is None or not source.exists():
            self.missing += 1
            return
        own = _entry(str(goal))
        if own == _entry(str(source)):
            return
        if os.path.lexists(goal) and own in self.sources:
            raise UsageError(
                f"{goal} is an image of a data set: write the export into another folder"
            )
        goal.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):
            goal.unlink()
        if self.target.images == "link" and _linked(source.resolve(), goal):
            return
        copy(source, goal)


def _suffix(image: ImageRow) -> str:
    if not image.name.startswith(EMBEDDED):
        return Path(image.name).suffix
    found = measure(Path(image.path or ""))
    return "" if found is None else "." + found[2].replace("jpeg", "jpg")


def _refuse_source(session: Session, path: Path, dataset: DatasetRow, form: Format) -> None:
    """Refuse to write over the files of the data set, be it in another format."""
    source = Choice("format", dataset.format, dataset.options)
    own = cast("Format", session.host.build(source, runnable=False))
    taken = _files(own, Path(dataset.path))
    if any(one.samefile(goal) for one in taken for goal in _files(form, path)):
        raise UsageError(f"{path} is the data set itself: write the export somewhere else")


def _files(form: Format, path: Path) -> list[Path]:
    """Return the files of a data set at a path that exist."""
    try:
        found = [path, *form.sources(path)]
    except (DatasetError, OSError):
        found = [path]
    return [file for file in found if file.is_file()]


def _entry(path: str, real: Callable[[str], str] = os.path.realpath) -> str:
    """Return the one name of a directory entry; if it is a link, not of what it leads to."""
    folder, name = os.path.split(path)
    return os.path.join(real(folder), name)  # noqa: PTH118 - a hot path, on strings


def _linked(source: Path, goal: Path) -> bool:
    """Link `goal` to `source`, softly or else hard; False where the system allows neither."""
    for link in (os.symlink, os.link):
        try:
            link(source, goal)
        except OSError:
            continue
        return True
    return False
