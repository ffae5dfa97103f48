"""What ingesting a data set did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from ig4.core.counts import counted
from ig4.core.views.tabular import ResultTable, TabularResult
from ig4.storage.datasets import DatasetRow


class FetchedCounts(NamedTuple):
    """What was fetched: `files` of so many `bytes`; files that the cache had; repeated requests.

    `unchanged` are files that a server was asked for again, and did not send: they are the same.
    """

    files: int
    bytes: int
    cached: int
    repeated: int
    unchanged: int = 0


@dataclass(frozen=True, slots=True, repr=False)
class IngestResult(TabularResult):
    """What ingesting did.

    `read` counts the records read now, `samples` all of the data set, `gone` the samples that left
    it, `changed_images` the images with other bytes than before. `problems` counts records by
    what is wrong with them, `remarks` by what else there is to say, `unreadable_images` the image
    files that are missing or no images. `fetched` counts what lay elsewhere, None where nothing
    did.
    """

    dataset: DatasetRow
    read: int
    samples: int
    gone: int
    changed_images: int
    problems: Mapping[str, int]
    unchanged: bool
    unreadable_images: int = 0
    remarks: Mapping[str, int] = field(default_factory=dict)
    fetched: FetchedCounts | None = None

    def headline(self) -> str:
        """Return what it is, in a few words."""
        state = "unchanged" if self.unchanged else f"read as {self.dataset.format}"
        return f"{self.dataset.name}: {counted(self.samples, 'sample')} ({state})"

    def _table(self) -> ResultTable:
        counts = {
            "samples": self.samples,
            "read now": self.read,
            "gone": self.gone,
            "changed images": self.changed_images,
            "unreadable images": self.unreadable_images,
            **{f"problem: {name}": count for name, count in self.problems.items()},
            **{f"remark: {name}": count for name, count in self.remarks.items()},
        }
        return ResultTable(("what", "count"), [*counts.items()])
