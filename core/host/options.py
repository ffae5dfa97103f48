"""Fills a component's options from a file or the command line, telling every problem."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, get_args

from pydantic import ValidationError

from ig4.core.contracts import Options
from ig4.core.errors import UsageError
from ig4.core.records import JSON
from ig4.core.suggest import did_you_mean

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_PASSWORD = re.compile("://[^/]*@")
"""An address with a password in it, which no message may show."""

_SEQUENCES = ("list_type", "tuple_type", "set_type", "frozen_set_type")


def fill_options(model: type[Options], given: Mapping[str, JSON], label: str) -> Options:
    """Validate the options `given` for the component called `label`.

    Text as the command line gives it is understood: "true", "3", "null" for an option that
    may be None, JSON for lists and tables, "a,b" for a list.

    Raises:
        UsageError: one line for each problem.
    """
    values = {key: _null(model, key, value) for key, value in given.items()}
    try:
        return model.model_validate(values)
    except ValidationError as error:
        problems = error.errors()
    read = _reread(values, problems)
    try:
        return model.model_validate(read)
    except ValidationError as error:
        lines = [_line(model, label, values, problem) for problem in error.errors()]
    raise UsageError("\n".join(dict.fromkeys(lines)))


def _null(model: type[Options], key: str, value: JSON) -> JSON:
    field = model.model_fields.get(key)
    optional = field is not None and type(None) in get_args(field.annotation)
    return None if optional and value == "null" else value


def _reread(values: Mapping[str, JSON], problems: list[ErrorDetails]) -> dict[str, JSON]:
    """Return the values with text that was refused read as JSON, or as a list."""
    read = dict(values)
    for problem in problems:
        key = problem["loc"][0] if problem["loc"] else None
        if isinstance(key, str) and isinstance(values.get(key), str):
            read[key] = _parsed(values[key], problem["type"])
    return read


def _parsed(text: str, problem: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        if problem in _SEQUENCES:
            return [part.strip() for part in text.split(",") if part.strip()]
        return text


def _line(
    model: type[Options], label: str, values: Mapping[str, JSON], problem: ErrorDetails
) -> str:
    where = ".".join([label, *(str(part) for part in problem["loc"])])
    known = list(model.model_fields)
    if problem["type"] == "extra_forbidden" and len(problem["loc"]) == 1:
        guess = did_you_mean(str(problem["loc"][0]), known)
        return f"{where}: unknown option{guess or _known(label, known)}"
    if problem["type"] == "missing":
        return f"{where}: this option must be given"
    message = problem["msg"].removeprefix("Value error, ")
    message = message[:1].lower() + message[1:]
    top = len(problem["loc"]) == 1
    given = values.get(str(problem["loc"][0])) if top else problem["input"]
    told = isinstance(given, (str, int, float, bool)) and not _PASSWORD.search(str(given))
    shown = f" (given: {given!r})" if told else ""
    return f"{where}: {message}{shown}"


def _known(label: str, known: list[str]) -> str:
    return f"; options are {', '.join(known)}" if known else f"; {label} has no options"
