"""Reads answers that were made elsewhere, and matches them to the items of a benchmark.

Known are the files of `ig4 generate`, LLaVA, lmms-eval (`samples_*.jsonl`), VLMEvalKit (tables with
`index` and `prediction`), COCO's caption results, and any table of ids and answers.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from pathlib import Path

from ig4.core.contracts.evaluation import Item
from ig4.core.counts import counted
from ig4.core.errors import DatasetError
from ig4.core.files.answers.answerids import IDS, AnswerRow, match_rows
from ig4.core.files.reading import jsonstream
from ig4.core.files.reading.spreadsheet import is_spreadsheet, spreadsheet_rows
from ig4.core.files.reading.tables import read_rows, require_file, text_id
from ig4.core.files.repeats import repeated
from ig4.core.records import JSON, Failure

ANSWERS = ("prediction", "answer", "response", "output", "text", "caption")
"""Usual names of a column of answers; the first that is there counts: VLMEvalKit's `answer` is the
truth, and LLaVA's `text` the answer."""

_SHOWN_IDS = 3


def read_predictions(
    path: Path,
    items: Sequence[Item],
    *,
    limit: int | None = None,
    partial: bool = False,
    notice: Callable[[str], None] | None = None,
) -> list[str | Failure]:
    """Return the answer to each item, in order, from a file in any of the known forms.

    With `limit`, only the first items need an answer and get one. With `partial`, the items are not
    all of the benchmark's, and answers to others are skipped. A row whose ids and answer an earlier
    one has counts once. `notice` is told how many those are, and which column was taken for the
    ids, if there was a choice.

    Raises:
        DatasetError: the file cannot be read, or has no answers; an id is missing, has several
            answers, or is not the benchmark's; as `match_rows`.
        MissingExtraError: a spreadsheet without openpyxl.
    """
    rows = [_read_row(path, number, row) for number, row in enumerate(_read_rows(path), 1)]
    if not rows:
        raise DatasetError(f"{path} has no answers")
    rows, equal = _without_repeats(rows)
    if equal and notice is not None:
        notice(repeated(path, equal, "answer"))
    needed = items[:limit]
    matching, note = match_rows(path, rows, items, needed=len(needed), partial=partial)
    if note is not None and notice is not None:
        notice(note)
    answers: dict[int, str | Failure] = {}
    unknown: list[str] = []
    twice: list[str] = []
    for row, name, place in zip(rows, matching.names, matching.places, strict=True):
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
    missing = [item.id for place, item in enumerate(needed) if place not in answers]
    if missing:
        raise DatasetError(
            f"{path} has no answer to {_list_ids(missing)} of {counted(len(needed), 'question')}: "
            "it must answer all of them; --limit N takes only the first"
        )
    return [answers[place] for place in range(len(needed))]


def _without_repeats(rows: Sequence[AnswerRow]) -> tuple[list[AnswerRow], int]:
    """Return rows without those that say what an earlier one did, and how many these are."""
    kept: dict[Hashable, AnswerRow] = {}
    for number, row in enumerate(rows):
        key = (*row.ids.items(), repr(row.answer), row.question, row.prompt) if row.ids else number
        kept.setdefault(key, row)
    return list(kept.values()), len(rows) - len(kept)


def _read_rows(path: Path) -> Iterable[Mapping[str, JSON]]:
    require_file(path)
    if is_spreadsheet(path):
        return spreadsheet_rows(path)
    if jsonstream.layout(path) == "object":
        firsts = jsonstream.first_items(path)
        if not any(isinstance(first, dict) for first in firsts.values()):
            return ({"id": name, "answer": value} for name, value in jsonstream.members(path))
    return read_rows(path)


def _read_row(path: Path, number: int, row: Mapping[str, JSON]) -> AnswerRow:
    where = f"{path}, row {number:,}"
    if "resps" in row or "filtered_resps" in row:
        return _lmms_row(where, row)
    ids = _ids(row)
    if "answer" not in row and "prediction" not in row and isinstance(row.get("error"), str):
        return AnswerRow(ids, Failure(row["error"]))
    column = next((name for name in ANSWERS if name in row), None)
    if column is None:
        raise DatasetError(
            f"{where} has no answer: it needs one under {' or '.join(map(repr, ANSWERS))}"
        )
    return AnswerRow(ids, _answer(where, row[column]), _text(row.get("question")))


def _lmms_row(where: str, row: Mapping[str, JSON]) -> AnswerRow:
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
    return AnswerRow(ids, _answer(where, answer), question, prompt)


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


def _list_ids(ids: Sequence[str]) -> str:
    shown = ", ".join(repr(one[:80]) for one in ids[:_SHOWN_IDS])
    more = f" and {len(ids) - _SHOWN_IDS:,} more" if len(ids) > _SHOWN_IDS else ""
    return shown + more
