"""Reads the records of a data set into the store, batch by batch."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any

from ig4.core.counts import counted, verb
from ig4.core.engine.ingesting.batches import ReadRecord, batches
from ig4.core.engine.ingesting.contents import image_token, stored_texts
from ig4.core.engine.ingesting.files import ImageFileIndex
from ig4.core.engine.ingesting.ids import ExternalIds
from ig4.core.engine.ingesting.meta import stored_meta
from ig4.core.engine.ingesting.notices import tell_counts, tell_unreadable
from ig4.core.engine.ingesting.origin import record_roots
from ig4.core.engine.ingesting.paths import ImageRoots
from ig4.core.engine.ingesting.result import IngestResult
from ig4.core.errors import DatasetError
from ig4.core.events import StageAdvanced, StageFinished, StageStarted
from ig4.core.files.opening import only_beneath
from ig4.core.host.fingerprint import of_content
from ig4.core.records import Record
from ig4.core.texts import finite, one_line
from ig4.storage import datasets
from ig4.storage.connect import repeat_if_lost
from ig4.storage.datasets import DatasetRow
from ig4.storage.errors import ConnectionLostError

if TYPE_CHECKING:
    from ig4.core.contracts import Format
    from ig4.core.engine.session import Session
    from ig4.core.files.remote.places import Place

STAGE = "ingest"
REPAIRED = (
    "NUL and halves of surrogate pairs are replaced in their texts, which no database can hold; "
    "the records themselves are kept as they are"
)


class DatasetReader:
    """One pass over a data set's records."""

    def __init__(
        self,
        session: Session,
        form: Format,
        place: Place,
        roots: ImageRoots,
        *,
        refetch: bool = False,
    ) -> None:
        self.session = session
        self.form = form
        self.place = place
        self.path = place.path
        self.roots = roots
        self.refetch = refetch
        self.read_count = 0
        self.problems: Counter[str] = Counter()
        self.remarks: Counter[str] = Counter()

    def read(
        self, config: Mapping[str, Any], state: str, *, refuse_duplicates: bool
    ) -> IngestResult:
        """Store all records; `config` says what the data set is called, `state` what it is now.

        Raises:
            DatasetError: there are none, they cannot be read, or an id repeats and should not.
        """
        session = self.session
        session.emit(StageStarted(STAGE, None, "records"))
        # Read before anything is written: what holds no records leaves no data set behind.
        # A file is what the user named, wherever it lies.
        allowed = record_roots(self.path, self.roots) if self.path.is_dir() else None
        with only_beneath(allowed):
            header = self.form.header(self.path)
        stream = _opened_beneath(allowed, batches(self.form.read(self.path)))
        first = next(stream, None)
        if first is None:
            raise DatasetError(f"{self.place.text} holds no records.")
        with session.store.writing() as connection:
            if connection.dialect.name == "postgresql":
                header = finite(header)
            dataset = datasets.put(
                connection,
                config["name"],
                path=self.place.text,
                format=config["format"],
                options=config["options"],
                image_root=config["image_root"],
                image_roots=self.roots.real,
                header=header,
            )
        session.attach(dataset.id)
        index = ImageFileIndex(
            session, dataset.id, self.roots, origin=self.place.origin, refetch=self.refetch,
            tell=self._tell,
        )  # fmt: skip
        ids = ExternalIds(dataset.id, session.run_id, self.path, refuse_duplicates)
        for batch in chain([first], stream):
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
            dataset, count, count, gone, len(index.changed), self.problems, unchanged=False,
            unreadable_images=unreadable, remarks=self.remarks,
        )  # fmt: skip

    def _tell(self, note: str) -> None:
        self.session.emit(StageAdvanced(STAGE, 0, note=note))

    def _try_to_store(
        self, dataset_id: int, index: ImageFileIndex, ids: ExternalIds, batch: Sequence[ReadRecord]
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
        self, dataset_id: int, index: ImageFileIndex, ids: ExternalIds, batch: Sequence[ReadRecord]
    ) -> None:
        """Write a batch of records, and which images they name, in one transaction."""
        records = [read.record for read in batch]
        image_names = [[index.name_of(image) for image in record.images] for record in records]
        files = index.current_rows({name for names in image_names for name in names})
        failed_before = self.problems.total()
        with self.session.store.writing() as connection:
            external_ids, known = ids.assign(connection, records)
            hashes = [
                of_content(
                    record.turns, [image_token(files[name].sha256, name.name) for name in names]
                )
                for record, names in zip(records, image_names, strict=True)
            ]
            contents = datasets.content_ids(connection, hashes)
            rows = [
                self._row(dataset_id, external_id, contents[content], read)
                for external_id, content, read in zip(external_ids, hashes, batch, strict=True)
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
        self, dataset_id: int, external_id: str, content_id: int, read: ReadRecord
    ) -> tuple[Any, ...]:
        """Return a row of `datasets.SAMPLE_COLUMNS`, and count what is wrong with the record."""
        record = read.record
        texts = stored_texts(record.turns)
        problem = _problem(record)
        if problem:
            self.problems[problem] += 1
        for remark in record.remarks:
            self.remarks[remark] += 1
        if texts.repaired:
            self.remarks[REPAIRED] += 1
        self.read_count += 1
        return (
            dataset_id,
            external_id,
            self.read_count,
            content_id,
            texts.instruction,
            texts.answer,
            texts.turns,
            read.raw,
            problem,
            self.session.run_id,
            None if record.places is None else json.dumps(record.places),
            stored_meta(record.meta) if record.meta else None,
        )

    def _notify(
        self, dataset: DatasetRow, index: ImageFileIndex, ids: ExternalIds, gone: int
    ) -> None:
        """Say what was renamed, cannot be read, or is gone."""
        session = self.session
        if ids.renamed:
            first = next(iter(ids.renamed))
            session.notice(
                f"{counted(ids.renamed.total(), 'record repeats', 'records repeat')} an id (first: "
                f"{first!r}); {verb(ids.renamed.total(), 'it is', 'they are')} stored as {first}#2 "
                "and so on"
            )
        tell_counts(session, self.problems, "problem")
        tell_counts(session, self.remarks, "remark")
        tell_unreadable(session, index.unreadable)
        if gone:
            session.notice(
                f"{counted(gone, 'sample is', 'samples are')} no longer in {dataset.name}"
            )
        session.emit(
            StageFinished(STAGE, f"{counted(self.read_count, 'sample')} in {dataset.name}")
        )


def _opened_beneath(
    roots: Sequence[str] | None, stream: Iterator[list[ReadRecord]]
) -> Iterator[list[ReadRecord]]:
    """Yield batches while files that lead out of `roots` by now are not opened; None allows any."""
    while True:
        with only_beneath(roots):
            batch = next(stream, None)
        if batch is None:
            return
        yield batch


def _problem(record: Record) -> str | None:
    if record.problem is not None:
        return one_line(record.problem)
    if not record.turns:
        return "the record is not a conversation: no instruction and no answer can be read in it"
    for turn in record.turns:
        if turn.role == "assistant" and turn.text.strip():
            return None
    return "the answer is empty"
