"""Decides which column of a file of answers says to which item of a benchmark a row belongs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ig4.core.contracts.evaluation import Item
from ig4.core.counts import counted
from ig4.core.errors import DatasetError
from ig4.core.records import JSON, Failure

IDS = ("id", "question_id", "item_id", "sample_id", "image_id", "index", "doc_id", "image")
"""Usual names of a column of ids; of columns that fit equally well the first counts."""

PLACES = ("doc_id", "index")
"""Columns that hold the number of an item, from 0, where they do not hold its id.

lmms-eval's `doc_id` numbers the documents of a task; VLMEvalKit's `index` is the benchmark's own,
which for many benchmarks is the number of the row.
"""

_SPACE = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class AnswerRow:
    """A row of the file: all its ids, its answer, and its question and prompt if there are any."""

    ids: Mapping[str, str]
    answer: str | Failure
    question: str | None = None
    prompt: str | None = None


@dataclass(frozen=True, slots=True)
class Matching:
    """One way to read a file: `column` holds ids or, if `numbered`, numbers of items from 0.

    `places` has the place of each row's item, None where there is none; `agreed` counts the rows
    whose question or prompt is that of their item, and `wrong` is the first that contradicts.
    """

    column: str
    numbered: bool
    names: Sequence[str]
    places: Sequence[int | None]
    agreed: int
    wrong: tuple[str, Item] | None

    @property
    def matched(self) -> int:
        """The number of rows that belong to an item."""
        return sum(place is not None for place in self.places)

    @property
    def distinct(self) -> bool:
        """Whether no two rows belong to one item."""
        found = [place for place in self.places if place is not None]
        return len(set(found)) == len(found)


def match_rows(
    path: Path,
    rows: Sequence[AnswerRow],
    items: Sequence[Item],
    *,
    needed: int,
    partial: bool = False,
) -> tuple[Matching, str | None]:
    """Return how the rows of a file belong to the items, and a note if that was a choice.

    A column counts as a whole: all rows must belong to items, no two to one, and the first `needed`
    items must each have one; the questions and prompts in the file decide between columns. With
    `partial`, rows may belong to no item. Where no column fits, the one is returned of which
    most rows do, so that the caller can say what is wrong with it.

    Raises:
        DatasetError: no column of ids is in all rows; the questions contradict; or a column could
            be read in two ways, and no question decides.
    """
    candidates = list(_candidates(rows, items))
    if not candidates:
        raise DatasetError(
            f"{path} has no ids: each answer needs one under {', '.join(map(repr, IDS))}"
        )
    whole = [one for one in candidates if _is_whole(one, needed, partial=partial)]
    holders = [one for one in candidates if _holds_ids(one)]
    if holders:  # then numbers count only if every question says so
        whole = [one for one in whole if not one.numbered or one.agreed == len(rows)]
    fitting = [one for one in whole if one.wrong is None]
    if not fitting:
        best = whole[0] if whole else _closest(holders or candidates)
        _require_no_contradiction(path, best)
        return best, None
    best = max(fitting, key=lambda one: one.agreed)  # the first of equals
    _require_unambiguous(path, best, fitting)
    return best, _note(path, best, candidates, fitting)


def _candidates(rows: Sequence[AnswerRow], items: Sequence[Item]) -> Iterator[Matching]:
    """Yield the ways to read a file, the likelier ones first."""
    by_id = {item.id: place for place, item in enumerate(items)}
    asked = [_questions(item) for item in items]
    columns = [name for name in IDS if all(name in row.ids for row in rows)]
    for name in columns:
        names = [row.ids[name] for row in rows]
        yield _matching(rows, items, asked, name, [by_id.get(one) for one in names], numbered=False)
    for name in sorted(columns, key=lambda one: one not in PLACES):
        places = [_place(row.ids[name], len(items)) for row in rows]
        found = _matching(rows, items, asked, name, places, numbered=True)
        # Other columns are documented to hold ids: they are numbers only if all questions say so.
        if name in PLACES or (rows and found.agreed == len(rows)):
            yield found


def _matching(
    rows: Sequence[AnswerRow],
    items: Sequence[Item],
    asked: Sequence[tuple[str, ...]],
    column: str,
    places: Sequence[int | None],
    *,
    numbered: bool,
) -> Matching:
    """Return a matching with what questions say of it.

    A row's question must be part of the item's. A row's prompt, which each tool words in its own
    way, must contain the item's question only if most prompts of the file do.
    """
    agreed, wrong, prompts, others = 0, [], 0, []
    for row, place in zip(rows, places, strict=True):
        if place is None:
            continue
        if row.question is not None:
            question = _normalise(row.question)
            if any(question in one for one in asked[place]):
                agreed += 1
            else:
                wrong.append((row.question, items[place]))
        elif row.prompt is not None:
            prompt = _normalise(row.prompt)
            prompts += 1
            if any(one in prompt for one in asked[place]):
                agreed += 1
            else:
                others.append((row.prompt, items[place]))
    if 2 * len(others) < prompts:
        wrong += others
    contradiction = wrong[0] if wrong and column in PLACES else None
    names = [row.ids[column] for row in rows]
    return Matching(column, numbered, names, places, agreed, contradiction)


def _questions(item: Item) -> tuple[str, ...]:
    """Return an item's question as the model gets it, and as the benchmark's file has it."""
    bare: JSON = item.record.get("question")
    texts = [item.question, *([bare] if isinstance(bare, str) and bare.strip() else [])]
    return tuple(_normalise(text) for text in texts)


def _is_whole(found: Matching, needed: int, *, partial: bool) -> bool:
    known = {place for place in found.places if place is not None}
    all_rows = partial or found.matched == len(found.places)
    return all_rows and found.distinct and all(place in known for place in range(needed))


def _holds_ids(found: Matching) -> bool:
    """Tell whether a column surely holds ids, even if some are not the benchmark's."""
    return (
        not found.numbered
        and found.column not in PLACES
        and found.distinct
        and 2 * found.matched > len(found.places)
    )


