"""Writes pages."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ig4.core.api.sessions import open_session
from ig4.core.engine.exporting.export import dataset_of_selection, find_selection
from ig4.core.engine.reporting.pagedata import PageRequest
from ig4.core.engine.reporting.report import ReportResult, write_report
from ig4.core.limits import SHOWN_SAMPLES
from ig4.storage.connect import DEFAULT
from ig4.storage.store import Store

if TYPE_CHECKING:
    from ig4.core.events import Listener


def report(
    selection: int | str = "last",
    db: str | Path | Store = DEFAULT,
    *,
    out: str | Path = "ig4-report.html",
    images: bool = True,
    redact: bool = False,
    map: str = "pca",  # noqa: A002 - as `ig4 report --map`
    space: str | None = None,
    samples: int = 5_000,
    dataset: str | None = None,
    overwrite: bool = False,
    progress: bool = True,
    listeners: Sequence[Listener] = (),
) -> ReportResult:
    """Do what `ig4 report` does: write one self-contained page about a selection.

    In a notebook, the result shows the page.

    Raises:
        UsageError: there is no such selection or map, a number is out of its limits, or the file is
            not of ig4's.
        DatasetError, StorageError: the page cannot be written, or there is no such database.
    """
    SHOWN_SAMPLES.check("samples", samples)
    request = PageRequest(images=images, texts=not redact, method=map, space=space, samples=samples)
    with open_session(db, listeners, progress=progress) as session:
        named = session.dataset(dataset) if dataset else None
        number = find_selection(session, named, str(selection))
        own = dataset_of_selection(session, number)
        return write_report(session, own, number, Path(out), request, overwrite=overwrite)
