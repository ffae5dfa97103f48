"""Reads answers that were made elsewhere, and matches them to the items of a benchmark.

Known are the files of `ig4 generate`, LLaVA, lmms-eval (`samples_*.jsonl`), VLMEvalKit (tables with
`index` and `prediction`), COCO's caption results, and any table of ids and answers.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ig4.core.contracts.evaluation import Item
from ig4.core.errors import DatasetError
from ig4.core.files import jsonstream
from ig4.core.files.spreadsheet import is_spreadsheet, spreadsheet_rows
from ig4.core.files.tables import read_rows, require_file, text_id
from ig4.core.records import JSON, Failure

ANSWERS = ("prediction", "answer", "response", "output", "text", "caption")
"""Usual names of a column of answers; the first that is there counts: VLMEvalKit's `answer` is the
truth, and LLaVA's `text` the answer."""

IDS = ("id", "question_id", "item_id", "sample_id", "image_id", "index", "doc_id", "image")
"""Usual names of a column of ids; the first that has ids of the benchmark counts."""

PLACES = ("doc_id", "index")
"""Columns that may hold the number of an item, from 0, instead of its id."""

_SHOWN_IDS = 3
_SPACE = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class _Row:
    """A row of the file: all its ids, its answer, and its question and prompt if there are any."""

    ids: Mapping[str, str]
    answer: str | Failure
    question: str | None = None
    prompt: str | None = None


def read_predictions(
    path: Path, items: Sequence[Item], *, partial: bool = False
) -> list[str | Failure]:
    """Return the answer to each item, in order, from a file in any of the known forms.

    With `partial`, the items are not all of the benchmark's, and answers to others are skipped.

    Raises:
        DatasetError: the file cannot be read, or has no answers; an id is missing, comes twice,
            or is not the benchmark's.
        MissingExtraError: a spreadsheet without openpyxl.
    """
    rows = [_read_row(path, number, row) for number, row in enumerate(_read_rows(path), 1)]
    if not rows:
        raise DatasetError(f"{path} has no answers")
    places = _places(path, rows, items)
    answers: dict[int, str | Failure] = {}
    unknown: list[str] = []
    twice: list[str] = []
    for row, (name, place) in zip(rows, places, strict=True):
        if place is None:
            unknown.append(name)
        elif place in answers:
            twice.append(name)
        else:
            answers[place] = row.answer
    if twice:
        raise DatasetError(
            f"{path} has more than one answer to {_list_ids(twice)}: leave one of each"
        )
    if unknown and not partial:
        raise DatasetError(
            f"{path} answers {_list_ids(unknown)}, which the benchmark does not ask (its first is "
            f"{items[0].id!r}): is this the right file, and the right benchmark?"
        )
    missing = [item.id for place, item in enumerate(items) if place not in answers]
    if missing:
        raise DatasetError(
            f"{path} has no answer to {_list_ids(missing)} of the {len(items):,} questions: it "
            "must answer all of them; --limit N takes only the first"
        )
    return [answers[place] for place in range(len(items))]


def _read_rows(path: Path) -> Iterable[Mapping[str, JSON]]:
    require_file(path)
    if is_spreadsheet(path):
        return spreadsheet_rows(path)
    if jsonstream.layout(path) == "object":
        firsts = jsonstream.first_items(path)
        if not any(isinstance(first, dict) for first in firsts.values()):
            return ({"id": name, "answer": value} for name, value in jsonstream.members(path))
    return read_rows(path)


def _read_row(path: Path, number: int, row: Mapping[str, JSON]) -> _Row:
    where = f"{path}, row {number:,}"
    if "resps" in row or "filtered_resps" in row:
        return _lmms_row(where, row)
    ids = _ids(row)
    if "answer" not in row and "prediction" not in row and isinstance(row.get("error"), str):
        return _Row(ids, Failure(row["error"]))
    column = next((name for name in ANSWERS if name in row), None)
    if column is None:
        raise DatasetError(
            f"{where} has no answer: it needs one under {' or '.join(map(repr, ANSWERS))}"
        )
    return _Row(ids, _answer(where, row[column]), _text(row.get("question")))