def _closest(candidates: Sequence[Matching]) -> Matching:
    """Return the matching with the most rows; where none has any, numbers before ids."""
    best = max(candidates, key=lambda one: one.matched)
    if best.matched:
        return best
    return next((one for one in candidates if one.numbered), best)


def _require_no_contradiction(path: Path, found: Matching) -> None:
    if found.wrong is not None:
        question, item = found.wrong
        raise DatasetError(
            f"{path}: where the benchmark asks {item.question[:80]!r}, the file answers "
            f"{question[:80]!r}: the file is of other questions, or in another order"
        )


def _require_unambiguous(path: Path, best: Matching, fitting: Sequence[Matching]) -> None:
    """Refuse a column whose values are both ids and numbers of items, and not of the same items."""
    for other in fitting:
        same = other.column == best.column and other.agreed == best.agreed
        if same and list(other.places) != list(best.places):
            raise DatasetError(
                f"{path}: {best.column!r} may hold the ids of the questions, or their numbers from "
                "0: rename the column to 'id' if it holds ids, or add the questions under "
                "'question'"
            )


def _note(
    path: Path, best: Matching, candidates: Sequence[Matching], fitting: Sequence[Matching]
) -> str | None:
    """Return in words what was decided, None if there was only one way."""
    if best.numbered:
        as_ids = next(one for one in candidates if one.column == best.column and not one.numbered)
        if list(as_ids.places) == list(best.places):
            return None
        return (
            f"{path}: {best.column!r} is taken for the number of the question, from 0; as ids, "
            f"{as_ids.matched:,} of its {counted(len(best.places), 'value')} are the benchmark's"
        )
    other = next((one for one in fitting if list(one.places) != list(best.places)), None)
    if other is None:
        return None
    return f"{path}: {best.column!r} is taken for the ids, and {other.column!r} is not"


def _place(number: str, items: int) -> int | None:
    is_number = number.isascii() and number.isdigit()
    if not is_number or len(number) > 9 or int(number) >= items:
        return None
    return int(number)


def _normalise(text: str) -> str:
    return _SPACE.sub(" ", text).strip().casefold()
