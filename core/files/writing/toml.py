"""Writes values as TOML: tables, keys, and strings that are safe on a terminal too."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_CONTROL = re.compile(r"[\x7f-\x9f]")


def toml_lines(tables: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """Yield nested tables as lines of TOML, a blank one after each; None values are left out."""
    plain = {key: value for key, value in tables.items() if not isinstance(value, Mapping)}
    if path and plain:
        yield f"[{path}]"
    for key, value in plain.items():
        if value is not None:
            yield f"{toml_key(key)} = {toml_value(value)}"
    if plain:
        yield ""
    for key, value in tables.items():
        if isinstance(value, Mapping):
            yield from toml_lines(value, f"{path}.{toml_key(key)}" if path else toml_key(key))


def toml_key(name: str) -> str:
    """Return a key, in quotes where it needs them."""
    return name if _BARE.fullmatch(name) else _string(name)


def toml_value(value: Any) -> str:
    """Return a value on one line: a mapping as an inline table."""
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(toml_value, value))}]"
    if isinstance(value, Mapping):
        items = ", ".join(f"{toml_key(key)} = {toml_value(one)}" for key, one in value.items())
        return f"{{ {items} }}" if items else "{}"
    if isinstance(value, float):
        return repr(value)  # inf and nan are TOML, and no JSON
    return _string(value) if isinstance(value, str) else json.dumps(value)


def _string(text: str) -> str:
    """Return a string of JSON, which is one of TOML where no surrogate and no DEL is in it."""
    quoted = json.dumps(text, ensure_ascii=False)
    return _CONTROL.sub(lambda match: f"\\u{ord(match[0]):04x}", quoted)
