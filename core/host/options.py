"""Validates a component's options from a file or the command line, and lists every problem."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, get_args

from pydantic import ValidationError

from ig4.core.contracts import Options
from ig4.core.errors import UsageError
from ig4.core.records import JSON
from ig4.core.secrets import find_secret, is_secret_name, redact
from ig4.core.suggest import did_you_mean

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_SEQUENCES = ("list_type", "tuple_type", "set_type", "frozen_set_type")


def fill_options(model: type[Options], given: Mapping[str, JSON], label: str) -> Options:
    """Validate the options `given` for the component called `label`.

    Text from the command line is understood: "true", "3", "null" for an option that
    may be None, JSON for lists and tables, "a,b" for a list, an inline table of TOML for a table.

    Raises:
        UsageError: one line for each problem; a key or a password is one, since options are
            recorded with every result.
    """
    values = {key: _none_for_null(model, key, value) for key, value in given.items()}
    try:
        return _without_secrets(model.model_validate(values), label)
    except ValidationError as error:
        problems = error.errors()
    try:
        return _without_secrets(model.model_validate(_reread(values, problems)), label)
    except ValidationError as error:
        lines = [_problem(model, label, values, problem) for problem in error.errors()]
    raise UsageError("\n".join(dict.fromkeys(lines)))


def _without_secrets(options: Options, label: str) -> Options:
    """Return the options, or refuse them; an option that a plugin names so may hold a key."""
    for name, value in options.model_dump(mode="json", warnings=False).items():
        where = None if is_secret_name(name) else find_secret(value, f"{label}.{name}")
        if where is not None:
            raise UsageError(
                f"{where}: a key or password in an option would be recorded with every result: "
                "set it in the environment variable that the service's client reads (`ig4 doctor` "
                "lists them)"
            )
    return options


def _none_for_null(model: type[Options], key: str, value: JSON) -> JSON:
    field = model.model_fields.get(key)
    optional = field is not None and type(None) in get_args(field.annotation)
    return None if optional and value == "null" else value


def _reread(values: Mapping[str, JSON], problems: list[ErrorDetails]) -> dict[str, JSON]:
    """Return the values, with text that was refused parsed as JSON or as a list."""
    parsed = dict(values)
    for problem in problems:
        key = problem["loc"][0] if problem["loc"] else None
        if isinstance(key, str) and isinstance(values.get(key), str):
            parsed[key] = _parse(values[key], problem["type"])
    return parsed


def _parse(text: str, problem: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        if problem in _SEQUENCES:
            return [part.strip() for part in text.split(",") if part.strip()]
        return _inline_table(text) if problem == "dict_type" else text


def _inline_table(text: str) -> Any:
    """Return a table written as in a file, {"a b" = 1}; else the text."""
    try:
        return tomllib.loads(f"table = {text.strip()}")["table"]
    except tomllib.TOMLDecodeError:
        return text


def _problem(
    model: type[Options], label: str, values: Mapping[str, JSON], details: ErrorDetails
) -> str:
    """Return one line on what is wrong with an option."""
    path = details["loc"]
    where = ".".join([label, *map(str, path)])
    names = list(model.model_fields)
    if details["type"] == "extra_forbidden" and len(path) == 1:
        guess = did_you_mean(str(path[0]), names)
        return f"{where}: unknown option{guess or _known_options(label, names)}"
    if details["type"] == "missing":
        return f"{where}: this option must be given"
    message = details["msg"].removeprefix("Value error, ")
    message = message[:1].lower() + message[1:]
    if details["type"] == "dict_type":
        message += ', as {"a name": 5} (JSON) or { "a name" = 5 } (TOML)'
    value = values.get(str(path[0])) if len(path) == 1 else details["input"]
    simple = isinstance(value, (str, int, float, bool)) and not any(
        is_secret_name(str(part)) for part in path
    )
    shown = f" (given: {value!r})" if simple else ""
    return redact(f"{where}: {message}{shown}")


def _known_options(label: str, names: list[str]) -> str:
    return f"; options are {', '.join(names)}" if names else f"; {label} has no options"
