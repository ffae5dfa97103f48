"""Groups by what the data set tells of its samples: a source, a task, a folder, any field."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from pydantic import Field

from ig4.core.contracts import Grouper, Groups, Needs, Options, Pool
from ig4.core.errors import UsageError
from ig4.core.records import JSON
from ig4.core.texts import one_line
from ig4.plugins.groupers.joining import grouped
from ig4.plugins.groupers.jsonpath import described, parse_path, values_at

if TYPE_CHECKING:
    from ig4.core.records import Sample

KEYS = ("source", "task", "folder")
"""What is looked for, in this order, where the user names nothing."""

_LONGEST = 60  # characters of a group's name
_LOOKED_AT = 100  # records for a message


class SourceOptions(Options):
    """Options of the source grouper."""

    key: str = Field(
        "auto",
        description="What tells the groups: a key of meta (source, task, split, folder), or a path "
        "into the record ($.metadata.kind); auto: source, else task, else folder.",
    )
    min_size: int = Field(20, ge=1, description="Groups of fewer samples are joined to a rest.")


class SourceGrouper(Grouper):
    """What the data set tells of each sample. A path that ends in a list ([*]) gives several."""

    version = "1"
    Options = SourceOptions
    options: SourceOptions

    def needs(self) -> Needs:
        """See `Grouper.needs`."""
        is_path = self.options.key.startswith("$")
        return Needs(samples=True) if is_path else Needs(meta=True)

    def group(self, pool: Pool) -> Groups:
        """See `Grouper.group`.

        Raises:
            UsageError: the data set does not tell that of any sample, or the path is none.
        """
        key, min_size = self.options.key, self.options.min_size
        if key.startswith("$"):
            return grouped(_at_path(pool.samples, key), min_size, f"no {one_line(key)}")
        if key == "auto":
            return _told(pool.meta, min_size)
        if not any(key in meta for meta in pool.meta):
            raise UsageError(_untold(pool.meta, key))
        return grouped(_values(pool.meta, key), min_size, f"no {one_line(key)}")


def _told(metas: Sequence[Mapping[str, JSON]], min_size: int) -> Groups:
    """Return groups by the first of `KEYS` that any sample has."""
    present: set[str] = set()
    for meta in metas:
        present.update(meta)
        if KEYS[0] in present:
            break
    key = next((key for key in KEYS if key in present), None)
    if key is None:
        raise UsageError(
            "the data set tells neither source nor task of its samples, and its images are in no "
            "folders: group by form, or name a field of its records (key=$.metadata.kind)"
        )
    return grouped(_values(metas, key), min_size, f"no {key}")


def _values(metas: Iterable[Mapping[str, JSON]], key: str) -> Iterator[tuple[str, ...]]:
    for meta in metas:
        yield _names((meta.get(key),))


def _at_path(samples: Sequence[Sample], text: str) -> list[tuple[str, ...]]:
    steps = parse_path(text)
    found = [_names(values_at(sample.record, steps)) for sample in samples]
    if any(found):
        return found
    there = Counter(
        described(samples[row].record, steps) for row in range(min(len(samples), _LOOKED_AT))
    )
    most = there.most_common(1)[0][0] if there else "no records"
    raise UsageError(f"{text} leads to no text or number in any record: where it ends, is {most}")


def _names(values: Iterable[JSON]) -> tuple[str, ...]:
    """Return the names of groups that values stand for, each once."""
    return tuple(dict.fromkeys(name for value in values if (name := _name(value))))


def _name(value: JSON) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, (str, int, float)):
        return None
    name = one_line(str(value))
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…"


def _untold(metas: Iterable[Mapping[str, JSON]], key: str) -> str:
    known = sorted({name for meta in metas for name in meta})
    there = f"what it tells is {', '.join(known)}" if known else "it tells nothing of them"
    return (
        f"the data set tells no {one_line(key)!r} of its samples: {there}; a path names a field of "
        "its records (key=$.metadata.kind)"
    )
