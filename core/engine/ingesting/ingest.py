"""Bring a data set into the store: its records, what they say, and the images they name."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ig4.core.chunks import chunks
from ig4.core.engine.ingesting.files import ImageFileIndex
from ig4.core.engine.ingesting.paths import ImageRoots
from ig4.core.engine.ingesting.texts import sanitize
from ig4.core.errors import DatasetError, UsageError
from ig4.core.events import StageAdvanced, StageFinished, StageStarted
from ig4.core.files import formats
from ig4.core.host.fingerprint import canonical, of_content
from ig4.core.records import JSON, Record, Turn
from ig4.storage import datasets, samples
from ig4.storage.datasets import DatasetRow

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from ig4.core.contracts import Format
    from ig4.core.engine.session import Session

STAGE = "ingest"
BATCH = 16_384
"""Records to a transaction: each rewrites much of the index on content hashes, so few of them."""
_JOIN = "\n"


@dataclass(frozen=True, slots=True)
class DatasetSource:
    """A data set to ingest, as the user describes it; None means found out."""

    path: Path
    name: str | None = None
    format: str | None = None
    options: Mapping[str, JSON] = field(default_factory=dict)
    image_root: Path | None = None
    duplicates: str = "number"  # or "error"


@dataclass(frozen=True, slots=True)
class IngestResult:
    """What ingesting did: `read` records now, `samples` in all, problems by their text."""

    dataset: DatasetRow
    read: int
    samples: int
    gone: int
    changed_images: int
    problems: Mapping[str, int]
    unchanged: bool


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
    name, form = formats.resolve(session.host, path, source.format, source.options)
    dataset_name = source.name or _default_name(path)
    config = {
        "path": str(path),
        "format": name,
        "name": dataset_name,
        "options": form.options.model_dump(mode="json"),
        "image_root": str(source.image_root.absolute()) if source.image_root else None,
    }
    with session.recorded("ingest", config):
        _refuse_other(session, dataset_name, path)
        state = _state(form, path, {**config, "duplicates": source.duplicates})
        with session.store.reading() as connection:
            known = datasets.find(connection, dataset_name)
        if known is not None and known.source_state == state:
            return _refresh(session, known, form)
        return _DatasetReader(session, form, source, path).read(config, state)


def _default_name(path: Path) -> str:
    generic = {"filter_cap", "data", "train", "dataset", "annotations"}
    if path.is_dir():
        return path.name
    return path.parent.name if path.stem in generic else path.stem


def _refuse_other(session: Session, name: str, path: Path) -> None:
    with session.store.reading() as connection:
        known = datasets.find(connection, name)
    if known is not None and not _is_same(Path(known.path), path):
        raise UsageError(
            f"the data set {name!r} in {session.store.location} came from {known.path}: give "
            f"this one another name with --name."
        )


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
    """Look whether images of an unchanged data set changed on disk."""
    session.attach(dataset.id)
    ledger = ImageFileIndex(
        session, dataset.id, _roots(dataset.image_root, Path(dataset.path), form)
    )
    changed = ledger.refresh(_rehash)
    with session.store.reading() as connection:
        count = datasets.count_samples(connection, dataset.id)
        problems = samples.problems(connection, dataset.id)
    if changed:
        session.notice(f"{changed:,} images of {dataset.name} changed: what shows them is "
                       "scored anew")  # fmt: skip
    return IngestResult(dataset, 0, count, 0, changed, problems, unchanged=True)


def _rehash(connection: Connection, file_ids: Sequence[int]) -> None:
    """Give the samples that show image files the content they have now."""
    rows = samples.by_id(connection, datasets.samples_of_files(connection, file_ids))
    hashes = {
        row.id: of_content(turns_of(row), [_token(i.sha256, i.name) for i in row.images])
        for row in rows
    }
    ids = datasets.content_ids(connection, list(hashes.values()))
    datasets.set_contents(connection, {sample: ids[value] for sample, value in hashes.items()})


def turns_of(row: samples.SampleRow) -> tuple[Turn, ...]:
    """Return the turns of a stored sample."""
    if row.turns is not None:
        return tuple(Turn(role, text) for role, text in json.loads(row.turns))
    return turns_in(row.instruction, row.answer)


def turns_in(instruction: str, answer: str) -> tuple[Turn, ...]:
    """Return the turns that need not be stored beside an instruction and an answer."""
    if not instruction and not answer:
        return ()
    return (Turn("user", instruction), Turn("assistant", answer))


def _token(sha256: str | None, name: str) -> str:
    return sha256 or f"unreadable:{name}"


def _roots(image_root: str | None, path: Path, form: Format) -> ImageRoots:
    return ImageRoots(form.image_folder(path), Path(image_root) if image_root else None)


class _DatasetReader:
    """One pass over a data set's records."""

    def __init__(self, session: Session, form: Format, source: DatasetSource, path: Path) -> None:
        self.session = session
        self.form = form
        self.source = source
        self.path = path
        self.ordinal = 0
        self.renamed: Counter[str] = Counter()
        self.numbers: Counter[str] = Counter()
        self.problems: Counter[str] = Counter()

    def read(self, config: Mapping[str, Any], state: str) -> IngestResult:
        session = self.session
        session.emit(StageStarted(STAGE, None, "records"))
        # Read before anything is written: what holds no records leaves no data set behind.
        header, batches = self.form.header(self.path), chunks(self.form.read(self.path), BATCH)
        first = next(batches, None)
        if first is None:
            raise DatasetError(f"{self.path} holds no records.")
        with session.store.writing() as connection:
            dataset = datasets.put(
                connection,
                config["name"],
                path=str(self.path),
                format=config["format"],
                options=config["options"],
                image_root=config["image_root"],
                header=header,
            )
        session.attach(dataset.id)
        roots = _roots(config["image_root"], self.path, self.form)
        ledger = ImageFileIndex(session, dataset.id, roots)
        for batch in chain([first], batches):
            self._store(dataset.id, ledger, batch)
        assert session.run_id is not None
        with session.store.writing() as connection:
            gone = datasets.finish_reading(connection, dataset.id, session.run_id, state)
        self._tell(dataset, ledger, gone)
        return IngestResult(
            dataset, self.ordinal, self.ordinal, gone, 0, self.problems, unchanged=False
        )

    def _store(self, dataset_id: int, ledger: ImageFileIndex, batch: Sequence[Record]) -> None:
        session = self.session
        named = [[ledger.name_of(image) for image in record.images] for record in batch]
        files = ledger.look_at({name for names in named for name in names})
        failed_before = self.problems.total()
        with session.store.writing() as connection:
            ids, known = self._ids(connection, dataset_id, batch)
            hashes = [
                of_content(record.turns, [_token(files[n].sha256, n) for n in names])
                for record, names in zip(batch, named, strict=True)
            ]
            contents = datasets.content_ids(connection, hashes)
            rows = [
                self._row(dataset_id, external_id, contents[content], record)
                for external_id, content, record in zip(ids, hashes, batch, strict=True)
            ]
            datasets.put_samples(connection, rows)
            links = {
                external_id: [files[name].id for name in names]
                for external_id, names in zip(ids, named, strict=True)
                if names or external_id in known
            }
            datasets.link_images(connection, dataset_id, links)
        failed = self.problems.total() - failed_before
        session.emit(StageAdvanced(STAGE, len(batch), failed))

    def _row(
        self, dataset_id: int, external_id: str, content_id: int, record: Record
    ) -> tuple[Any, ...]:
        """Return a row of `datasets.SAMPLE_COLUMNS`."""
        turns, conversation = record.turns, None
        if len(turns) == 2 and turns[0].role == "user" and turns[1].role == "assistant":
            said, answer = turns[0].text, turns[1].text
        else:
            said = _joined(turns, "user")
            answer = _joined(turns, "assistant")
        instruction, kept = sanitize(said), sanitize(answer)
        if turns_in(instruction, kept) != turns:
            conversation = json.dumps([[turn.role, turn.text] for turn in turns])
        problem = _problem(record, answer)
        if problem:
            self.problems[problem] += 1
        self.ordinal += 1
        return (
            dataset_id,
            external_id,
            self.ordinal,
            content_id,
            instruction,
            kept,
            conversation,
            json.dumps(record.raw),
            problem,
            self.session.run_id,
        )

    def _ids(
        self, connection: Connection, dataset_id: int, batch: Sequence[Record]
    ) -> tuple[list[str], set[str]]:
        """Return the external id of each record, and which of these the store had before.

        Where the data set repeats an id, the later ones are numbered.
        """
        wanted = [sanitize(record.id) for record in batch]
        known = datasets.known_ids(connection, dataset_id, wanted)
        taken = {name for name, run in known.items() if run == self.session.run_id}
        if not taken and len(set(wanted)) == len(wanted):
            return wanted, set(known)
        ids = []
        for name in wanted:
            unique = self._number(connection, dataset_id, name, taken) if name in taken else name
            taken.add(unique)
            ids.append(unique)
        return ids, set(ids)

    def _number(self, connection: Connection, dataset_id: int, name: str, taken: set[str]) -> str:
        if self.source.duplicates == "error":
            raise DatasetError(
                f"{self.path}: the id {name!r} stands in more than one record. Without "
                "--duplicate-ids error the later ones are numbered."
            )
        while True:
            # Counted on from the last one: a column of equal ids must not take the square of time.
            self.numbers[name] += 1
            unique = f"{name}#{self.numbers[name] + 1}"
            run = datasets.known_ids(connection, dataset_id, [unique]).get(unique)
            if unique not in taken and (run is None or run != self.session.run_id):
                self.renamed[name] += 1
                return unique

    def _tell(self, dataset: DatasetRow, ledger: ImageFileIndex, gone: int) -> None:
        session = self.session
        if self.renamed:
            first = next(iter(self.renamed))
            session.notice(
                f"{self.renamed.total():,} records repeat an id (first: {first!r}); they are "
                f"stored as {first}#2 and so on"
            )
        for problem, count in self.problems.items():
            session.notice(f"{count:,} records: {problem}")
        if ledger.unreadable:
            first = ledger.unreadable[0]
            session.notice(f"{len(ledger.unreadable):,} images cannot be read; the first: {first}")
        if gone:
            session.notice(f"{gone:,} samples are no longer in {dataset.name}")
        session.emit(StageFinished(STAGE, f"{self.ordinal:,} samples in {dataset.name}"))


def _problem(record: Record, answer: str) -> str | None:
    if not record.turns:
        return "the record is not a conversation: no instruction and no answer can be read in it"
    return None if answer.strip() else "the answer is empty"


def _joined(turns: Sequence[Turn], role: str) -> str:
    return _JOIN.join(turn.text for turn in turns if turn.role == role)
