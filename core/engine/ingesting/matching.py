"""Finds the samples that the ids of a file mean, and says how ids differ that nearly fit."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ig4.core.errors import UsageError
from ig4.storage import samples

if TYPE_CHECKING:
    from ig4.core.engine.session import Session
    from ig4.storage.datasets import DatasetRow

_SHOWN = 3
_LONGEST = 60
_PROBED = 1000
_ENDING = re.compile(r"\.[A-Za-z]\w{1,4}$")


@dataclass(frozen=True, slots=True)
class MatchedIds:
    """For each id of a file, in order, its (sample id, content id), None where there is none."""

    places: list[tuple[int, int] | None]
    unknown: list[str]


def match_ids(session: Session, dataset: DatasetRow, ids: Sequence[str], where: str) -> MatchedIds:
    """Return the sample that each id of a file means.

    An id that stands k times in the file and in k records of the data set (of which the later
    ones were numbered at ingest) means these records in their order.

    Raises:
        UsageError: an id is repeated, and the counts differ: which row is whose is not certain.
    """
    counted = Counter(ids)
    with session.store.reading() as connection:
        known = samples.find_ids(connection, dataset.id, list(counted))
        repeated = samples.numbered_ids(connection, dataset.id)
    wrong: list[str] = []
    waiting: dict[str, list[tuple[int, int]]] = {}
    for name, count in counted.items():
        if name not in known:
            continue
        members = repeated.get(name, {name: known[name]})
        if any(other in counted for other in members if other != name):
            members = {name: known[name]}  # the file has the numbered ids, as ig4 writes them
        if count != len(members):
            wrong.append(
                f"{shown_id(name)} stands {_times(count)} in the file and {_times(len(members))} "
                "in the data set"
            )
        waiting[name] = list(members.values())[::-1]
    if wrong:
        more = f", and {len(wrong) - _SHOWN:,} more" if len(wrong) > _SHOWN else ""
        raise UsageError(
            f"{where}: {'; '.join(wrong[:_SHOWN])}{more}. Which row belongs to which sample of "
            f"{dataset.name} is not certain: give each id as often as the data set has it, in its "
            "order, or leave it out"
        )
    places = [waiting[name].pop() if name in waiting else None for name in ids]
    return MatchedIds(places, [name for name in counted if name not in known])


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count:,} times"


def shown_id(name: str) -> str:
    """Return an id as messages show it."""
    return repr(name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…")


def shown_ids(names: Iterable[str]) -> str:
    """Return the first ids as messages show them."""
    first = list(names)
    more = ", …" if len(first) > _SHOWN else ""
    return ", ".join(map(shown_id, first[:_SHOWN])) + more


def describe_mismatch(
    session: Session,
    dataset: DatasetRow,
    unknown: Sequence[str],
    rows: Sequence[Mapping[str, object]],
) -> str:
    """Return the ids of the data set, and how unknown ids of a file differ from them.

    `rows` are some rows of the file: another of their columns may have the ids.
    """
    with session.store.reading() as connection:
        ids, _ = samples.ordered_ids(connection, dataset.id)
        names = list(samples.external_ids(connection, ids.tolist(), dataset.id).values())
    text = f"the ids of {dataset.name} are {shown_ids(names)}"
    column = _other_column(set(names), rows)
    if column is not None:
        return f"{text}; the column {column!r} has such ids: --id {column}"
    near = _near(names, unknown[:_PROBED])
    return f"{text}; {near}" if near else text


def _near(names: Sequence[str], unknown: Sequence[str]) -> str | None:
    for how, simplify in _SIMPLIFIED:
        simple = {simplify(name): name for name in names}
        for name in unknown:
            match = simple.get(simplify(name))
            if match is not None:
                return (
                    f"{shown_id(name)} may mean {shown_id(match)}: they differ by {how}. Write the "
                    "ids of the file as the data set has them"
                )
    return None


def _other_column(names: set[str], rows: Sequence[Mapping[str, object]]) -> str | None:
    columns = list(rows[0]) if rows else []
    for column in columns:
        cells = [row.get(column) for row in rows]
        hits = sum(str(cell) in names for cell in cells if isinstance(cell, (str, int)))
        if 2 * hits > len(rows):
            return column
    return None


def _stem(name: str) -> str:
    return _ENDING.sub("", name)


def _base(name: str) -> str:
    return name.replace("\\", "/").rpartition("/")[2]


def _whole(name: str) -> str:
    return name.removesuffix(".0")


def _number(name: str) -> str:
    digits = _whole(_stem(_base(name)))
    return digits.lstrip("0") or "0"


_SIMPLIFIED: tuple[tuple[str, Callable[[str], str]], ...] = (
    ("spaces, or upper and lower case", lambda name: name.strip().casefold()),
    ("the ending of a file's name", _stem),
    ("the folder before a file's name", _base),
    ("the folder and the ending of a file's name", lambda name: _stem(_base(name))),
    ("a number written with .0", _whole),
    ("zeros before a number", _number),
)
"""Ways to write an id, and what two ids have in common that differ by them alone."""
