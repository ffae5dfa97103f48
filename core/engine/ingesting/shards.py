"""Says which shards of a data set are not there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ig4.core.counts import verb
from ig4.core.files.shards import missing_shards

if TYPE_CHECKING:
    from ig4.core.contracts import Format
    from ig4.core.engine.session import Session

_SHOWN = 8


def tell_missing_shards(session: Session, form: Format, path: Path) -> None:
    """Give notice of series of files in a folder that are not whole; a file is what was named."""
    if not path.is_dir():
        return
    missing = missing_shards(form.sources(path))
    for text in missing[:_SHOWN]:
        session.notice(text)
    if len(missing) > _SHOWN:
        session.notice(
            f"{len(missing) - _SHOWN:,} more series of files "
            f"{verb(len(missing) - _SHOWN, 'is', 'are')} not whole"
        )
