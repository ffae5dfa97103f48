"""Finds out to which split of a data set a file belongs, by its name and folders."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from ig4.core.errors import DatasetError, UsageError
from ig4.core.files.patterns import named_files
from ig4.core.files.reading.compressed import data_stem
from ig4.core.files.shards import are_shards, natural_order, series_of, shard_of

ALL = "all"
"""The option's word for every split."""

_NAMES = {
    "train": "train", "training": "train", "test": "test", "testing": "test", "dev": "validation",
    "val": "validation", "valid": "validation", "validation": "validation", "eval": "test",
    "evaluation": "test",
}  # fmt: skip
_WORDS = re.compile(r"[^A-Za-z0-9]+")
_MAX_SERIES = 256  # of shards, or single files of a folder, that are looked into
_LOOKED_INTO = 3  # shards of a series: all are of the format that one of these is in
_SHOWN = 12
_NONE = "(none)"


def split_of(file: Path) -> str | None:
    """Return the split that a file's name or folder tells; None if neither tells any.

    `train-00000-of-00002` is of train, also `my_val` and `test/0001` of what they say.
    """
    shard = shard_of(file)
    of_many = shard is not None and shard.total is not None
    stem = shard.name if shard is not None and of_many else data_stem(file)
    words = [word.lower() for word in _WORDS.split(stem)]
    named = next((_NAMES[word] for word in reversed(words) if word in _NAMES), None)
    if named is None and not of_many:
        named = _NAMES.get(file.parent.name.lower())
    return named or (stem if of_many else None)


def of_split(folder: Path, files: Sequence[Path], split: str | None) -> list[Path]:
    """Return the files of a split; all if the folder has but one, or `split` is "all".

    Without a `split` files of several ones are returned as they are: the caller says what then.

    Raises:
        UsageError: no file is of this split.
    """
    if split is None or split == ALL:
        return list(files)
    wanted = _NAMES.get(split.lower(), split)
    found = [file for file in files if split_of(file) in (split, wanted)]
    if not found:
        listed = ", ".join(_splits(files)) or "none"
        raise UsageError(f"{folder} has no split {split!r} (there are: {listed})")
    return found


def require_one_split(folder: Path, files: Sequence[Path], split: str | None) -> None:
    """Raise DatasetError if files of several splits would be read as one data set."""
    splits = _splits(files)
    if split is None and len(splits) > 1:
        listed = ", ".join(splits)
        raise DatasetError(
            f"{folder} has the splits {listed}: say which with -o split={splits[0]}, or read "
            f"them all with -o split={ALL}"
        )


def in_format(files: Iterable[Path], matches: Callable[[Path], bool]) -> list[Path]:
    """Return the files that `matches` accepts; all shards of a series if it accepts one of them."""
    return [
        file
        for series in series_of(files)[:_MAX_SERIES]
        if any(map(matches, series[:_LOOKED_INTO]))
        for file in series
    ]


def one_dataset(
    folder: Path, files: Sequence[Path], split: str | None, what: str = "file of this format"
) -> list[Path]:
    """Return the files of a folder that are one data set: one, or all shards of a split, in order.

    Those that the user named by a pattern are one, whatever they are called.

    Raises:
        DatasetError: there are none, or several data sets or splits.
        UsageError: there is no such split.
    """
    if not files:
        raise DatasetError(f"{folder} holds no {what}")
    named = named_files(folder)
    if named:
        return of_split(folder, named, split)
    found = sorted(of_split(folder, files, split), key=natural_order)
    if len(found) == 1 or split == ALL or are_shards(found):
        return found
    if None not in map(split_of, found):
        require_one_split(folder, found, split)
    listed = ", ".join(file.name for file in found[:_SHOWN])
    more = f" and {len(found) - _SHOWN:,} more" if len(found) > _SHOWN else ""
    splits = [name for name in _splits(found) if name != _NONE]
    advice = f", or a split with -o split=… ({', '.join(splits)})" if len(splits) > 1 else ""
    raise DatasetError(
        f"{folder} holds several data sets ({listed}{more}), and they are no shards of one: name "
        f"one of these files{advice}"
    )


def of_config(folder: Path, files: Sequence[Path], config: str | None) -> list[Path]:
    """Return the files of one configuration: of one folder that has splits of its own.

    Folders without splits are no configurations, but parts of one table.

    Raises:
        DatasetError: there are several configurations, and none is named.
        UsageError: there is no such configuration.
    """
    by_config: dict[str, list[Path]] = {}
    for file in files:
        by_config.setdefault(_config_of(file.relative_to(folder)), []).append(file)
    listed = ", ".join(sorted(by_config)[:_SHOWN])
    if config is not None and config != ALL:
        if config not in by_config:
            raise UsageError(f"{folder} has no configuration {config!r} (there are: {listed})")
        return by_config[config]
    with_splits = [name for name, own in by_config.items() if any(map(split_of, own))]
    if config is None and len(by_config) > 1 and with_splits:
        raise DatasetError(
            f"{folder} has the configurations {listed}: say which with "
            f"-o config={sorted(with_splits)[0]}, or read them all with -o config={ALL}"
        )
    return list(files)


def _config_of(file: Path) -> str:
    """Return the folder of a file, without the folder of a split and `data`; "default" for none."""
    parts = [part for part in file.parts[:-1] if part.lower() not in (*_NAMES, "data")]
    return "/".join(parts) or "default"


def _splits(files: Sequence[Path]) -> list[str]:
    found = dict.fromkeys(split_of(file) for file in files)
    named = [name for name in found if name is not None]
    named.sort(key=lambda name: (name != "train", name))
    return [*named, _NONE] if named and None in found else named
