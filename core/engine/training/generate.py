"""Answers a file of questions with a checkpoint, and goes on where it was interrupted."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, cast

from ig4.core.contracts import Trainer
from ig4.core.contracts.training import MANIFEST, Checkpoint, Decoding
from ig4.core.engine.ingesting.paths import ImageRoots
from ig4.core.engine.ingesting.texts import sanitize
from ig4.core.errors import DatasetError, UsageError
from ig4.core.events import StageAdvanced, StageFinished, StageStarted
from ig4.core.files.questions import Question, read_questions
from ig4.core.host.fingerprint import digest_of
from ig4.core.records import JSON, Choice, Failure

if TYPE_CHECKING:
    from ig4.core.events import Event, Listener
    from ig4.core.host.host import Host

STAGE = "generate"


@dataclass(frozen=True, slots=True)
class GenerateResult:
    """How many questions have an answer now, how many of them are new, how many failed."""

    path: Path
    questions: int
    answered: int
    new: int
    failed: int


@dataclass(frozen=True, slots=True)
class GenerateRequest:
    """A question file, where the answers go, and how they are made."""

    questions: Path
    answers: Path
    decoding: Decoding
    image_root: Path | None = None
    retry_failed: bool = False
    overwrite: bool = False


def load_checkpoint(
    path: Path | None, choice: Choice | None, overrides: Mapping[str, JSON]
) -> Checkpoint:
    """Return a checkpoint with some options changed, or an untrained model by its trainer.

    Raises:
        UsageError: neither is given.
        PrerequisiteError: the folder is no checkpoint.
    """
    if path is not None:
        kept = Checkpoint.read(path)
        return Checkpoint(
            kept.trainer, {**kept.options, **overrides}, path, kept.origin, kept.seed,
            kept.metrics, kept.version,
        )  # fmt: skip
    if choice is None:
        raise UsageError("name a checkpoint's folder, or an untrained model with --trainer")
    return Checkpoint(choice.use, {**choice.options, **overrides})


def build_trainer(host: Host, checkpoint: Checkpoint) -> Trainer:
    """Return the trainer that a checkpoint was made by, with its options."""
    return cast("Trainer", host.build(Choice("trainer", checkpoint.trainer, checkpoint.options)))


def generate(
    host: Host, checkpoint: Checkpoint, asking: GenerateRequest, listeners: Sequence[Listener] = ()
) -> GenerateResult:
    """Answer what a file asks; a line of `answers` is written as each answer arrives.

    Lines that are there already, of the same checkpoint and the same way of decoding, stay.

    Raises:
        DatasetError: the questions cannot be read, or the answers not be written.
        UsageError: the answers' file holds something else.
        PrerequisiteError: as the trainer.
    """
    questions = read_questions(asking.questions)
    digest = _digest(host, checkpoint, asking.decoding)
    kept = {} if asking.overwrite else _kept(asking, questions, digest)
    todo = [one for one in questions if one.key not in kept]
    roots = ImageRoots(asking.questions.parent, asking.image_root)
    _emit(listeners, StageStarted(STAGE, len(questions), "questions"))
    if kept:
        _emit(listeners, StageAdvanced(STAGE, len(kept)))
    failed = sum("error" in line for line in kept.values())
    replaced = asking.overwrite and asking.answers.exists()
    if not replaced:
        _rewrite(asking.answers, kept.values())
    if todo:
        trainer = build_trainer(host, checkpoint)
        prompts = (one.prompt(roots) for one in todo)
        replies = trainer.generate(checkpoint, prompts, asking.decoding)
        for line in _written(asking.answers, todo, replies, digest, replaced=replaced):
            failed += "error" in line
            _emit(listeners, StageAdvanced(STAGE, 1, int("error" in line)))
    _emit(listeners, StageFinished(STAGE, str(asking.answers)))
    return GenerateResult(
        asking.answers, len(questions), len(questions) - failed, len(todo), failed
    )


def _written(
    path: Path,
    questions: Sequence[Question],
    replies: Iterator[str | Failure],
    digest: str,
    *,
    replaced: bool,
) -> Iterator[dict[str, JSON]]:
    """Write answers as they arrive; a file that is replaced stays until the first of them does."""
    first = [next(replies)] if questions else []
    try:
        with path.open("w" if replaced else "a", encoding="utf-8") as file:
            for question, reply in zip(questions, chain(first, replies), strict=True):
                line = _line(question, reply, digest)
                file.write(_text(line))
                file.flush()
                yield line
    except OSError as error:
        raise DatasetError(f"{path} cannot be written: {error.strerror or error}") from None


def _line(question: Question, reply: str | Failure, digest: str) -> dict[str, JSON]:
    line: dict[str, JSON] = {"id": question.id, "question": question.text}
    if question.image is not None:
        line["image"] = question.image
    for name in ("question_id", "category"):
        if name in question.record:
            line[name] = question.record[name]
    if isinstance(reply, Failure):
        line["error"] = reply.reason
    else:
        line["answer"] = reply
    line["ig4"] = digest
    return line


def _kept(
    asking: GenerateRequest, questions: Sequence[Question], digest: str
) -> dict[str, dict[str, JSON]]:
    """Return the lines of the answers' file that stand, by the keys of their questions.

    Raises:
        UsageError: some are of another checkpoint, another way of decoding, or other questions.
    """
    texts = {one.key: one.text for one in questions}
    kept: dict[str, dict[str, JSON]] = {}
    for line in _lines(asking.answers):
        key = str(line.get("id"))
        if line.get("ig4") != digest or texts.get(key) != line.get("question"):
            raise UsageError(
                f"{asking.answers} holds answers of another checkpoint, to other questions, or "
                "decoded otherwise: name another file with --out, or --overwrite it"
            )
        if "error" not in line or not asking.retry_failed:
            kept[key] = line
    return kept


def _lines(path: Path) -> Iterator[dict[str, JSON]]:
    """Yield the lines of an answers' file; the last one may have been cut by a kill."""
    if not path.exists():
        return
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror or error}") from None
    for number, text in enumerate(lines):
        try:
            line = json.loads(text)
        except (ValueError, RecursionError):
            if number + 1 == len(lines):
                return
            line = None
        if not isinstance(line, dict):
            raise UsageError(f"{path} is no file of answers: name another with --out")
        yield line


