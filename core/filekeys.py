"""Refuses keys and passwords in ig4.toml: they would be recorded, copied and committed with it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ig4.core.errors import ConfigError, Ig4Error
from ig4.core.secrets import find_secret, is_secret_name, redact

_DATABASE = "db"
"""An address of a database may hold a password: it is not recorded, and shown without it."""


def refuse_keys(values: Mapping[str, Any], file: str, tables: Iterable[str]) -> None:
    """Refuse a configuration file that holds a key, wherever it is.

    `tables` are those of components (`scorers`): an option that a plugin's component declares, and
    names as a key, may hold one.

    Raises:
        ConfigError: it holds one; says where, and where to put it.
    """
    for name, value in values.items():
        if name != _DATABASE and name not in tables:
            _refuse(find_secret({name: value}, ""), file)
    for table in tables:
        named = values.get(table)
        for label, options in named.items() if isinstance(named, dict) else ():
            _refuse(find_secret({label: ""}, f".{table}"), file)
            for option, value in options.items() if isinstance(options, dict) else ():
                found = find_secret({option: value}, f".{table}.{label}")
                use = options.get("use", label)
                if found is not None and not _is_declared(table.removesuffix("s"), use, option):
                    _refuse(found, file)


def _refuse(place: str | None, file: str) -> None:
    if place is not None:
        raise ConfigError(
            f"{file}: {redact(place.removeprefix('.'))} holds a key or a password, which would be "
            "recorded and copied with the file: take it out, and set it in the environment "
            "variable that the service's client reads (`ig4 doctor` lists them)"
        )


def _is_declared(kind: str, use: Any, option: str) -> bool:
    """Tell whether a component has this option, and its name says that it is a key."""
    if not is_secret_name(option) or not isinstance(use, str):
        return False
    from ig4.core.host.host import Host

    try:
        component = Host.discover().load(kind, use, runnable=False)
    except Ig4Error:
        return False
    return option in component.Options.model_fields
