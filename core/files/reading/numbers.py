"""Reads a column of numbers as people write them, and refuses what could be another number."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal, NoReturn, TypeAlias

from ig4.core.errors import DatasetError
from ig4.core.records import JSON

Mark: TypeAlias = Literal[".", ","]
"""What stands between the whole part of a number and its fraction."""

EMPTY_WORDS = frozenset({"", "na", "n/a", "<na>", "null", "none"})
"""Texts that stand for a cell without a value (those of R, pandas and databases)."""

_NOT_FINITE = re.compile(r"[+-]?(nan|inf|infinity)", re.IGNORECASE)
_PLAIN = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.IGNORECASE | re.ASCII)
_NOTATION = re.compile(
    r"[+-]?[\d.,'\u2019_ \u00a0\u202f]*\d[.,]?(e[+-]?\d+)?", re.IGNORECASE | re.ASCII
)
_COMMA = re.compile(r"[+-]?(\d+,\d*|,\d+)(e[+-]?\d+)?", re.IGNORECASE | re.ASCII)
_EITHER = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}", re.ASCII)
"""With a decimal comma it is small, with a comma between thousands it is large."""

_THOUSANDS = {".": ",'\u2019_ \u00a0\u202f", ",": ".'\u2019_ \u00a0\u202f"}
_SHOWN = 60


@dataclass(slots=True)
class NumberColumn:
    """The numbers of a column; None where there is none.

    `empty`, `not_finite` and `unreadable` are the places of the cells without a number: those
    that hold nothing, NaN or infinity, and other things. `notes` say how the cells were read.
    """

    values: list[float | None]
    empty: list[int] = field(default_factory=list)
    not_finite: list[int] = field(default_factory=list)
    unreadable: list[int] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def read_numbers(
    cells: Sequence[JSON], where: str, *, decimal: Mark | None = None, comma_splits: bool = True
) -> NumberColumn:
    """Return the numbers of a column, whose rows are counted from 1 in messages.

    Without `decimal`, texts have a decimal point and no marks between thousands. If the table's
    cells are not split at commas (`comma_splits` is False), a column that can only have decimal
    commas is read so. With `decimal`, the other mark, spaces, apostrophes and underscores may
    stand between thousands. Percent signs are taken away if all numbers have one.

    Raises:
        DatasetError: a number is written so that it could be two, or in another way than the
            rest; names the cell and the option that says which.
    """
    reader = _Reader(where, decimal)
    column = NumberColumn([None] * len(cells))
    texts: dict[int, str] = {}
    for place, cell in enumerate(cells):
        reader.sort(column, texts, place, cell)
    if decimal is None and not comma_splits and _has_decimal_commas(texts.values()):
        reader.decimal = ","
        column.notes.append("its numbers are read with a decimal comma")
    signs = [place for place, text in texts.items() if text.endswith("%")]
    if signs:
        without = next(
            (n for n, v in enumerate(column.values) if v is not None),
            next((n for n in texts if not texts[n].endswith("%")), None),
        )
        if without is not None:
            reader.refuse(
                signs[0], texts[signs[0]],
                f"has a percent sign, and row {without + 1:,} has none: write all in one way",
            )  # fmt: skip
        column.notes.append(
            f"its percent signs are taken away: {texts[signs[0]]} is read as "
            f"{texts[signs[0]].rstrip('% ')} (--multiply 0.01 makes shares of percents)"
        )
    for place, text in texts.items():
        value = reader.number(place, text.removesuffix("%").rstrip())
        if math.isfinite(value):
            column.values[place] = value
        else:
            column.not_finite.append(place)
    return column


@dataclass(slots=True)
class _Reader:
    """Knows the column in messages, and its decimal mark if that was given or found out."""

    where: str
    decimal: Mark | None

    def sort(self, column: NumberColumn, texts: dict[int, str], place: int, cell: JSON) -> None:
        """Put a cell where it belongs; texts that may be numbers are kept for later."""
        if cell is None:
            column.empty.append(place)
        elif isinstance(cell, bool) or not isinstance(cell, (int, float, Decimal, str)):
            column.unreadable.append(place)
        elif isinstance(cell, str):
            text = cell.strip().replace("\N{MINUS SIGN}", "-")
            if text.casefold() in EMPTY_WORDS:
                column.empty.append(place)
            elif _NOT_FINITE.fullmatch(text):
                column.not_finite.append(place)
            elif _NOTATION.fullmatch(text.removesuffix("%").rstrip()):
                texts[place] = text
            else:
                column.unreadable.append(place)
        elif (value := _finite(cell)) is None:
            column.not_finite.append(place)
        else:
            column.values[place] = value

    def number(self, place: int, text: str) -> float:
        """Return the number that a text is.

        Raises:
            DatasetError: it is none in the column's notation.
        """
        if self.decimal is None:
            if _PLAIN.fullmatch(text):
                return float(text)
            self.refuse(place, text, _doubt(text))
        found = _parse(text, self.decimal)
        if found is None:
            self.refuse(
                place, text, f"is no number with {_name(self.decimal)} (--decimal {self.decimal})"
            )
        return found

    def refuse(self, place: int, text: str, why: str) -> NoReturn:
        """Raise the error that names a cell.

        Raises:
            DatasetError: always.
        """
        raise DatasetError(f"{self.where}: row {place + 1:,}: {text[:_SHOWN]!r} {why}")


def _finite(value: float | Decimal) -> float | None:
    try:
        number = float(value)
    except (OverflowError, ValueError):  # an integer of hundreds of digits; a signalling NaN
        return None
    return number if math.isfinite(number) else None


def _has_decimal_commas(texts: Iterable[str]) -> bool:
    """Tell whether numbers can only have decimal commas: some have a comma, and none a point."""
    numbers = [text.removesuffix("%").rstrip() for text in texts]
    commas = [text for text in numbers if "," in text]
    return (
        bool(commas)
        and not any("." in text for text in numbers)
        and all(map(_COMMA.fullmatch, commas))
        and not all(map(_EITHER.fullmatch, commas))
    )


def _parse(text: str, decimal: Mark) -> float | None:
    """Return the number that a text is with this decimal mark, None if it is none."""
    mantissa, exponent, power = text.lower().partition("e")
    whole, _, fraction = mantissa.partition(decimal)
    separators = {mark for mark in _THOUSANDS[decimal] if mark in whole}
    if len(separators) > 1:
        return None
    for mark in separators:
        groups = whole.lstrip("+-").split(mark)
        if not 1 <= len(groups[0]) <= 3 or any(len(group) != 3 for group in groups[1:]):
            return None
        whole = whole.replace(mark, "")
    point = "." if decimal in mantissa else ""
    plain = f"{whole}{point}{fraction}{exponent}{power}"
    return float(plain) if _PLAIN.fullmatch(plain) else None


def _doubt(text: str) -> str:
    """Say how a text that has no plain decimal point may be meant."""
    marks: tuple[Mark, Mark] = (",", ".")
    readings = {mark: value for mark in marks if (value := _parse(text, mark)) is not None}
    told = ", ".join(f"--decimal {mark} reads it as {n:.15g}" for mark, n in readings.items())
    if not readings:
        return "is no number that can be read: write it with a decimal point"
    if len(set(readings.values())) == 2:
        return f"could be two numbers: {told}"
    if "." not in readings:
        return f"has a decimal comma: {told}"
    return f"has marks between thousands: --decimal . reads it as {readings['.']:.15g}"


def _name(decimal: Mark) -> str:
    return "a decimal comma" if decimal == "," else "a decimal point"
