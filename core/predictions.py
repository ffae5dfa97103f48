"""Reads answers that were made elsewhere, and brings them to the items of a benchmark.

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

from ig4.core import jsonstream
from ig4.core.errors import DatasetError
from ig4.core.evaluation import Item
from ig4.core.records import JSON, Failure
from ig4.core.spreadsheet import is_spreadsheet, spreadsheet_rows
from ig4.core.tables import read_rows, require_file, text_id

ANSWERS = ("prediction", "answer", "response", "output", "text", "caption")
"""Names that a column of answers is known by, first come first: VLMEvalKit's `answer` is the truth,
and LLaVA's `text` the answer."""

IDS = ("id", "question_id", "item_id", "sample_id", "image_id", "index", "doc_id", "image")
"""Names that a column of ids is known by; the first that has ids of the benchmark is it."""

PLACES = ("doc_id", "index")
"""Columns that may hold the item's place, from 0, instead of its id."""

_SHOWN = 3
_SPACE = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class _Row:
    """A row of the file: every id it has, the question it says it answers, and the answer."""

    ids: Mapping[str, str]
    question: str | None
    answer: str | Failure


def read(path: Path, items: Sequence[Item], *, partial: bool = False) -> list[str | Failure]:
    """Return the answer to each item, in order, from a file in any of the known forms.

    With `partial`, the items are not all of the benchmark's, and answers to others are passed over.

    Raises:
        DatasetError: the file cannot be read, or holds no answers; an id is missing, comes twice,
            or is not the benchmark's.
        MissingExtraError: a spreadsheet without openpyxl.
    """
    rows = [_row(path, number, row) for number, row in enumerate(_rows(path), 1)]
    if not rows:
        raise DatasetError(f"{path} holds no answers")
    places = _places(path, rows, items)
    found: dict[int, str | Failure] = {}
    unknown: list[str] = []
    twice: list[str] = []
    for row, (name, place) in zip(rows, places, strict=True):
        if place is None:
            unknown.append(name)
        elif place in found:
            twice.append(name)
        else:
            found[place] = row.answer
    if twice:
        raise DatasetError(f"{path} has more than one answer to {_told(twice)}: leave one of each")
    if unknown and not partial:
        raise DatasetError(
            f"{path} answers {_told(unknown)}, which the benchmark does not ask (its first is "
            f"{items[0].id!r}): is this the right file, and the right benchmark?"
        )
    missing = [item.id for place, item in enumerate(items) if place not in found]
    if missing:
        raise DatasetError(
            f"{path} has no answer to {_told(missing)} of the {len(items):,} questions: it must "
            "answer all of them; --limit N takes only the first"
        )
    return [found[place] for place in range(len(items))]


def _rows(path: Path) -> Iterable[Mapping[str, JSON]]:
    require_file(path)
    if is_spreadsheet(path):
        return spreadsheet_rows(path)
    if jsonstream.layout(path) == "object":
        firsts = jsonstream.first_items(path)
        if not any(isinstance(first, dict) for first in firsts.values()):
            return ({"id": name, "answer": value} for name, value in jsonstream.members(path))
    return read_rows(path)


def _row(path: Path, number: int, row: Mapping[str, JSON]) -> _Row:
    where = f"{path}, row {number:,}"
    if "resps" in row or "filtered_resps" in row:
        return _lmms_row(where, row)
    ids = _ids(row)
    if "answer" not in row and "prediction" not in row and isinstance(row.get("error"), str):
        return _Row(ids, None, Failure(row["error"]))
    column = next((name for name in ANSWERS if name in row), None)
    if column is None:
        raise DatasetError(
            f"{where} holds no answer: it needs one under {' or '.join(map(repr, ANSWERS))}"
        )
    question = row.get("question") if column != "question" else None
    return _Row(ids, question if isinstance(question, str) else None, _answer(where, row[column]))


def _lmms_row(where: str, row: Mapping[str, JSON]) -> _Row:
    """Read a line of lmms-eval: the answer as its filters left it, the document as it was."""
    found = row.get("doc")
    document: Mapping[str, JSON] = found if isinstance(found, dict) else {}
    question = document.get("question")
    answer = row.get("filtered_resps", row.get("resps"))
    while isinstance(answer, list) and len(answer) == 1:
        answer = answer[0]
    ids = _ids(document) | _ids(row)
    return _Row(ids, question if isinstance(question, str) else None, _answer(where, answer))


def _ids(row: Mapping[str, JSON]) -> dict[str, str]:
    found = {name: text_id(row[name]) for name in IDS if name in row}
    return {name: value for name, value in found.items() if value is not None}


def _answer(where: str, value: JSON) -> str | Failure:
    if isinstance(value, str):
        return value
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return Failure("the file has nothing in place of the answer")
    number = text_id(value)
    if number is None:
        told = json.dumps(value, default=str)
        raise DatasetError(f"{where}: the answer is no text, but {told[:80]}")
    return number


def _places(
    path: Path, rows: Sequence[_Row], items: Sequence[Item]
) -> list[tuple[str, int | None]]:
    """Return the id of each row, and the place of its item, None where there is none."""
    by_id = {item.id: place for place, item in enumerate(items)}
    everywhere = [name for name in IDS if all(name in row.ids for row in rows)]
    for name in everywhere:
        if any(row.ids[name] in by_id for row in rows):
            return [(row.ids[name], by_id.get(row.ids[name])) for row in rows]
    for name in PLACES:
        if name in everywhere:
            return [(row.ids[name], _place(path, row, row.ids[name], items)) for row in rows]
    if not everywhere:
        raise DatasetError(
            f"{path} holds no ids: each answer needs one under {', '.join(map(repr, IDS))}"
        )
    return [(row.ids[everywhere[0]], None) for row in rows]


def _place(path: Path, row: _Row, said: str, items: Sequence[Item]) -> int | None:
    """Return the place a row gives; if the row repeats the question, it must be the item's.

    Raises:
        DatasetError: it is another question.
    """
    if not (said.isascii() and said.isdigit()) or len(said) > 9 or int(said) >= len(items):
        return None
    item = items[int(said)]
    if row.question is not None and _plain(row.question) not in _plain(item.question):
        raise DatasetError(
            f"{path}: number {said} answers {row.question[:80]!r}, but the benchmark's question "
            f"there is {item.question[:80]!r}: the file is of other questions, or another order"
        )
    return int(said)


def _plain(text: str) -> str:
    return _SPACE.sub(" ", text).strip().casefold()


def _told(ids: Sequence[str]) -> str:
    shown = ", ".join(repr(one[:80]) for one in ids[:_SHOWN])
    more = f" and {len(ids) - _SHOWN:,} more" if len(ids) > _SHOWN else ""
    return shown + more
