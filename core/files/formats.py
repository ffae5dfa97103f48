"""Finds out which format a data set is in, and builds that format."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ig4.core.contracts import Format
from ig4.core.errors import DatasetError, PluginError, UsageError
from ig4.core.files.opening import open_file
from ig4.core.files.reading import jsonstream
from ig4.core.files.reading.compressed import refuse_broken
from ig4.core.files.reading.encodings import unreadable_error
from ig4.core.files.reading.tables import require_file
from ig4.core.files.remote.errors import RemoteFileError
from ig4.core.records import JSON, Choice

if TYPE_CHECKING:
    from ig4.core.host.host import Host, RegisteredComponent

_OWN = "ig4"
_SHOWN_NAMES = 8


def resolve(
    host: Host, path: Path, name: str | None = None, options: Mapping[str, JSON] | None = None
) -> tuple[str, Format]:
    """Return the name of a data set's format, and the format built with `options`, not yet opened.

    Without a `name` it is detected, among the formats that have all of the `options`: whoever
    gives an option means a format that has it.

    Raises:
        DatasetError: the path is missing or empty, or in no known format.
        UsageError: an unknown format, or options that do not fit it.
        MissingExtraError: the format needs a library that is not installed.
    """
    options = options or {}
    require_not_empty(path)
    if name is None:
        name = detect(_candidates(host, options), path)
    form = host.build(Choice("format", name, options))
    assert isinstance(form, Format)
    return name, form


def detect(formats: Mapping[str, Format], path: Path) -> str:
    """Return the name of the first of `formats` that recognises `path`.

    Formats are asked in the order given, but those that take any file of their kind
    (`Format.generic`) come after all others. Only names and first bytes are read.

    Raises:
        DatasetError: the path is missing or empty, or no format recognises it; says what it is.
    """
    require_not_empty(path)
    for name, form in sorted(formats.items(), key=lambda item: item[1].generic):
        if _recognises(form, path):
            return name
    if not path.is_dir():
        refuse_broken(path)
    _refuse_broken_json(path)
    known = ", ".join(formats)
    raise DatasetError(
        f"{path} is in no format that ig4 recognises ({_describe(path)}). Name one with --format: "
        f"{known}."
    )


def require_not_empty(path: Path) -> None:
    """Raise DatasetError if a path is missing, empty, or neither a file nor a folder."""
    try:
        if path.is_dir():
            with os.scandir(path) as entries:
                if next(entries, None) is None:
                    raise DatasetError(f"{path} is an empty folder")
        else:
            require_file(path)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        if isinstance(error, OSError):
            raise unreadable_error(path, error) from error
        raise DatasetError(f"{str(path)!r} is not a path ({error})") from None


def _candidates(host: Host, options: Mapping[str, JSON]) -> dict[str, Format]:
    """Build every format that has these options, ours first and the plugins' in host order.

    Our formats check the structure that they look for, while a plugin's may check less;
    `--format` overrides both. A broken plugin is skipped.
    """
    registered = sorted(host.components("format"), key=lambda item: item.dist != _OWN)
    names = [item.component.name for item in registered]
    built: dict[str, Format] = {}
    refusals: list[str] = []
    for item in registered:
        name = item.component.name
        name = name if names.count(name) == 1 else item.qualified
        try:
            built[name] = _build(host, item, options)
        except UsageError as error:
            refusals.append(str(error))
        except PluginError:
            continue
    if not built and refusals:
        raise UsageError("no format has these options:\n" + "\n".join(refusals))
    return built


def _build(host: Host, registered: RegisteredComponent, options: Mapping[str, JSON]) -> Format:
    # Not runnable: a Parquet file is recognised without pyarrow, and the error then names it.
    form = host.build(Choice("format", registered.qualified, options), runnable=False)
    assert isinstance(form, Format)
    return form


def _recognises(form: Format, path: Path) -> bool:
    try:
        return form.detect(path)
    except RemoteFileError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror}") from None
    except Exception:  # noqa: BLE001 - a format that fails on a file does not recognise it
        return False


def _refuse_broken_json(path: Path) -> None:
    """Raise DatasetError with line and column if a file is JSON, but not valid."""
    layout = jsonstream.layout(path)
    if layout == "object":
        jsonstream.first_items(path)
    elif layout is not None:
        for _ in jsonstream.records(path):
            pass


def _describe(path: Path) -> str:
    if path.is_dir():
        names = sorted(entry.name for entry in path.iterdir())
        more = f" and {len(names) - _SHOWN_NAMES:,} more" if len(names) > _SHOWN_NAMES else ""
        return f"a folder with {', '.join(names[:_SHOWN_NAMES])}{more}"
    with open_file(path) as file:
        return f"a file that begins with {file.read(24)!r}"
