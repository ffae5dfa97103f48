"""Brings a data set into the store: its records, their texts, and the images they name."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ig4.core.engine.ingesting.files import ImageFileIndex
from ig4.core.engine.ingesting.ids import ExternalIds
from ig4.core.engine.ingesting.paths import ImageRoots
from ig4.core.engine.ingesting.texts import finite, one_line, sanitize
from ig4.core.errors import DatasetError, UsageError
from ig4.core.events import StageAdvanced, StageFinished, StageStarted
from ig4.core.files import formats
from ig4.core.files.encodings import unreadable_error
from ig4.core.files.opening import OutsideFileError, open_beneath
from ig4.core.host.fingerprint import canonical, of_content
from ig4.core.records import JSON, Record, Turn
from ig4.storage import datasets, samples
from ig4.storage.connect import repeat_if_lost
from ig4.storage.datasets import DatasetRow
from ig4.storage.errors import ConnectionLostError

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from ig4.core.contracts import Format
    from ig4.core.engine.session import Session

STAGE = "ingest"
BATCH = 16_384
"""Records to a transaction: each rewrites much of the index on content hashes, so few of them."""
_BATCH_BYTES = 128 << 20
REPAIRED = (
    "NUL and halves of surrogate pairs are replaced in their texts, which no database can hold; "
    "the records themselves are kept as they are"
)
_JOIN = "\n"
_SHOWN = 12  # different problems that are named
_SHOWN_KINDS = 8  # of what is wrong with images, in notices


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


@dataclass(frozen=True, slots=True)
class IngestResult:
    """What ingesting did.

    `read` counts the records read now, `samples` all of the data set, `gone` the samples that left
    it, `changed_images` the images with other bytes than before. `problems` counts records by
    what is wrong with them, `remarks` by what else there is to say, `unreadable_images` the image
    files that are missing or no images.
    """

    dataset: DatasetRow
    read: int
    samples: int
    gone: int
    changed_images: int
    problems: Mapping[str, int]
    unchanged: bool
    unreadable_images: int = 0
    remarks: Mapping[str, int] = field(default_factory=dict)


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
    _require_names(path, source)
    name, form = formats.resolve(session.host, path, source.format, source.options)
    dataset_name = source.name or default_name(path)
    image_root = str(source.image_root.absolute()) if source.image_root else None
    config = {
        "path": str(path),
        "format": name,
        "name": dataset_name,
        "options": form.options.model_dump(mode="json"),
        "image_root": image_root,
    }
    with session.recorded("ingest", config):
        _refuse_outside(form, path, _roots(image_root, path, form))
        state = _state(form, path, {**config, "duplicates": source.duplicates})
        if not source.replace:
            _refuse_other(session, dataset_name, path, state)
        with session.store.reading() as connection:
            known = datasets.find(connection, dataset_name)
        if known is not None and known.source_state == state:
            return _refresh(session, known, form)
        return _DatasetReader(session, form, source, path).read(config, state)


def default_name(path: Path) -> str:
    """Return what a data set at a path is called if nobody names it."""
    path = path.expanduser().absolute()
    generic = {"filter_cap", "data", "train", "dataset", "annotations"}
    if path.is_dir():
        return path.name
    return path.parent.name if path.stem in generic else path.stem


def _require_names(path: Path, source: DatasetSource) -> None:
    """Refuse names that are no text: a database cannot hold them."""
    for what, name in (
        ("the path of the data set", path), ("--image-root", source.image_root),
        ("--name", source.name),
    ):  # fmt: skip
        if name is not None and sanitize(str(name)) != str(name):
            raise UsageError(
                f"{what}, {str(name)!r}, is not valid {sys.getfilesystemencoding()}, so it cannot "
                "be stored: rename it"
            )


def _refuse_other(session: Session, name: str, path: Path, state: str) -> None:
    """Refuse a path if another data set has the name, unless that one was moved here."""
    with session.store.reading() as connection:
        known = datasets.find(connection, name)
    if known is None or _is_same(Path(known.path), path):
        return
    if not Path(known.path).exists():
        if known.source_state is not None and _sizes(known.source_state) == _sizes(state):
            session.notice(f"{name} was moved: from {known.path} to {path}")
            return
        raise UsageError(
            f"the data set {name!r} in {session.store.location} came from {known.path}, which is "
            f"gone, and {path} holds other files: add --replace to put this one in its place, or "
            "give it another name with --name"
        )
    raise UsageError(
        f"the data set {name!r} in {session.store.location} came from {known.path}: give "
        f"this one another name with --name, or add --replace to put it in that one's place."
    )


def _sizes(state: str) -> list[tuple[str, int]]:
    """Return the names and sizes of the files of a state, wherever they lie."""
    files = json.loads(state)[2]
    return [(Path(file).name, size) for file, size, _ in files]


def _refuse_outside(form: Format, path: Path, roots: ImageRoots) -> None:
    """Refuse a folder whose records lie elsewhere, or in no regular file."""
    if not path.is_dir():
        return  # the user named the file itself
    for file in form.sources(path):
        try:
            open_beneath(file, roots.real).close()
        except OutsideFileError:
            raise DatasetError(
                f"{file} is a link that leaves the folder {path}: if you trust it, name the file "
                "itself"
            ) from None
        except OSError as error:
            raise unreadable_error(file, error) from None


def _is_same(one: Path, other: Path) -> bool:
    """Tell whether two paths mean the same file; `../data` and `/home/me/data` may."""
    return one == other or (one.exists() and other.exists() and one.samefile(other))


def _state(form: Format, path: Path, config: Mapping[str, Any]) -> str:
    """Return a text that changes whenever the data set has to be read again."""
    files = []
    for file in form.sources(path):
        status = file.stat()
        files.append([str(file), status.st_size, status.st_mtime_ns])
    return canonical([form.version, config, files])


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
        session.notice(f"{changed:,} images of {dataset.name} changed: what shows them is "
                       "scored anew")  # fmt: skip
    _tell_unreadable(session, index)
    return IngestResult(
        dataset, 0, count, 0, changed, problems, unchanged=True, unreadable_images=unreadable
    )


def _tell_unreadable(session: Session, index: ImageFileIndex) -> None:
    """Say of which images that were looked at now there is nothing to see, and why."""
    kinds = sorted(index.unreadable.values(), key=len, reverse=True)
    for problems in kinds[:_SHOWN_KINDS]:
        session.notice(f"{len(problems):,} images cannot be read; the first: {problems[0]}")
    rest = sum(map(len, kinds[_SHOWN_KINDS:]))
    if rest:
        session.notice(f"{rest:,} more images cannot be read, for other reasons")


def _rehash(connection: Connection, file_ids: Sequence[int]) -> None:
    """Give the samples that show image files the content they have now."""
    rows = samples.by_id(connection, datasets.samples_of_files(connection, file_ids))
    hashes = {row.id: content_hash(row) for row in rows}
    ids = datasets.content_ids(connection, list(hashes.values()))
    datasets.set_contents(connection, {sample: ids[value] for sample, value in hashes.items()})


def content_hash(row: samples.SampleRow) -> str:
    """Return the hash of a stored sample's content, which its scores belong to."""
    return of_content(turns_of(row), [_token(i.sha256, i.name) for i in row.images])


