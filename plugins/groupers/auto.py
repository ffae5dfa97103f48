"""Groups by what the data set tells if it tells enough, else by the form of question and answer."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np
from pydantic import Field

from ig4.core.contracts import Grouper, Groups, Needs, Pool
from ig4.core.records import JSON
from ig4.plugins.groupers.form import FormGrouper, FormOptions
from ig4.plugins.groupers.joining import grouped

_SPLIT = re.compile(
    r"\.|\.\.|images?|imgs?|pics?|pictures?|photos?|data|(?:[0-9a-f]{1,3}|\d+)|"
    r"(?:train|val|valid|validation|test|dev|trainval)[_-]?(?:images?)?[_-]?\d*",
    re.IGNORECASE,
)
"""Folders that say nothing of kinds: splits, shards, and those that are just for images."""


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
        sources, tasks, folders = _keys(pool.meta)
        for keys, none in ((sources, "no source"), (tasks, "no task"), (folders, "no folder")):
            if self._tells(keys):
                return grouped(keys, self.options.min_size, none)
        forms = FormOptions(min_size=self.options.min_size, split=self.options.split)
        return FormGrouper(forms).group(pool)

    def _tells(self, keys: Sequence[tuple[str, ...]]) -> bool:
        counts: dict[str, int] = {}
        for row in keys:
            for key in row:
                counts[key] = counts.get(key, 0) + 1
        large = np.array([n for n in counts.values() if n >= self.options.min_size])
        return len(large) > 1 and bool(large.sum() >= self.options.covered * len(keys))


def _keys(
    metas: Sequence[Mapping[str, JSON]],
) -> tuple[list[tuple[str, ...]], list[tuple[str, ...]], list[tuple[str, ...]]]:
    """Return source, task and folder of each sample, as tuples of one or none."""
    sources: list[tuple[str, ...]] = []
    tasks: list[tuple[str, ...]] = []
    folders: list[tuple[str, ...]] = []
    known: dict[str, tuple[str, ...]] = {}
    for meta in metas:
        sources.append(_text(meta.get("source")))
        tasks.append(_text(meta.get("task")))
        folder = meta.get("folder")
        if meta.get("images") == 0:
            folders.append(("no image",))
        elif not isinstance(folder, str):
            folders.append(())
        else:
            folders.append(known.setdefault(folder, telling_folder(folder)))
    return sources, tasks, folders


def _text(value: JSON) -> tuple[str, ...]:
    return (str(value),) if isinstance(value, (str, int)) and str(value).strip() else ()


def telling_folder(folder: str) -> tuple[str, ...]:
    """Return the first part of a folder that tells a kind of samples, or none."""
    parts = (part for part in re.split(r"[/\\]+", folder) if part.strip())
    return next(((part,) for part in parts if not _SPLIT.fullmatch(part)), ())
