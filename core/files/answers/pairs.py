"""Pairs for a judge, from a question file, two answer files and descriptions of the images."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ig4.core.contracts.evaluation import Pair
from ig4.core.engine.ingesting.paths import ImageRoots
from ig4.core.errors import DatasetError
from ig4.core.files.answers.questions import Question, question_key
from ig4.core.files.answers.relativescores import category_name
from ig4.core.files.answers.thoughts import UnreadableThoughtsError, without_thoughts
from ig4.core.files.reading import jsonstream
from ig4.core.files.reading.tables import require_file
from ig4.core.files.repeats import Notice, Repeats
from ig4.core.records import JSON, Image
from ig4.core.texts import sanitize

_ANSWERS = ("prediction", "response", "output", "answer", "text", "caption")
_IDS = ("id", "question_id", "sample_id")
_CONTEXTS = ("caption", "captions", "context", "description", "text")
_MODELS = ("model_id", "model")


@dataclass(frozen=True, slots=True)
class AnswerFile:
    """The answers of one file by the keys of their questions; `missing` says why some lack one."""

    path: Path
    model: str | None
    texts: Mapping[str, str]
    missing: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class MatchedPair:
    """A pair made from the files; `problem` says why it cannot be judged."""

    pair: Pair
    problem: str | None = None


def read_answers(
    path: Path, questions: Sequence[Question], notice: Notice | None = None
) -> AnswerFile:
    """Return the answers to questions that a file holds.

    A record has its answer under "prediction", "response", "output", "answer", "text" or
    "caption" (ig4's own files have "answer", LLaVA's "text"), and the id of its question under
    "id", "question_id" or "sample_id": the one that matches most of the questions counts. Without
    any, records are numbered from 0. Thoughts before an answer are no part of it. An answer that is
    repeated as it is counts once; `notice` is told how many.

    Raises:
        DatasetError: the file cannot be read, an id has two answers or is there for some records
            only, or no record answers a question.
    """
    records = _read_records(path)
    keys = _keys(path, records, {question.key for question in questions})
    texts: dict[str, str] = {}
    missing: dict[str, str] = {}
    repeats: Repeats[JSON] = Repeats(path, "answer")
    for number, (key, record) in enumerate(zip(keys, records, strict=True), 1):
        where = f"{path}, record {number}"
        # The first that is there, even if empty: a field of another name may hold the truth.
        answer = next((record[name] for name in _ANSWERS if name in record), None)
        if isinstance(answer, float) and math.isnan(answer):
            answer = None  # an empty cell of a table
        elif isinstance(answer, (int, float)):
            answer = str(answer)
        if not repeats.is_new(key, answer, number):
            continue
        if isinstance(answer, str):
            try:
                texts[key] = without_thoughts(answer)
            except UnreadableThoughtsError as error:
                missing[key] = str(error)
        elif answer is None and ("error" in record or any(name in record for name in _ANSWERS)):
            missing[key] = str(record.get("error") or "it is empty")
        else:
            raise DatasetError(
                f"{where} has no answer: it needs a text under {' or '.join(_ANSWERS)}"
            )
    if not any(question.key in texts or question.key in missing for question in questions):
        raise DatasetError(
            f"{path} answers none of the questions: are its ids those of the question file?"
        )
    repeats.tell(notice)
    model = _first(records[0], _MODELS)
    return AnswerFile(path, model if isinstance(model, str) else None, texts, missing)


def side_labels(first: AnswerFile, second: AnswerFile) -> tuple[str, str]:
    """Return the labels of both sides: their models, else the names of their files."""
    for one, other in (
        (first.model, second.model),
        (first.path.stem, second.path.stem),
        (str(first.path), str(second.path)),
    ):
        if one and other and one != other:
            return one, other
    return "first", "second"


@dataclass(frozen=True, slots=True)
class Contexts:
    """Descriptions of images, by the image's name and by the question's key."""

    by_image: Mapping[str, str]
    by_key: Mapping[str, str]

    def of(self, question: Question) -> str:
        """Return the description of a question's image, "" if there is none."""
        known = self.by_image.get(question.image or "")
        return known if known is not None else self.by_key.get(question.key, "")