def _rewrite(path: Path, lines: Iterable[JSON]) -> None:
    """Write the lines that stand, in one go, so that a kill leaves the old file or the new."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f"{path.name}.partial")
        with partial.open("w", encoding="utf-8") as file:
            for line in lines:
                file.write(_text(line))
        partial.replace(path)
    except OSError as error:
        raise DatasetError(f"{path} cannot be written: {error.strerror or error}") from None


def _text(line: JSON) -> str:
    """Return a line of the answers' file; ids and categories are as odd as the questions' file."""
    return sanitize(json.dumps(line, ensure_ascii=False)) + "\n"


def _digest(host: Host, checkpoint: Checkpoint, decoding: Decoding) -> str:
    """Return what answers depend on, but for the questions: the checkpoint and the decoding.

    Options laid over a checkpoint's own count where they change what is computed; a device or a
    piece's size does not.
    """
    how = asdict(decoding)
    del how["batch_size"]
    if checkpoint.path is None:
        return digest_of([checkpoint.trainer, dict(checkpoint.options), how])[:16]
    weights = hashlib.sha256((checkpoint.path / MANIFEST).read_bytes()).hexdigest()
    own = Checkpoint.read(checkpoint.path)
    if checkpoint.options != own.options:
        meant, usual = (build_trainer(host, one).identity(str) for one in (checkpoint, own))
        if meant != usual:
            return digest_of([weights, dict(meant), how])[:16]
    return digest_of([weights, how])[:16]


def _emit(listeners: Sequence[Listener], event: Event) -> None:
    for listener in listeners:
        listener(event)