def turns_of(row: samples.SampleRow) -> tuple[Turn, ...]:
    """Return the turns of a stored sample."""
    if row.turns is not None:
        return tuple(Turn(role, text) for role, text in json.loads(row.turns))
    return turns_in(row.instruction, row.answer)


def places_of(row: samples.SampleRow) -> tuple[tuple[int, int], ...] | None:
    """Return where the images of a stored sample stand; None before the first question."""
    if row.places is None:
        return None
    return tuple((turn, at) for turn, at in json.loads(row.places))


def turns_in(instruction: str, answer: str) -> tuple[Turn, ...]:
    """Return the turns that need not be stored beside an instruction and an answer."""
    if not instruction and not answer:
        return ()
    return (Turn("user", instruction), Turn("assistant", answer))


def _token(sha256: str | None, name: str) -> str:
    return sha256 or f"unreadable:{name}"


def _roots(image_root: str | None, path: Path, form: Format) -> ImageRoots:
    return ImageRoots(form.image_folder(path), Path(image_root) if image_root else None)


def _batches(records: Iterable[Record]) -> Iterator[list[Record]]:
    """Yield records in batches, smaller ones where the records are large."""
    batch: list[Record] = []
    size = 0
    for record in records:
        batch.append(record)
        size += _size(record)
        if len(batch) == BATCH or size >= _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _size(record: Record) -> int:
    """Return about how many bytes a record takes; a few may be as large as a million others."""
    size = 0
    todo: list[Any] = [record.images, record.raw, record.turns]
    while todo:
        value = todo.pop()
        if isinstance(value, (str, bytes)):
            size += len(value)
        elif isinstance(value, dict):
            todo.extend(value.values())
        elif isinstance(value, (list, tuple)):
            todo.extend(value)
    return size


