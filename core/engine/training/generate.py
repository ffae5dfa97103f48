"""Answers a file of questions with a checkpoint, and resumes where it was interrupted."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, TextIO, cast

from ig4.core.contracts import Trainer
from ig4.core.contracts.training import MANIFEST, Checkpoint, Decoding
from ig4.core.engine.ingesting.paths import ImageRoots
from ig4.core.errors import DatasetError, UsageError
from ig4.core.events import Notice, StageAdvanced, StageFinished, StageStarted
from ig4.core.files.answers.questions import Question, read_questions
from ig4.core.files.writing.atomic import replacing, sync, sync_entry
from ig4.core.files.writing.written import refuse_link
from ig4.core.host.fingerprint import digest_of
from ig4.core.records import JSON, Choice, Failure
from ig4.core.texts import sanitize

if TYPE_CHECKING:
    from ig4.core.events import Event, Listener
    from ig4.core.host.host import Host

STAGE = "generate"


@dataclass(frozen=True, slots=True)
class GenerateResult:
    """How many questions have an answer now, how many were answered now, and how many failed."""

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
    """Return the checkpoint in a folder with some options changed, or a trainer's untrained model.

    Raises:
        UsageError: neither a folder nor a trainer is given.
        PrerequisiteError: the folder holds no checkpoint.
    """
    if path is not None:
        saved = Checkpoint.read(path)
        return Checkpoint(
            saved.trainer, {**saved.options, **overrides}, path, saved.origin, saved.seed,
            saved.metrics, saved.version,
        )  # fmt: skip
    if choice is None:
        raise UsageError("name a checkpoint's folder, or an untrained model with --trainer")
    return Checkpoint(choice.use, {**choice.options, **overrides})


def build_trainer(host: Host, checkpoint: Checkpoint) -> Trainer:
    """Return the trainer that made a checkpoint, with its options."""
    return cast("Trainer", host.build(Choice("trainer", checkpoint.trainer, checkpoint.options)))


def generate(
    host: Host, checkpoint: Checkpoint, request: GenerateRequest, listeners: Sequence[Listener] = ()
) -> GenerateResult:
    """Answer the questions of a file; a line of `answers` is written as each answer arrives.

    Lines that are there already, of the same checkpoint and the same decoding, stay.

    Raises:
        DatasetError: the questions cannot be read, or the answers cannot be written.
        UsageError: the answers' file holds something else.
        PrerequisiteError: as the trainer.
    """
    questions = read_questions(request.questions, lambda text: _emit(listeners, Notice(text)))
    check_answers_file(request)
    digest = _digest(host, checkpoint, request.decoding)
    earlier = {} if request.overwrite else _earlier_lines(request, questions, digest)
    todo = [question for question in questions if question.key not in earlier]
    roots = ImageRoots(request.questions.parent, request.image_root)
    _emit(listeners, StageStarted(STAGE, len(questions), "questions"))
    if earlier:
        _emit(listeners, StageAdvanced(STAGE, len(earlier)))
    failed = sum("error" in line for line in earlier.values())
    replace = request.overwrite and request.answers.exists()
    if not replace:
        _rewrite(request.answers, earlier.values())
    if todo:
        trainer = build_trainer(host, checkpoint)
        prompts = (question.prompt(roots) for question in todo)
        replies = trainer.generate(checkpoint, prompts, request.decoding)
        for line in _write(request.answers, todo, replies, digest, replace=replace):
            failed += "error" in line
            _emit(listeners, StageAdvanced(STAGE, 1, int("error" in line)))
    _emit(listeners, StageFinished(STAGE, str(request.answers)))
    return GenerateResult(
        request.answers, len(questions), len(questions) - failed, len(todo), failed
    )


def check_answers_file(request: GenerateRequest) -> None:
    """Find out before any work is done that answers may not be written to a path.

    Raises:
        UsageError: it is a link, a folder or a device, or holds the questions.
    """
    path = request.answers
    if path.is_symlink():
        if not request.overwrite:
            refuse_link(path)
        path.unlink()
    if path.exists():
        if not path.is_file():
            raise UsageError(f"{path} is no file: name one with --out")
        if path.samefile(request.questions):
            raise UsageError(f"{path} holds the questions: name another file with --out")


def _write(
    path: Path,
    questions: Sequence[Question],
    replies: Iterator[str | Failure],
    digest: str,
    *,
    replace: bool,
) -> Iterator[dict[str, JSON]]:
    """Write answers as they arrive; yields their lines.

    With `replace`, the old file stays until the first answer arrives.
    """
    first = [next(replies)] if questions else []
    try:
        with _open(path, "w" if replace else "a") as file:
            for question, reply in zip(questions, chain(first, replies), strict=True):
                line = _line(question, reply, digest)
                file.write(_text(line))
                file.flush()
                yield line
        sync(path)
        sync_entry(path)
    except OSError as error:
        raise DatasetError(f"{path} cannot be written: {error.strerror or error}") from None


def _open(path: Path, mode: str) -> TextIO:
    """Open the answers' file; a link that came into its place is not followed."""
    no_link = getattr(os, "O_NOFOLLOW", 0)
    opened = open(  # noqa: SIM115 - Path.open has no opener; the caller closes it
        path,
        mode,
        encoding="utf-8",
        opener=lambda name, flags: os.open(name, flags | no_link, 0o666),
    )
    return cast("TextIO", opened)


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


