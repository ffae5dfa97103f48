"""Small pieces of HTML for notebooks: all text escaped, no script, readable on dark and light."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isnan
from typing import Any

from ig4.core.texts import sanitize

SHOWN_ROWS = 10
"""How many rows of a table a notebook shows."""

_LONGEST = 160  # characters of a cell
_LINE = "border-bottom:1px solid rgba(128,128,128,.35)"
_CELL = f"padding:.2em .6em;{_LINE};vertical-align:top"


@dataclass(frozen=True, slots=True)
class Picture:
    """A small picture in a cell: its address, `data:` and no other, and what it shows."""

    address: str
    text: str

    def __post_init__(self) -> None:
        if not self.address.startswith("data:image/"):
            raise ValueError("a notebook shows pictures that are in the page alone")


def view(headline: str, tables: Iterable[str] = ()) -> str:
    """Return a headline with tables under it, as HTML."""
    return (
        '<div style="font-family:system-ui,sans-serif;font-size:13px">'
        f'<div style="margin:.3em 0"><b>{escaped(headline)}</b></div>{"".join(tables)}</div>'
    )


def table(
    columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
    more: int = 0,
    *,
    limit: int | None = SHOWN_ROWS,
) -> str:
    """Return the first rows of a table as HTML, and how many are not shown.

    Text is cut after some 160 characters, and said to be. `more` are rows that are not among
    `rows`.
    """
    shown = rows[:limit]
    head = "".join(
        f'<th scope="col" style="{_CELL};text-align:left">{escaped(name)}</th>' for name in columns
    )
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in shown)
    left = len(rows) - len(shown) + more
    rest = f'<div style="margin:.3em .6em">… and {left:,} more</div>' if left else ""
    return (
        '<table style="border-collapse:collapse;background:transparent;color:inherit">'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{rest}"
    )


def facts(told: Mapping[str, Any]) -> str:
    """Return names and values as a table without a head."""
    rows = "".join(
        f'<tr><th scope="row" style="{_CELL};text-align:left;font-weight:normal;opacity:.75">'
        f"{escaped(name)}</th>{_cell(value)}</tr>"
        for name, value in told.items()
    )
    return f'<table style="border-collapse:collapse;background:transparent">{rows}</table>'


def escaped(text: object) -> str:
    """Return a value as text that HTML takes for nothing else.

    What turns the direction of writing is kept inside of its own cell.
    """
    plain = sanitize(str(text))
    if len(plain) > _LONGEST:
        plain = f"{plain[:_LONGEST]}… ({len(plain) - _LONGEST:,} more)"
    return html.escape(
        "".join(one if _shows(one) else "\N{REPLACEMENT CHARACTER}" for one in plain)
    )


def _shows(character: str) -> bool:
    return character in "\n\t" or (ord(character) >= 32 and not 127 <= ord(character) < 160)


def _cell(value: Any) -> str:
    if isinstance(value, Picture):
        return (
            f'<td style="{_CELL}"><img src="{html.escape(value.address)}" '
            f'alt="{escaped(value.text)}" style="max-width:96px;max-height:96px"></td>'
        )
    numeric = isinstance(value, (int, float)) and not isinstance(value, bool)
    align = "right" if numeric else "left"
    return (
        f'<td style="{_CELL};text-align:{align}"><bdi style="white-space:pre-wrap">'
        f"{escaped(_told(value))}</bdi></td>"
    )


def _told(value: Any) -> str:
    if value is None or (isinstance(value, float) and isnan(value)):
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.4f}".rstrip("0").rstrip(".") if abs(value) < 1e6 else f"{value:.6g}"
    if isinstance(value, bytes):
        return f"<{len(value):,} bytes>"
    return str(value)
