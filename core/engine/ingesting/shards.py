"""Says which shards a data set is read from, and which are not there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ig4.core.counts import verb
from ig4.core.files.shards import missing_shards

if TYPE_CHECKING:
    from ig4.core.contracts import Format
    from ig4.core.engine.session import Session
    from ig4.core.files.remote.places import Place

_SHOWN = 8


def tell_shards(session: Session, form: Format, place: Place) -> None:
    """Say which files of a folder are one data set, and which series of them are not whole."""
    path = place.path
    if not path.is_dir():
        return
    sources = form.sources(path)
    if len(sources) > 1:
        session.notice(
            f"{len(sources):,} files are read as one data set: {sources[0].name} to "
            f"{sources[-1].name}"
        )
    missing = missing_shards(sources)
    for text in missing[:_SHOWN]:
        session.notice(place.told(text))
    if len(missing) > _SHOWN:
        session.notice(
            f"{len(missing) - _SHOWN:,} more series of files "
            f"{verb(len(missing) - _SHOWN, 'is', 'are')} not whole"
        )
