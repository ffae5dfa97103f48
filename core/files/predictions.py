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

from ig4.core.contracts.evaluation import Item
from ig4.core.errors import DatasetError
from ig4.core.files import jsonstream
from ig4.core.files.spreadsheet import is_spreadsheet, spreadsheet_rows
from ig4.core.files.tables import read_rows, require_file, text_id
from ig4.core.records import JSON, Failure

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
    """A row of the file: every id it has, the answer, and the question and prompt if it says."""

    ids: Mapping[str, str]
    answer: str | Failure
    question: str | None = None
    prompt: str | None = None


def read_predictions(
    path: Path, items: Sequence[Item], *, partial: bool = False
) -> list[str | Failure]:
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
        return _Row(ids, Failure(row["error"]))
    column = next((name for name in ANSWERS if name in row), None)
    if column is None:
        raise DatasetError(
            f"{where} holds no answer: it needs one under {' or '.join(map(repr, ANSWERS))}"
        )
    return _Row(ids, _answer(where, row[column]), _text(row.get("question")))


def _lmms_row(where: str, row: Mapping[str, JSON]) -> _Row:
    """Read a line of lmms-eval: the answer as its filters left it.

    Earlier versions keep the document under `doc`; later ones the prompt under `input`.
    """
    found = row.get("doc")
    document: Mapping[str, JSON] = found if isinstance(found, dict) else {}
    answer = row.get("filtered_resps", row.get("resps"))
    while isinstance(answer, list) and len(answer) == 1:
        answer = answer[0]
    ids = _ids(document) | _ids(row)
    question, prompt = _text(document.get("question")), _text(row.get("input"))
    return _Row(ids, _answer(where, answer), question, prompt)


def _text(value: JSON) -> str | None:
    return value if isinstance(value, str) and value.strip() else None


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
    if not everywhere:
        raise DatasetError(
            f"{path} holds no ids: each answer needs one under {', '.join(map(repr, IDS))}"
        )
    for name in everywhere:
        if any(row.ids[name] in by_id for row in rows):
            found = [(row.ids[name], by_id.get(row.ids[name])) for row in rows]
            break
    else:
        name = next((one for one in PLACES if one in everywhere), everywhere[0])
        places = name in PLACES
        found = [
            (row.ids[name], _place(row.ids[name], len(items)) if places else None) for row in rows
        ]
    if name in PLACES:
        _require_same_questions(path, rows, found, items)
    return found


def _place(said: str, items: int) -> int | None:
    if not (said.isascii() and said.isdigit()) or len(said) > 9 or int(said) >= items:
        return None
    return int(said)


def _require_same_questions(
    path: Path,
    rows: Sequence[_Row],
    places: Sequence[tuple[str, int | None]],
    items: Sequence[Item],
) -> None:
    """Require that rows which go by their number answer the benchmark's questions there.

    A question must be part of the item's; a prompt, which each tool words in its own way, must
    only have the question in it if most of the file's have.

    Raises:
        DatasetError: one is another question.
    """
    pairs = [(row, items[at]) for row, (_, at) in zip(rows, places, strict=True) if at is not None]
    asked = [(row.question, item) for row, item in pairs if row.question is not None]
    strange = [pair for pair in asked if _plain(pair[0]) not in _plain(pair[1].question)]
    if not asked:
        prompts = [(row.prompt, item) for row, item in pairs if row.prompt is not None]
        other = [pair for pair in prompts if _plain(pair[1].question) not in _plain(pair[0])]
        strange = other if 2 * len(other) < len(prompts) else []
    if strange:
        said, item = strange[0]
        raise DatasetError(
            f"{path}: where the benchmark asks {item.question[:80]!r}, the file answers "
            f"{said[:80]!r}: it is of other questions, or in another order"
        )


def _plain(text: str) -> str:
    return _SPACE.sub(" ", text).strip().casefold()


def _told(ids: Sequence[str]) -> str:
    shown = ", ".join(repr(one[:80]) for one in ids[:_SHOWN])
    more = f" and {len(ids) - _SHOWN:,} more" if len(ids) > _SHOWN else ""
    return shown + more
