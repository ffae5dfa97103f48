"""Reads question files: JSON lines (or a JSON array) of images and questions about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ig4.core.contracts.training import Prompt
from ig4.core.engine.ingesting.paths import ImageRoots
from ig4.core.errors import DatasetError
from ig4.core.files.reading import jsonstream
from ig4.core.files.reading.tables import require_file
from ig4.core.files.repeats import Notice, Repeats
from ig4.core.records import JSON, Image, Turn
from ig4.core.texts import sanitize

_QUESTIONS = ("question", "text", "prompt", "instruction")
_IDS = ("id", "question_id", "sample_id")


@dataclass(frozen=True, slots=True)
class Question:
    """One question; `id` is as the file has it, `key` is the same as text, unique in the file."""

    id: JSON
    key: str
    text: str
    image: str | None
    record: Mapping[str, JSON]

    def prompt(self, roots: ImageRoots) -> Prompt:
        """Return the prompt for a trainer; an image outside of `roots` has its `problem` set."""
        images: tuple[Image, ...] = ()
        if self.image is not None:
            images = (roots.image(self.image),)
        return Prompt(self.key, (Turn("user", self.text),), images)


def read_questions(path: Path, notice: Notice | None = None) -> list[Question]:
    """Return the questions of a file.

    A record has its question under "question", "text", "prompt" or "instruction", its image under
    "image" (a path, or nothing), its id under "id" or "question_id" (else it is the record's
    number, from 0). Equal records with one id are one question; `notice` is told how many.

    Raises:
        DatasetError: the file cannot be read, a record has no question, or an id comes twice, with
            different records.
    """
    require_file(path)
    questions: list[Question] = []
    repeats: Repeats[JSON] = Repeats(path, "question")
    for number, record in enumerate(jsonstream.rows(path, jsonstream.records(path))):
        question = _question(record, number, path)
        content = {name: value for name, value in question.record.items() if name not in _IDS}
        if repeats.is_new(question.key, content, number + 1):
            questions.append(question)
    repeats.tell(notice)
    if not questions:
        raise DatasetError(f"{path} has no questions")
    return questions


def _question(record: JSON, number: int, path: Path) -> Question:
    where = f"{path}, record {number + 1}"
    if not isinstance(record, dict):
        raise DatasetError(f"{where} is not a JSON object")
    text = _first(record, _QUESTIONS)
    if not isinstance(text, str) or not text.strip():
        raise DatasetError(
            f"{where} has no question: it needs a text under {' or '.join(_QUESTIONS)}"
        )
    own_id = _first(record, _IDS)
    image = record.get("image")
    if image is not None and not isinstance(image, str):
        raise DatasetError(f"{where}: its image is not a path")
    id_ = number if own_id is None else own_id
    path_text = sanitize(image) if image else None
    return Question(id_, question_key(id_), sanitize(text), path_text, record)


def question_key(id_: JSON) -> str:
    """Return an id as text that every database can hold; answers are matched to questions by it.

    17.0, as tables with gaps have it, becomes 17.
    """
    if isinstance(id_, float) and id_.is_integer():
        id_ = int(id_)
    return sanitize(str(id_))


def _first(record: Mapping[str, JSON], names: Sequence[str]) -> JSON:
    return next((record[name] for name in names if record.get(name) is not None), None)
