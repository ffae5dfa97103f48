"""Sees to it that every item of a benchmark has an answer, or the reason why there is none."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ig4.core.contracts.evaluation import Item
from ig4.core.contracts.training import MANIFEST, Checkpoint, Decoding, Prompt
from ig4.core.engine.evaluating.itemimages import ItemImages, item_images
from ig4.core.engine.ingesting.texts import sanitize
from ig4.core.engine.training.generate import build_trainer
from ig4.core.events import StageAdvanced, StageStarted
from ig4.core.files import predictions
from ig4.core.host.fingerprint import digest_of
from ig4.core.records import JSON, Choice, Failure, Image, Turn
from ig4.storage import evaluations
from ig4.storage.evaluations import PredictionRow

if TYPE_CHECKING:
    from ig4.core.engine.session import Session

STAGE = "evaluate"
_FLUSH_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class AnswerSource:
    """Where answers come from: a model and its decoding, or a file whose answers are `given`.

    `contents` digest what each item's answer depends on (None for answers made elsewhere),
    `digest` all of this and the items.
    """

    label: str
    told: str
    contents: Sequence[str | None]
    digest: str
    given: Sequence[str | Failure] | None = None
    checkpoint: Checkpoint | None = None
    decoding: Decoding | None = None
    images: ItemImages | None = None


def from_file(
    session: Session, items: Sequence[Item], path: Path, label: str | None, *, partial: bool
) -> AnswerSource:
    """Return the answers of a file.

    Raises:
        DatasetError: it cannot be read, or does not fit the items.
    """
    given = predictions.read_predictions(path, items, partial=partial)
    digest = digest_of([_said(items), "predictions", session.digest(path)])
    return AnswerSource(
        sanitize(label or path.stem), sanitize(str(path)), [None] * len(items), digest, given
    )


def from_model(
    session: Session,
    items: Sequence[Item],
    checkpoint: Checkpoint,
    decoding: Decoding,
    folders: tuple[Path | None, Path | None],
    label: str | None,
) -> AnswerSource:
    """Return what a model is to answer; `folders` are the benchmark's for images, and the user's.

    Raises:
        UsageError, DatasetError: as `item_images`.
        PrerequisiteError: the model of the checkpoint is not there.
    """
    images = item_images(session, items, *folders)
    model = _model_digest(session, checkpoint)
    how = asdict(decoding)
    del how["batch_size"]
    contents = [
        digest_of([model, how, item.id, item.question, images.digests[at]])
        for at, item in enumerate(items)
    ]
    path = checkpoint.path
    label = label or (checkpoint.trainer if path is None else path.resolve().name)
    told = f"{checkpoint.trainer}, untrained" if path is None else str(path.absolute())
    digest = digest_of([_said(items), contents])
    return AnswerSource(
        sanitize(label), sanitize(told), contents, digest, None, checkpoint, decoding, images
    )


def _said(items: Sequence[Item]) -> JSON:
    return [
        [item.id, item.question, item.image, list(item.truths), item.category] for item in items
    ]  # fmt: skip


def _model_digest(session: Session, checkpoint: Checkpoint) -> str:
    """Return what stands for the model that answers: trainer, options and weights."""
    choice = Choice("trainer", checkpoint.trainer, checkpoint.options)
    trainer = session.configured(choice).fingerprint.value
    if checkpoint.path is None:
        return digest_of([trainer, None])
    manifest = (checkpoint.path / MANIFEST).read_bytes()
    return digest_of([trainer, hashlib.sha256(manifest).hexdigest()])


def collect_answers(
    session: Session, number: int, items: Sequence[Item], source: AnswerSource
) -> None:
    """Store an answer, or an error, for every item of an evaluation that has none yet.

    Answers that another evaluation has to the same question by the same model are taken over.

    Raises:
        PrerequisiteError: as the trainer.
    """
    with session.store.reading() as connection:
        there = {row.ordinal for row in evaluations.predictions(connection, number)}
    todo = [at for at in range(len(items)) if at not in there]
    session.emit(StageStarted(STAGE, len(items), "questions"))
    if there:
        session.emit(StageAdvanced(STAGE, len(there)))
    with _AnswerWriter(session, number, items, source) as writer:
        known = dict(_known(session, source, todo))
        for at, reply in known.items():
            writer.add(at, reply)
        asked = [at for at in todo if at not in known]
        if asked:
            _ask(session, asked, writer)


def _known(
    session: Session, source: AnswerSource, todo: Sequence[int]
) -> Iterator[tuple[int, str | Failure]]:
    """Yield the items whose reply is known without asking a model, and the reply."""
    if source.given is not None:
        for at in todo:
            yield at, source.given[at]
        return
    assert source.images is not None
    contents = [content for at in todo if (content := source.contents[at]) is not None]
    with session.store.reading() as connection:
        answers = evaluations.known_answers(connection, contents)
    for at in todo:
        problem, content = source.images.problems[at], source.contents[at]
        if problem is not None:
            yield at, Failure(problem)
        elif content is not None and content in answers:
            yield at, answers[content]


def _ask(session: Session, todo: Sequence[int], writer: _AnswerWriter) -> None:
    """Let the model answer."""
    source = writer.source
    assert source.checkpoint is not None
    assert source.decoding is not None
    trainer = build_trainer(session.host, source.checkpoint)
    replies = trainer.generate(source.checkpoint, _prompts(todo, writer), source.decoding)
    for at, reply in zip(todo, replies, strict=True):
        writer.add(at, reply)


def _prompts(todo: Sequence[int], writer: _AnswerWriter) -> Iterator[Prompt]:
    assert writer.source.images is not None
    for at in todo:
        # The trainer comes for more when it has given what it has: before it computes again, for
        # seconds or minutes, what arrived is committed.
        writer.flush_if_due()
        item, path = writer.items[at], writer.source.images.paths[at]
        shown = () if path is None else (Image(path),)
        # No tokenizer takes half a surrogate, and JSON may hold one.
        yield Prompt(sanitize(item.id), (Turn("user", sanitize(item.question)),), shown)


class _AnswerWriter:
    """Commits answers as they arrive, those of about the same time together."""

    def __init__(
        self, session: Session, number: int, items: Sequence[Item], source: AnswerSource
    ) -> None:
        self.session = session
        self.number = number
        self.items = items
        self.source = source
        self._waiting: list[PredictionRow] = []
        self._written = time.monotonic()

    def __enter__(self) -> _AnswerWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.flush()

    def add(self, at: int, reply: str | Failure) -> None:
        """Take an answer, or the reason why there is none."""
        item = self.items[at]
        failed = isinstance(reply, Failure)
        answer = None if isinstance(reply, Failure) else sanitize(reply)
        error = sanitize(reply.reason) or "no reason given" if isinstance(reply, Failure) else None
        self._waiting.append(
            PredictionRow(
                at, sanitize(item.id), sanitize(item.category), self.source.contents[at],
                answer, error,
            )
        )  # fmt: skip
        self.session.emit(StageAdvanced(STAGE, 1, int(failed)))
        self.flush_if_due()

    def flush_if_due(self) -> None:
        """Commit what waits, if the last commit was a while ago."""
        if time.monotonic() - self._written > _FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Commit what waits."""
        if self._waiting:
            with self.session.store.writing() as connection:
                evaluations.put(connection, self.number, self._waiting)
            self._waiting.clear()
        self._written = time.monotonic()