def _earlier_lines(
    request: GenerateRequest, questions: Sequence[Question], digest: str
) -> dict[str, dict[str, JSON]]:
    """Return the lines of the answers' file that stay, by the keys of their questions.

    Raises:
        UsageError: some are of another checkpoint, another decoding, or other questions.
    """
    texts = {question.key: question.text for question in questions}
    lines: dict[str, dict[str, JSON]] = {}
    for line in _lines(request.answers):
        key = str(line.get("id"))
        if line.get("ig4") != digest or texts.get(key) != line.get("question"):
            raise UsageError(
                f"{request.answers} holds answers of another checkpoint, to other questions, or "
                "decoded otherwise: name another file with --out, or --overwrite it"
            )
        if "error" not in line or not request.retry_failed:
            lines[key] = line
    return lines


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
            raise UsageError(f"{path} is not a file of answers: name another with --out")
        yield line


def _rewrite(path: Path, lines: Iterable[JSON]) -> None:
    """Write the lines that stay, in one step: a kill leaves either the old file or the new one."""
    with replacing(path) as partial, partial.open("x", encoding="utf-8") as file:
        for line in lines:
            file.write(_text(line))


def _text(line: JSON) -> str:
    """Return a line of the answers' file; ids and categories may hold anything."""
    return sanitize(json.dumps(line, ensure_ascii=False)) + "\n"


def _digest(host: Host, checkpoint: Checkpoint, decoding: Decoding) -> str:
    """Return a digest of what answers depend on beside the questions: checkpoint and decoding.

    Options that override a checkpoint's own count where they change what is computed; a device or
    the size of micro-batches does not.
    """
    settings = asdict(decoding)
    del settings["batch_size"]
    if checkpoint.path is None:
        return digest_of([checkpoint.trainer, dict(checkpoint.options), settings])[:16]
    weights = hashlib.sha256((checkpoint.path / MANIFEST).read_bytes()).hexdigest()
    own = Checkpoint.read(checkpoint.path)
    if checkpoint.options != own.options:
        identity, own_identity = (
            build_trainer(host, each).identity(str) for each in (checkpoint, own)
        )
        if identity != own_identity:
            return digest_of([weights, dict(identity), settings])[:16]
    return digest_of([weights, settings])[:16]


def _emit(listeners: Sequence[Listener], event: Event) -> None:
    for listener in listeners:
        listener(event)
