"""Finds the files of this machine that a pattern names, and keeps which ones were named together.

A folder may hold several data sets, and formats look for the shards of one by their names. Whoever
names files by a pattern has said what belongs together: nothing is left to be found out.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ig4.core.counts import counted, verb
from ig4.core.errors import DatasetError
from ig4.core.files.remote.addresses import expanded, has_glob, has_pattern
from ig4.core.files.shards import natural_order

_named: dict[str, tuple[Path, ...]] = {}


def is_local_pattern(text: str) -> bool:
    """Tell whether a path where nothing is stands for several files: `{0..9}`, `{a,b}`, `*`."""
    return (has_pattern(text) or has_glob(text)) and not os.path.lexists(text)


def local_files(text: str) -> list[Path]:
    """Return the files that a pattern stands for, by their numbers; `**` is any folders.

    Each is there once, by its shortest path, also where links to folders lead to it again.

    Raises:
        DatasetError: a file that braces name is not there, or nothing matches.
        UsageError: the numbers in braces have different widths, or are too many.
    """
    names = expanded(text)
    found = {name: _matching(name) for name in names}
    refuse_missing(text, [name for name, files in found.items() if not files], len(names))
    return _distinct(file for files in found.values() for file in files)


def refuse_missing(text: str, missing: Sequence[str], total: int) -> None:
    """Raise DatasetError, with the first that is missing, where a pattern names what is not there.

    Of `total` names that braces stand for, these are `missing`.
    """
    if not missing:
        return
    if total == 1:
        raise DatasetError(f"{text}: no file matches this pattern")
    raise DatasetError(
        f"{text}: {counted(len(missing), 'file')} of {total:,} {verb(len(missing), 'is', 'are')} "
        f"not there, the first: {missing[0]}"
    )


@contextmanager
def named_together(folder: Path, files: Sequence[Path]) -> Iterator[None]:
    """Let `named_files` tell in this block that the files in `folder` were named by a pattern."""
    _named[str(folder)] = tuple(sorted(files, key=natural_order))
    try:
        yield
    finally:
        del _named[str(folder)]


def named_files(folder: Path) -> list[Path]:
    """Return the files of a folder that the user named by a pattern, by number; [] if none did."""
    return list(_named.get(str(folder), ()))


def _matching(name: str) -> list[Path]:
    if Path(name).is_file() or not has_glob(name):  # brackets may be part of a name
        return [Path(name)] if Path(name).is_file() else []
    pattern = _literal_folders(name)
    found = glob.iglob(pattern, recursive=True)  # noqa: PTH207 - Path.glob takes no absolute one
    return [file for file in map(Path, found) if file.is_file()]


def _literal_folders(name: str) -> str:
    """Return a pattern in which folders that are there under their very names are no pattern."""
    parts = Path(name).parts
    there = 0
    while there < len(parts) - 1 and os.path.lexists(Path(*parts[: there + 1])):
        there += 1
    return str(Path(*map(glob.escape, parts[:there]), *parts[there:]))


def _distinct(files: Iterable[Path]) -> list[Path]:
    by_place: dict[tuple[str, str], Path] = {}
    for file in sorted(set(files), key=lambda one: (len(one.parts), natural_order(one))):
        by_place.setdefault((os.path.realpath(file.parent), file.name), file)
    return sorted(by_place.values(), key=natural_order)
