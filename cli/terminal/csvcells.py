"""Writes lines of CSV: no formulas for spreadsheets, no control characters on terminals."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001 - full width
"""What a spreadsheet takes a cell for a formula by; some also take the characters of full width."""


_QUOTED = frozenset(',;\t"\r\n')
"""Text with these is quoted: some spreadsheets take other characters than commas for the border of
cells, and Python's own writer leaves a lone carriage return bare."""


class CsvCells:
    """Turns values into lines of CSV, and counts in `changed` the texts that it had to change."""

    def __init__(self, *, raw: bool = False, printable: bool = False) -> None:
        self.raw = raw
        self.printable = printable
        self.changed = 0

    def line(self, values: Iterable[Any]) -> str:
        """Return a line with a cell for each value, without an end of line."""
        return ",".join(map(self.cell, values)) or '""'  # an empty line would be no row

    def cell(self, value: Any) -> str:
        """Return a value as a cell: numbers as they are, bytes as hexadecimal digits."""
        if value is None:
            return ""
        if isinstance(value, (bytes, memoryview)):
            return bytes(value).hex()
        if isinstance(value, (int, float)):
            return str(value)
        is_json = isinstance(value, (dict, list))  # PostgreSQL's JSON comes as such
        text = json.dumps(value, ensure_ascii=False) if is_json else str(value)
        if not self.raw and is_formula(text):
            self.changed += 1
            text = "'" + text
        if self.printable:
            text = _printable(text)
        return text if _QUOTED.isdisjoint(text) else '"' + text.replace('"', '""') + '"'


def is_formula(text: str) -> bool:
    """Tell whether a spreadsheet may take a text for a formula; a number such as -0.5 is none."""
    if not text.startswith(_FORMULA):
        return False
    try:
        float(text)
    except ValueError:
        return True
    return False


def _printable(text: str) -> str:
    return "".join(
        c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in text
    )