def _lmms_row(where: str, row: Mapping[str, JSON]) -> _Row:
    """Read a line of lmms-eval; the answer is the one its filters made.

    Earlier versions keep the document under `doc`; later ones the prompt under `input`.
    """
    doc = row.get("doc")
    document: Mapping[str, JSON] = doc if isinstance(doc, dict) else {}
    answer = row.get("filtered_resps", row.get("resps"))
    while isinstance(answer, list) and len(answer) == 1:
        answer = answer[0]
    ids = _ids(document) | _ids(row)
    question, prompt = _text(document.get("question")), _text(row.get("input"))
    return _Row(ids, _answer(where, answer), question, prompt)


def _text(value: JSON) -> str | None:
    return value if isinstance(value, str) and value.strip() else None


def _ids(row: Mapping[str, JSON]) -> dict[str, str]:
    ids = {name: text_id(row[name]) for name in IDS if name in row}
    return {name: value for name, value in ids.items() if value is not None}


def _answer(where: str, value: JSON) -> str | Failure:
    if isinstance(value, str):
        return value
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return Failure("the answer is empty in the file")
    number = text_id(value)
    if number is None:
        text = json.dumps(value, default=str)
        raise DatasetError(f"{where}: the answer is not text, but {text[:80]}")
    return number


def _places(
    path: Path, rows: Sequence[_Row], items: Sequence[Item]
) -> list[tuple[str, int | None]]:
    """Return the id of each row, and the place of its item, None where there is none."""
    by_id = {item.id: place for place, item in enumerate(items)}
    in_all_rows = [name for name in IDS if all(name in row.ids for row in rows)]
    if not in_all_rows:
        raise DatasetError(
            f"{path} has no ids: each answer needs one under {', '.join(map(repr, IDS))}"
        )
    for name in in_all_rows:
        if any(row.ids[name] in by_id for row in rows):
            matched = [(row.ids[name], by_id.get(row.ids[name])) for row in rows]
            break
    else:
        name = next((one for one in PLACES if one in in_all_rows), in_all_rows[0])
        places = name in PLACES
        matched = [
            (row.ids[name], _place(row.ids[name], len(items)) if places else None) for row in rows
        ]
    if name in PLACES:
        _require_same_questions(path, rows, matched, items)
    return matched


def _place(number: str, items: int) -> int | None:
    is_number = number.isascii() and number.isdigit()
    if not is_number or len(number) > 9 or int(number) >= items:
        return None
    return int(number)


def _require_same_questions(
    path: Path,
    rows: Sequence[_Row],
    places: Sequence[tuple[str, int | None]],
    items: Sequence[Item],
) -> None:
    """Require that rows matched by number answer the question of the item with that number.

    A row's question must be part of the item's. A row's prompt, which each tool words in its own
    way, must contain the item's question only if most prompts of the file do.

    Raises:
        DatasetError: a row answers another question.
    """
    pairs = [(row, items[at]) for row, (_, at) in zip(rows, places, strict=True) if at is not None]
    questions = [(row.question, item) for row, item in pairs if row.question is not None]
    wrong = [pair for pair in questions if _normalise(pair[0]) not in _normalise(pair[1].question)]
    if not questions:
        prompts = [(row.prompt, item) for row, item in pairs if row.prompt is not None]
        other = [
            pair for pair in prompts if _normalise(pair[1].question) not in _normalise(pair[0])
        ]
        wrong = other if 2 * len(other) < len(prompts) else []
    if wrong:
        question, item = wrong[0]
        raise DatasetError(
            f"{path}: where the benchmark asks {item.question[:80]!r}, the file answers "
            f"{question[:80]!r}: the file is of other questions, or in another order"
        )


def _normalise(text: str) -> str:
    return _SPACE.sub(" ", text).strip().casefold()


def _list_ids(ids: Sequence[str]) -> str:
    shown = ", ".join(repr(one[:80]) for one in ids[:_SHOWN_IDS])
    more = f" and {len(ids) - _SHOWN_IDS:,} more" if len(ids) > _SHOWN_IDS else ""
    return shown + more
