"""Writes the page of a selection: one file that opens from the disk, without a network."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ig4.core.engine.reporting.page import html_page
from ig4.core.engine.reporting.pagedata import PageRequest, page_data
from ig4.core.engine.reporting.view import selection_view
from ig4.core.events import StageFinished, StageStarted
from ig4.core.files.writing.staging import staged_file

if TYPE_CHECKING:
    from ig4.core.engine.session import Session
    from ig4.storage.datasets import DatasetRow

STAGE = "report"


@dataclass(frozen=True, slots=True)
class ReportResult:
    """The page that was written: its `path`, its size in `bytes`, and how many samples it shows.

    `without_picture` counts images that the page has no room for, `unreadable` those that cannot be
    read any more.
    """

    path: Path
    selection: int
    bytes: int
    samples: int
    shown: int
    pictures: int
    without_picture: int
    unreadable: int
    warnings: tuple[str, ...] = field(default=())

    def to_dict(self) -> dict[str, Any]:
        """Return what `ig4 report --json` prints."""
        return {
            "path": str(self.path),
            "selection": self.selection,
            "bytes": self.bytes,
            "samples": self.samples,
            "shown": self.shown,
            "pictures": self.pictures,
            "without_picture": self.without_picture,
            "unreadable": self.unreadable,
            "warnings": list(self.warnings),
        }


def write_report(
    session: Session,
    dataset: DatasetRow,
    selection_id: int,
    path: Path,
    request: PageRequest | None = None,
    *,
    overwrite: bool = False,
) -> ReportResult:
    """Write the page of a selection.

    The page of the same database and selection is the same file, byte for byte.

    Raises:
        UsageError: the file is not of ig4's, or there is no such map.
        DatasetError: it cannot be written.
    """
    session.emit(StageStarted(STAGE, None))
    data = page_data(
        session, selection_view(session, dataset, selection_id), request or PageRequest()
    )
    page = html_page(data.values, data.pictures)
    with staged_file(path, overwrite=overwrite) as partial:
        partial.write_bytes(page)
    about = data.values["about"]
    result = ReportResult(
        path,
        selection_id,
        len(page),
        about["samples"],
        len(data.values["samples"]["id"]),
        len(data.pictures),
        about["without"],
        about["unreadable"],
        tuple(data.values["warnings"]),
    )
    session.emit(StageFinished(STAGE, f"{result.bytes / 1e6:.1f} MB to {path}"))
    return result