def read_contexts(path: Path) -> Contexts:
    """Return the descriptions in a file: "caption" (or "captions", "context") by "image" or "id".

    Raises:
        DatasetError: the file cannot be read, a record has no description, image or id, or two
            records describe one image or id differently.
    """
    by_image: dict[str, str] = {}
    by_key: dict[str, str] = {}
    for number, record in enumerate(_read_records(path), 1):
        text = _first(record, _CONTEXTS)
        if isinstance(text, list) and all(isinstance(one, str) for one in text):
            text = "\n".join(text)
        image, key = record.get("image"), _first(record, _IDS)
        if not isinstance(text, str) or (not isinstance(image, str) and key is None):
            raise DatasetError(
                f"{path}, record {number} describes no image: it needs a text under "
                f"{' or '.join(_CONTEXTS)}, and image or id"
            )
        known, name = (
            (by_image, sanitize(image)) if isinstance(image, str) else (by_key, question_key(key))
        )
        if known.setdefault(name, text) != text:
            raise DatasetError(
                f"{path}, record {number}: {name[:80]!r} has another description already: give it "
                "one, or a list of them in one record"
            )
    return Contexts(by_image, by_key)


def match(
    questions: Sequence[Question],
    answers: tuple[AnswerFile, AnswerFile],
    contexts: Contexts | None,
    roots: ImageRoots,
) -> list[MatchedPair]:
    """Return a pair for each question, in order."""
    return [_match(question, answers, contexts, roots) for question in questions]


def _match(
    question: Question,
    answers: tuple[AnswerFile, AnswerFile],
    contexts: Contexts | None,
    roots: ImageRoots,
) -> MatchedPair:
    images: tuple[Image, ...] = ()
    if question.image is not None:
        images = (roots.image(question.image),)
    first, second = (one.texts.get(question.key) for one in answers)
    problems = [
        f"{one.path.name} has no answer ({one.missing.get(question.key, 'not in the file')})"
        for one in answers
        if question.key not in one.texts
    ]
    pair = Pair(
        question.key,
        question.text,
        first or "",
        second or "",
        contexts.of(question) if contexts else "",
        images,
        category_name(question.record.get("category")),
    )
    return MatchedPair(pair, "; ".join(problems) or None)


def _read_records(path: Path) -> list[dict[str, JSON]]:
    require_file(path)
    records = list(jsonstream.rows(path, jsonstream.records(path)))
    numbers = (n for n, record in enumerate(records, 1) if not isinstance(record, dict))
    wrong = next(numbers, None)
    if wrong is not None:
        raise DatasetError(f"{path}, record {wrong} is not a JSON object")
    if not records:
        raise DatasetError(f"{path} is empty")
    return records


def _keys(path: Path, records: Sequence[Mapping[str, JSON]], known: set[str]) -> list[str]:
    """Return each record's key, from the field whose values include most of the `known` keys.

    Raises:
        DatasetError: some records have an id and others do not, so numbers could mix them up.
    """
    best: list[str] | None = None
    for name in _IDS:
        if all(record.get(name) is not None for record in records):
            keys = [question_key(record[name]) for record in records]
            if best is None or len(known.intersection(keys)) > len(known.intersection(best)):
                best = keys
    if best is not None:
        return best
    without_id = [n for n, record in enumerate(records, 1) if _first(record, _IDS) is None]
    if len(without_id) < len(records):
        problem = (
            f"record {without_id[0]} has no id"
            if without_id
            else "its records have ids under several names"
        )
        raise DatasetError(
            f"{path}: {problem}: give all of them one under {' or '.join(_IDS)}, or none to any"
        )
    return [str(number) for number in range(len(records))]


def _first(record: Mapping[str, JSON], names: Sequence[str]) -> JSON:
    return next((record[name] for name in names if record.get(name) is not None), None)