class _DatasetReader:
    """One pass over a data set's records."""

    def __init__(self, session: Session, form: Format, source: DatasetSource, path: Path) -> None:
        self.session = session
        self.form = form
        self.source = source
        self.path = path
        self.read_count = 0
        self.problems: Counter[str] = Counter()
        self.remarks: Counter[str] = Counter()

    def read(self, config: Mapping[str, Any], state: str) -> IngestResult:
        session = self.session
        session.emit(StageStarted(STAGE, None, "records"))
        # Read before anything is written: what holds no records leaves no data set behind.
        header, batches = self.form.header(self.path), _batches(self.form.read(self.path))
        first = next(batches, None)
        if first is None:
            raise DatasetError(f"{self.path} holds no records.")
        roots = _roots(config["image_root"], self.path, self.form)
        with session.store.writing() as connection:
            if connection.dialect.name == "postgresql":
                header = finite(header)
            dataset = datasets.put(
                connection,
                config["name"],
                path=str(self.path),
                format=config["format"],
                options=config["options"],
                image_root=config["image_root"],
                image_roots=roots.real,
                header=header,
            )
        session.attach(dataset.id)
        index = ImageFileIndex(session, dataset.id, roots)
        refuse = self.source.duplicates == "error"
        ids = ExternalIds(dataset.id, session.run_id, self.path, refuse)
        for batch in chain([first], batches):
            repeat_if_lost(
                partial(self._try_to_store, dataset.id, index, ids, batch), idempotent=False
            )
        assert session.run_id is not None
        with session.store.writing() as connection:
            gone = datasets.finish_reading(connection, dataset.id, session.run_id, state)
        self._notify(dataset, index, ids, gone)
        with session.store.reading() as connection:
            unreadable = datasets.count_unreadable_files(connection, dataset.id)
        count = self.read_count
        return IngestResult(
            dataset, count, count, gone, 0, self.problems, unchanged=False,
            unreadable_images=unreadable, remarks=self.remarks,
        )  # fmt: skip

    def _try_to_store(
        self, dataset_id: int, index: ImageFileIndex, ids: ExternalIds, batch: Sequence[Record]
    ) -> None:
        """Store a batch; if the connection breaks, forget what was counted of it."""
        read_count, problems, remarks = (
            self.read_count, Counter(self.problems), Counter(self.remarks)
        )  # fmt: skip
        try:
            self._store(dataset_id, index, ids, batch)
        except ConnectionLostError:
            self.read_count, self.problems, self.remarks = read_count, problems, remarks
            ids.take_back()
            raise

    def _store(
        self, dataset_id: int, index: ImageFileIndex, ids: ExternalIds, batch: Sequence[Record]
    ) -> None:
        """Write a batch of records, and which images they name, in one transaction."""
        image_names = [[index.name_of(image) for image in record.images] for record in batch]
        files = index.current_rows({name for names in image_names for name in names})
        failed_before = self.problems.total()
        with self.session.store.writing() as connection:
            external_ids, known = ids.assign(connection, batch)
            hashes = [
                of_content(record.turns, [_token(files[name].sha256, name.name) for name in names])
                for record, names in zip(batch, image_names, strict=True)
            ]
            contents = datasets.content_ids(connection, hashes)
            rows = [
                self._row(dataset_id, external_id, contents[content], record)
                for external_id, content, record in zip(external_ids, hashes, batch, strict=True)
            ]
            datasets.put_samples(connection, rows)
            links = {
                external_id: [files[name].id for name in names]
                for external_id, names in zip(external_ids, image_names, strict=True)
                if names or external_id in known
            }
            datasets.link_images(connection, dataset_id, links)
        failed = self.problems.total() - failed_before
        self.session.emit(StageAdvanced(STAGE, len(batch), failed))

    def _row(
        self, dataset_id: int, external_id: str, content_id: int, record: Record
    ) -> tuple[Any, ...]:
        """Return a row of `datasets.SAMPLE_COLUMNS`, and count what is wrong with the record."""
        instruction, answer, conversation = _texts(record.turns)
        problem = _problem(record)
        if problem:
            self.problems[problem] += 1
        for remark in record.remarks:
            self.remarks[remark] += 1
        if any(sanitize(turn.text) is not turn.text for turn in record.turns):
            self.remarks[REPAIRED] += 1
        self.read_count += 1
        return (
            dataset_id,
            external_id,
            self.read_count,
            content_id,
            instruction,
            answer,
            conversation,
            json.dumps(record.raw),
            problem,
            self.session.run_id,
            None if record.places is None else json.dumps(record.places),
        )

    def _notify(
        self, dataset: DatasetRow, index: ImageFileIndex, ids: ExternalIds, gone: int
    ) -> None:
        """Say what was renamed, cannot be read, or is gone."""
        session = self.session
        if ids.renamed:
            first = next(iter(ids.renamed))
            session.notice(
                f"{ids.renamed.total():,} records repeat an id (first: {first!r}); they are "
                f"stored as {first}#2 and so on"
            )
        _tell(session, self.problems, "problems")
        _tell(session, self.remarks, "remarks")
        _tell_unreadable(session, index)
        if gone:
            session.notice(f"{gone:,} samples are no longer in {dataset.name}")
        session.emit(StageFinished(STAGE, f"{self.read_count:,} samples in {dataset.name}"))


