"""Writes nested mappings as TOML, which Python only reads."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any


def toml(tables: Mapping[str, Any]) -> str:
    """Return tables of plain values, lists and further tables as a TOML file."""
    return "\n".join(_lines(tables, ())) + "\n"


def _lines(table: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[str]:
    plain = {name: value for name, value in table.items() if not isinstance(value, Mapping)}
    if path and (plain or not table):
        yield f"[{'.'.join(map(_value, path))}]"
    for name, value in plain.items():
        yield f"{_value(name)} = {_value(value)}"
    for name, value in table.items():
        if isinstance(value, Mapping):
            yield from _lines(value, (*path, name))


def _value(value: Any) -> str:
    """Return a plain value: as JSON has it, but that TOML knows no halves of characters."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
