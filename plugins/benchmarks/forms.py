"""The forms in which models answer: texts, letters of choices, or labels (true, false, yes, no)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Literal, TypeAlias

from ig4.core.contracts.evaluation import Item
from ig4.core.errors import DatasetError
from ig4.core.records import JSON
from ig4.plugins.metrics.choices import bare_letter, choice, label, letter, other_label
from ig4.plugins.metrics.matching import exact

Form: TypeAlias = Literal["texts", "letters", "labels"]
"""The names of the forms."""

_COLUMNS = ("choices", "options")
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def choices_of(item: Item, column: str | None = None) -> tuple[str, ...]:
    """Return the choices of an item by its record: a list, or columns A, B, …; () without any."""
    record = item.record
    for name in _COLUMNS if column is None else (column,):
        listed: JSON = record.get(name)
        if isinstance(listed, list) and listed:
            return tuple(str(one) for one in listed)
    found = []
    for name in _LETTERS:
        cell: JSON = record.get(name)
        if cell is None or cell == "" or (isinstance(cell, float) and math.isnan(cell)):
            break
        found.append(str(cell))
    return tuple(found) if len(found) > 1 else ()


def require_choices(items: Sequence[Item], choices: Callable[[Item], tuple[str, ...]]) -> None:
    """Require that an item has choices.

    Raises:
        DatasetError: none has: their letters cannot be read.
    """
    if not any(choices(item) for item in items):
        raise DatasetError(
            "letters cannot be read, because the benchmark's file has no choices: for ScienceQA "
            "name problems.json; a file of your own needs a list under 'choices', or columns A, B"
        )


def letter_value(answer: str, truths: Sequence[str], choices: Sequence[str]) -> float | None:
    """Return 1 if an answer names a right choice by letter or text, else 0; None if it names none.

    A truth may be a choice's text, or its letter.
    """
    right = {truth if truth in choices else choice(truth, choices) for truth in truths}
    named = choice(answer, choices)
    chosen = [one for one in choices if exact(answer, [one])] if named is None else [named]
    return float(not right.isdisjoint(chosen)) if chosen else None


def label_value(answer: str, truth: bool) -> float | None:
    """Return 1 if an answer says what is true, else 0; None if it says neither."""
    said = label(answer)
    return None if said is None else float(said == truth)


def truth_label(item: Item) -> bool | None:
    """Return the truth of an item as a label, None if it is not one."""
    return label(item.truths[0]) if len(item.truths) == 1 else None


def unexpected_form(
    items: Sequence[Item], answers: Sequence[str | None], *, whole: bool
) -> tuple[Form, int, int] | None:
    """Return the form that most answers have, how many do and of how many, if it is not texts.

    Answers count only if the truths of their items are of another form. "B. sand" is a letter only
    if answers must be the truth and no more (`whole`).
    """
    given = [(item, one) for item, one in zip(items, answers, strict=True) if one is not None]
    lettered = sum(
        (bare_letter(answer) or (whole and letter(answer) is not None))
        and not any(letter(truth) for truth in item.truths)
        for item, answer in given
    )
    labelled = sum(
        other_label(answer) and truth_label(item) is not None and not other_label(item.truths[0])
        for item, answer in given
    )
    counts: tuple[tuple[Form, int], ...] = (("letters", lettered), ("labels", labelled))
    return next(
        ((form, count, len(given)) for form, count in counts if 2 * count > len(given)), None
    )
