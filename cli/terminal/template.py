"""Fills the commented template of ig4.toml with what a recipe sets."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

from ig4.core.files.writing.toml import toml_key, toml_lines, toml_value

Path = tuple[str, ...]

_HEADER = re.compile(r"(?:# )?(\[[^\[\]]+\])(\s*(?:#.*)?)")
_KEY = re.compile(r"(?:# )?([A-Za-z0-9_-]+) = .*?(\s{2,}#.*)?")
_COMMENT_AT = 35  # column


def filled(template: str, settings: Mapping[str, Any]) -> str:
    """Return a template in which a recipe's settings stand in the place of the defaults.

    Tables of the template that the recipe sets hold what it sets; all else that a recipe can set is
    commented out, so that the file says what the recipe says. Tables that the template has not
    follow those of `[select]`.
    """
    own = dict(_tables(settings))
    parts = list(_parts(template))
    known = {path for path, _ in parts}
    text = []
    for path, lines in parts:
        text += _part(path, lines, own.get(path), may_set=path[:1] in _TABLES)
        if path == _LAST:
            text += toml_lines(_others(settings, known))
    return "\n".join(text) + "\n"


_TABLES = {("run",), ("scorers",), ("cluster",), ("select",)}
"""Tables that a recipe may set and that are not commented in the template."""

_LAST = ("select", "weights")
"""The table after which those come that the template has not."""


def _tables(settings: Mapping[str, Any], path: Path = ()) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Yield each table of nested settings, with its keys that are no tables."""
    plain = {k: v for k, v in settings.items() if not isinstance(v, Mapping) and v is not None}
    if path:
        yield path, plain
    for key, value in settings.items():
        if isinstance(value, Mapping):
            yield from _tables(value, (*path, key))


def _others(settings: Mapping[str, Any], known: set[Path], path: Path = ()) -> dict[str, Any]:
    """Return settings without the keys of tables that are known."""
    left: dict[str, Any] = {}
    for key, value in settings.items():
        if isinstance(value, Mapping):
            below = _others(value, known, (*path, key))
            if below:
                left[key] = below
        elif path not in known:
            left[key] = value
    return left


def _parts(template: str) -> Iterator[tuple[Path, list[str]]]:
    """Yield the path and the lines of each table, its header first; what is before them, too."""
    path: Path = ()
    lines: list[str] = []
    for line in template.splitlines():
        header = _HEADER.fullmatch(line)
        if header:
            yield path, lines
            path, lines = _path(header[1]), []
        lines.append(line)
    yield path, lines


def _path(header: str) -> Path:
    """Return the keys of a table's header."""
    table: Any = tomllib.loads(header)
    path: list[str] = []
    while table:
        ((key, table),) = table.items()
        path.append(key)
    return tuple(path)


def _part(path: Path, lines: list[str], own: dict[str, Any] | None, *, may_set: bool) -> list[str]:
    """Return the lines of a table with its `own` settings in place of the defaults."""
    if own is None and not may_set:
        return lines
    left = dict(own or {})
    header, *body = lines
    for place, line in enumerate(body):
        match = _KEY.fullmatch(line)
        if match is None:
            continue
        if match[1] in left:
            body[place] = _assignment(match[1], left.pop(match[1]), match[2])
        elif not line.startswith("#"):
            body[place] = f"# {line.replace('    #', '  #')}"
    title = _HEADER.fullmatch(header)
    assert title is not None
    # A table of options that are all commented out would name a component for nothing.
    mark = "# " if own is None and len(path) > 1 else ""
    added = [_assignment(key, value) for key, value in left.items()]
    return [f"{mark}{title[1]}{title[2]}", *added, *body]


def _assignment(key: str, value: Any, comment: str | None = None) -> str:
    line = f"{toml_key(key)} = {toml_value(value)}"
    return line if comment is None else f"{line:{_COMMENT_AT - 1}} {comment.lstrip()}"
