"""Groups by what the data set tells if it tells enough, else by the form of question and answer."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from pydantic import Field

from ig4.core.contracts import Grouper, Groups, Needs, Pool
from ig4.core.records import JSON
from ig4.plugins.groupers.form import FormGrouper, FormOptions, FormTable
from ig4.plugins.groupers.joining import grouped

_SPLIT = re.compile(
    r"\.|\.\.|images?|imgs?|pics?|pictures?|photos?|data|(?:[0-9a-f]{1,3}|\d+)|"
    r"(?:train|val|valid|validation|test|dev|trainval)[_-]?(?:images?)?[_-]?\d*",
    re.IGNORECASE,
)
"""Folders that say nothing of kinds: splits, shards, and those that are just for images."""


_FIRST = 4096
"""So many samples are asked first whether a data set tells anything."""


class AutoOptions(FormOptions):
    """Options of the auto grouper."""

    covered: float = Field(
        0.95,
        gt=0,
        le=1,
        description="The share of samples that must be in groups that the data set tells.",
    )


class AutoGrouper(Grouper):
    """Source, task or folder, where at least two of them cover nearly all samples; else forms.

    Of a folder the first part counts that is more than a split, a shard or "images".
    """

    version = "1"
    Options = AutoOptions
    options: AutoOptions

    def needs(self) -> Needs:
        """See `Grouper.needs`."""
        return Needs(samples=True, meta=True)

    def group(self, pool: Pool) -> Groups:
        """See `Grouper.group`."""
        options = FormOptions(min_size=self.options.min_size, split=self.options.split)
        if self._told(_Keys.of(pool.meta[:_FIRST])) is None:
            # Nothing is told, it seems: samples are read once, for what they tell and their forms.
            keys, forms = _Keys(), FormTable()
            for row, sample in enumerate(pool.samples):
                keys.add(sample.meta or pool.meta[row])
                forms.add(sample)
            return self._told(keys) or forms.grouped(options)
        return self._told(_Keys.of(pool.meta)) or FormGrouper(options).group(pool)

    def _told(self, keys: _Keys) -> Groups | None:
        """Return the groups that a data set tells, if it tells enough."""
        for own, none in keys.named:
            if self._tells(own):
                return grouped(own, self.options.min_size, none)
        return None

    def _tells(self, keys: Sequence[tuple[str, ...]]) -> bool:
        counts: dict[str, int] = {}
        for row in keys:
            for key in row:
                counts[key] = counts.get(key, 0) + 1
        large = np.array([n for n in counts.values() if n >= self.options.min_size])
        return len(large) > 1 and bool(large.sum() >= self.options.covered * len(keys))


class _Keys:
    """Source, task and folder of samples, each as tuples of one or none."""

    def __init__(self) -> None:
        self.sources: list[tuple[str, ...]] = []
        self.tasks: list[tuple[str, ...]] = []
        self.folders: list[tuple[str, ...]] = []
        self._known: dict[str, tuple[str, ...]] = {}

    @classmethod
    def of(cls, metas: Iterable[Mapping[str, JSON]]) -> _Keys:
        """Return the keys of what is told of samples."""
        keys = cls()
        for meta in metas:
            keys.add(meta)
        return keys

    def add(self, meta: Mapping[str, JSON]) -> None:
        """Add those of one sample."""
        self.sources.append(_text(meta.get("source")))
        self.tasks.append(_text(meta.get("task")))
        folder = meta.get("folder")
        if meta.get("images") == 0:
            self.folders.append(("no image",))
        elif not isinstance(folder, str):
            self.folders.append(())
        else:
            self.folders.append(self._known.setdefault(folder, telling_folder(folder)))

    @property
    def named(self) -> tuple[tuple[Sequence[tuple[str, ...]], str], ...]:
        """The keys, and what samples without one are called."""
        return (
            (self.sources, "no source"), (self.tasks, "no task"), (self.folders, "no folder"),
        )  # fmt: skip


def _text(value: JSON) -> tuple[str, ...]:
    return (str(value),) if isinstance(value, (str, int)) and str(value).strip() else ()


def telling_folder(folder: str) -> tuple[str, ...]:
    """Return the first part of a folder that tells a kind of samples, or none."""
    parts = (part for part in re.split(r"[/\\]+", folder) if part.strip())
    return next(((part,) for part in parts if not _SPLIT.fullmatch(part)), ())
