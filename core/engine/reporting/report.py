"""Writes the page of a selection: one file that opens from the disk, without a network."""

from __future__ import annotations

import html
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ig4.core.engine.reporting.page import html_page
from ig4.core.engine.reporting.pagecharts import has_libraries, page_charts
from ig4.core.engine.reporting.pagedata import PageRequest, page_data
from ig4.core.engine.reporting.view import selection_view
from ig4.core.events import StageFinished, StageStarted
from ig4.core.files.writing.staging import staged_file
from ig4.core.files.writing.written import open_regular
from ig4.core.host.fingerprint import digest_of
from ig4.core.version import __version__
from ig4.storage import selections

if TYPE_CHECKING:
    from ig4.core.engine.session import Session
    from ig4.storage.datasets import DatasetRow
    from ig4.storage.selections import SelectionRow

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

    def __repr__(self) -> str:
        """Return what was written in a line."""
        return (
            f"<ReportResult {self.path}: selection {self.selection}, {self.shown:,} of "
            f"{self.samples:,} samples, {self.bytes / 1e6:.1f} MB>"
        )

    def _repr_html_(self) -> str:
        """Return the page in a frame of its own, in which it can do nothing to the notebook."""
        page = html.escape(self.path.read_text(encoding="utf-8"), quote=True)
        return (
            f'<iframe srcdoc="{page}" sandbox="allow-scripts" width="100%" height="720" '
            f'style="border:0" title="{html.escape(repr(self))}"></iframe>'
        )

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


def page_beside(path: Path) -> Path:
    """Return where the page about an export lies: `best-report.html` beside `best.json`."""
    return path.with_name(f"{path.stem if path.suffix else path.name}-report.html")


def keep_report(session: Session, dataset: DatasetRow, selection_id: int, path: Path) -> None:
    """Write the page of a selection, unless it is there and of the same one already.

    It is written again by `write_report` alone where something beside the selection has changed,
    such as trainings on it: a run that has nothing to do should end at once.

    Raises:
        UsageError, DatasetError: as `write_report`.
    """
    request = PageRequest()
    with session.store.reading() as connection:
        selection = selections.find(connection, selection_id)
    assert selection is not None
    if not _is_of(path, page_key(selection, request)):
        write_report(session, dataset, selection_id, path, request)


def page_key(selection: SelectionRow, request: PageRequest) -> str:
    """Return what tells the page of a selection from another one's."""
    charts = has_libraries()  # or a page without them would stay when these are installed
    return digest_of([selection.id, selection.digest, asdict(request), charts, __version__])


def _is_of(path: Path, key: str) -> bool:
    """Tell whether a file is a page with a key, which is in its first lines."""
    try:
        with open_regular(path) as file:
            return key.encode() in file.read(_HEAD)
    except OSError:
        return False


_HEAD = 4096


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
    request = request or PageRequest()
    view = selection_view(session, dataset, selection_id)
    data = page_data(session, view, request)
    charts, library = page_charts(session, data.view, outcomes=request.texts)
    page = html_page(
        data.values, data.pictures, charts, library, key=page_key(view.selection, request)
    )
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
