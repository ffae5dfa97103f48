"""Collects an answer, or the reason why there is none, for every item of a benchmark."""

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
from ig4.core.engine.training.generate import build_trainer
from ig4.core.events import StageAdvanced, StageStarted
from ig4.core.files.answers import predictions
from ig4.core.files.answers.thoughts import UnreadableThoughtsError, without_thoughts
from ig4.core.host.fingerprint import digest_of
from ig4.core.records import JSON, Choice, Failure, Turn
from ig4.core.secrets import redact
from ig4.core.texts import sanitize
from ig4.storage import evaluations
from ig4.storage.evaluations import PredictionRow

if TYPE_CHECKING:
    from ig4.core.engine.session import Session

STAGE = "evaluate"
_FLUSH_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class AnswerSource:
    """Where answers come from: a model and its decoding, or a file whose answers are `given`.

    `origin` is the checkpoint's folder, the trainer or the file, in words. `contents` are digests
    of what each item's answer depends on (None for answers made elsewhere); `digest` is one of
    all this and the items.
    """

    label: str
    origin: str
    contents: Sequence[str | None]
    digest: str
    given: Sequence[str | Failure] | None = None
    checkpoint: Checkpoint | None = None
    decoding: Decoding | None = None
    images: ItemImages | None = None


def from_file(
    session: Session, all_items: Sequence[Item], path: Path, label: str | None, limit: int | None
) -> AnswerSource:
    """Return the answers in a file to the first `limit` of the benchmark's items as a source.

    Raises:
        DatasetError: it cannot be read, or its answers do not match the items.
    """
    given = predictions.read_predictions(path, all_items, limit=limit, notice=session.notice)
    items = all_items[:limit]
    digest = digest_of([_items_json(items), "predictions", session.digest(path)])
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
    """Return a model as a source; `folders` are the benchmark's for images, and the user's.

    Raises:
        UsageError, DatasetError: as `item_images`.
        PrerequisiteError: the model of the checkpoint is not there.
    """
    images = item_images(session, items, *folders)
    model = _model_digest(session, checkpoint)
    settings = asdict(decoding)
    del settings["batch_size"]
    contents = [
        digest_of([model, settings, item.id, item.question, images.digests[index]])
        for index, item in enumerate(items)
    ]
    path = checkpoint.path
    label = label or (checkpoint.trainer if path is None else path.resolve().name)
    origin = f"{checkpoint.trainer}, untrained" if path is None else str(path.absolute())
    digest = digest_of([_items_json(items), contents])
    return AnswerSource(
        sanitize(label), sanitize(origin), contents, digest, None, checkpoint, decoding, images
    )


def _items_json(items: Sequence[Item]) -> JSON:
    return [
        [item.id, item.question, item.image, list(item.truths), item.category] for item in items
    ]  # fmt: skip


def _model_digest(session: Session, checkpoint: Checkpoint) -> str:
    """Return a digest of the model that answers: trainer, options and weights."""
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

    Answers of the same model to the same question in another evaluation are reused.

    Raises:
        PrerequisiteError: as the trainer.
    """
    with session.store.reading() as connection:
        stored = {row.ordinal for row in evaluations.predictions(connection, number)}
    todo = [index for index in range(len(items)) if index not in stored]
    session.emit(StageStarted(STAGE, len(items), "questions"))
    if stored:
        session.emit(StageAdvanced(STAGE, len(stored)))
    with _AnswerWriter(session, number, items, source) as writer:
        known = dict(_known_replies(session, source, todo))
        for index, reply in known.items():
            writer.add(index, reply)
        unknown = [index for index in todo if index not in known]
        if unknown:
            _generate(session, unknown, writer)


def _known_replies(
    session: Session, source: AnswerSource, todo: Sequence[int]
) -> Iterator[tuple[int, str | Failure]]:
    """Yield the indices of items whose reply is known without a model, with the reply."""
    if source.given is not None:
        for index in todo:
            yield index, source.given[index]
        return
    assert source.images is not None
    contents = [content for index in todo if (content := source.contents[index]) is not None]
    with session.store.reading() as connection:
        answers = evaluations.known_answers(connection, contents)
    for index in todo:
        problem, content = source.images.problems[index], source.contents[index]
        if problem is not None:
            yield index, Failure(problem)
        elif content is not None and content in answers:
            yield index, answers[content]


def _generate(session: Session, todo: Sequence[int], writer: _AnswerWriter) -> None:
    """Let the model answer the items at the indices `todo`."""
    source = writer.source
    assert source.checkpoint is not None
    assert source.decoding is not None
    trainer = build_trainer(session.host, source.checkpoint)
    replies = trainer.generate(source.checkpoint, _prompts(todo, writer), source.decoding)
    for index, reply in zip(todo, replies, strict=True):
        writer.add(index, reply)


def _prompts(todo: Sequence[int], writer: _AnswerWriter) -> Iterator[Prompt]:
    assert writer.source.images is not None
    for index in todo:
        # The trainer asks for more prompts once it has given all its answers. They are committed
        # now, before it computes again for seconds or minutes.
        writer.flush_if_due()
        item, image = writer.items[index], writer.source.images.images[index]
        images = () if image is None else (image,)
        # No tokenizer takes half a surrogate, and JSON may hold one.
        yield Prompt(sanitize(item.id), (Turn("user", sanitize(item.question)),), images)


def answers_to_grade(answers: Sequence[str | None]) -> list[str | None]:
    """Return answers without the thoughts before them: a word in a thought is no answer."""
    return [None if answer is None else _without_thoughts(answer) for answer in answers]


def _without_thoughts(answer: str) -> str | None:
    try:
        return without_thoughts(answer)
    except UnreadableThoughtsError:
        return None


def _checked(reply: str | Failure) -> str | Failure:
    """Return a reply, or a Failure if it is thoughts from which no answer can be told."""
    if isinstance(reply, Failure):
        return reply
    try:
        without_thoughts(reply)
    except UnreadableThoughtsError as error:
        return Failure(f"the model thought, and {error}: let it write more tokens")
    return reply


class _AnswerWriter:
    """Commits answers as they arrive, those that arrive at about the same time together."""

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

    def add(self, index: int, reply: str | Failure) -> None:
        """Add the answer to an item, or the reason why there is none."""
        item, reply = self.items[index], _checked(reply)
        failed = isinstance(reply, Failure)
        answer = None if isinstance(reply, Failure) else sanitize(reply)
        reason = sanitize(redact(reply.reason)) if isinstance(reply, Failure) else None
        error = "no reason given" if reason == "" else reason
        self._waiting.append(
            PredictionRow(
                index, sanitize(item.id), sanitize(item.category), self.source.contents[index],
                answer, error,
            )
        )  # fmt: skip
        self.session.emit(StageAdvanced(STAGE, 1, int(failed)))
        self.flush_if_due()

    def flush_if_due(self) -> None:
        """Commit what is waiting, if the last commit was a while ago."""
        if time.monotonic() - self._written > _FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Commit what is waiting."""
        if self._waiting:
            with self.session.store.writing() as connection:
                evaluations.put(connection, self.number, self._waiting)
            self._waiting.clear()
        self._written = time.monotonic()
