"""Finds out to which split of a data set a file belongs, by its name and folders."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from ig4.core.errors import DatasetError, UsageError
from ig4.core.files.reading.compressed import data_stem

ALL = "all"
"""The option's word for every split."""

_NAMES = {
    "train": "train", "training": "train", "test": "test", "testing": "test", "dev": "validation",
    "val": "validation", "valid": "validation", "validation": "validation", "eval": "test",
    "evaluation": "test",
}  # fmt: skip
_SHARD = re.compile(r"(.+?)[-_]\d{3,6}[-_]of[-_]\d{3,6}(?:-[0-9a-f]+)?")
_WORDS = re.compile(r"[^A-Za-z0-9]+")
_SHOWN = 12


def split_of(file: Path) -> str | None:
    """Return the split that a file's name or folder tells; None if neither tells any.

    `train-00000-of-00002` is of train, also `my_val` and `test/0001` of what they say.
    """
    stem = data_stem(file)
    shard = _SHARD.fullmatch(stem)
    words = [word.lower() for word in _WORDS.split(shard[1] if shard else stem)]
    named = next((_NAMES[word] for word in reversed(words) if word in _NAMES), None)
    if named is None and shard is None:
        named = _NAMES.get(file.parent.name.lower())
    return named or (shard[1] if shard else None)


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
    return [*named, "(none)"] if named and None in found else named
