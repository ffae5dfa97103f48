"""Where images that data sets contain lie beside a copy of a database."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ig4.storage.schema import ImageFile
from ig4.storage.transfer.rows import Row

_INSIDE = re.compile(r"[0-9a-f]{2}[/\\\\][0-9a-f]{64}")
"""The place of an image in the folder."""

_columns = [column.name for column in ImageFile.__table__.columns]
_EMBEDDED, _PATH = _columns.index("embedded"), _columns.index("path")


@dataclass(frozen=True, slots=True)
class ImagePlaces:
    """The folder of such images beside a database, and beside its copy."""

    source: Path
    target: Path

    def moved(self, rows: Sequence[Row]) -> list[Row]:
        """Return rows of `image_files` with the paths that such images have beside the copy."""
        return [
            (*row[:_PATH], self.place(row[_PATH]), *row[_PATH + 1 :]) if row[_EMBEDDED] else row
            for row in rows
        ]

    def place(self, path: str | None) -> str | None:
        """Return where an image lies beside the copy; one outside the folder stays there.

        Inside are `<2 digits>/<digest>` alone: a path may have been made to lead elsewhere.
        """
        before = os.path.realpath(self.source) + os.sep
        if path is None or not path.startswith(before):
            return path
        name = path.removeprefix(before)
        if not _INSIDE.fullmatch(name):
            return path
        return os.path.realpath(self.target) + os.sep + name
