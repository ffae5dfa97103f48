"""Tells by their names which files are the shards of one data set, and which of those are missing.

A shard is named as Hugging Face does (`train-00000-of-00003.jsonl`), or has a number with leading
zeros at its end (`part-00000.jsonl`, `train_01.json`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ig4.core.files.reading.compressed import data_stem, data_suffix

_OF_MANY = re.compile(r"(.+?)[-_.](\d{3,6})[-_]of[-_](\d{3,6})(?:-[0-9a-f]+)?")
_NUMBERED = re.compile(r"(.+?)[-_](0\d{1,5}|[1-9]\d{1,5})")
_OTHER_SERIES = re.compile(r"(?:^|[^a-z])(?:v|ver|version|stage|fold|epoch|round|step|seed)$", re.I)
"""What is numbered and no shard: versions of a data set, its stages, folds and draws."""
_DIGITS = re.compile(r"(\d+)")
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Shard:
    """What the name of a file says: of which series it is a part, and which one of how many."""

    name: str  # of the series
    suffix: str
    number: int
    total: int | None = None
    digits: int = 0  # how many the number has, where no total is said

    @property
    def series(self) -> tuple[str, str, int | None, int]:
        """What all shards of a series have in common."""
        return self.name, self.suffix, self.total, self.digits


def shard_of(file: Path) -> Shard | None:
    """Return what a file's name says of it as a shard; None if it is no shard's name."""
    stem, suffix = data_stem(file), data_suffix(file)
    found = _OF_MANY.fullmatch(stem)
    if found is not None:
        return Shard(found[1], suffix, int(found[2]), int(found[3]))
    found = _NUMBERED.fullmatch(stem)
    if found is None or _OTHER_SERIES.search(found[1]):
        return None
    return Shard(found[1], suffix, int(found[2]), None, len(found[2]))


def are_shards(files: Sequence[Path]) -> bool:
    """Tell whether files, two or more, are the shards of one data set.

    Without a total in their names they have to be numbered one after the other, from 0 or 1:
    `llava_150.json` and `llava_665.json` are two data sets.
    """
    found = [shard for shard in map(shard_of, files) if shard is not None]
    if len(found) < max(2, len(files)) or len({shard.series for shard in found}) != 1:
        return False
    numbers = sorted(shard.number for shard in found)
    if found[0].total is not None:
        return len(set(numbers)) == len(numbers)
    return numbers[0] in (0, 1) and numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def series_of(files: Iterable[Path]) -> list[list[Path]]:
    """Return files by the series that they may be shards of, in natural order; others alone."""
    grouped: dict[object, list[Path]] = {}
    for file in sorted(files, key=natural_order):
        shard = shard_of(file)
        key = file if shard is None else (file.parent, shard.series)
        grouped.setdefault(key, []).append(file)
    return list(grouped.values())


def natural_order(file: Path) -> tuple[tuple[bool, int, str], ...]:
    """Return a key that sorts names with numbers by these: shard-2 before shard-10."""
    pieces = filter(None, _DIGITS.split(str(file)))
    return tuple(
        (not piece.isdecimal(), int(piece) if piece.isdecimal() else 0, piece) for piece in pieces
    )


def missing_shards(files: Iterable[Path]) -> list[str]:
    """Return for each series of which shards are missing what there is, and what is not."""
    found: dict[tuple[Path, str, str, int], set[int]] = {}
    for file in files:
        shard = shard_of(file)
        if shard is not None and shard.total is not None:
            key = file.parent, shard.name, shard.suffix, shard.total
            found.setdefault(key, set()).add(shard.number)
    return [_missing(*key, there) for key, there in found.items() if len(there) < key[3]]


def _missing(folder: Path, name: str, suffix: str, total: int, there: set[int]) -> str:
    first = 1 if total in there and 0 not in there else 0
    gone = [number for number in range(first, first + total) if number not in there]
    listed = ", ".join(f"{number:05}" for number in gone[:_SHOWN])
    more = f" and {len(gone) - _SHOWN:,} more" if len(gone) > _SHOWN else ""
    return (
        f"{folder / name}-*{suffix}: {len(there):,} of {total:,} shards are there; missing: "
        f"{listed}{more}"
    )