def _tell(session: Session, counts: Counter[str], what: str) -> None:
    """Say how many records have each problem or remark, the most frequent ones first."""
    for text, count in counts.most_common(_SHOWN):
        session.notice(f"{count:,} records: {text}")
    others = counts.most_common()[_SHOWN:]
    if others:
        total = sum(count for _, count in others)
        session.notice(f"{total:,} records: {len(others):,} other {what}")


def _texts(turns: Sequence[Turn]) -> tuple[str, str, str | None]:
    """Return instruction, answer, and the turns as JSON where these two do not say them all."""
    if len(turns) == 2 and turns[0].role == "user" and turns[1].role == "assistant":
        instruction, answer = turns[0].text, turns[1].text
    else:
        instruction, answer = _joined(turns, "user"), _joined(turns, "assistant")
    instruction, answer = sanitize(instruction), sanitize(answer)
    if turns_in(instruction, answer) == turns:
        return instruction, answer, None
    return instruction, answer, json.dumps([[turn.role, turn.text] for turn in turns])


def _problem(record: Record) -> str | None:
    if record.problem is not None:
        return one_line(record.problem)
    if not record.turns:
        return "the record is not a conversation: no instruction and no answer can be read in it"
    answered = any(turn.role == "assistant" and turn.text.strip() for turn in record.turns)
    return None if answered else "the answer is empty"


def _joined(turns: Sequence[Turn], role: str) -> str:
    return _JOIN.join(turn.text for turn in turns if turn.role == role)
