"""Files that are on the disk, whole, before they have their names."""

from __future__ import annotations

import os
from pathlib import Path


def name_durably(partial: Path, path: Path) -> None:
    """Bring a file to the disk, then give it its name, then bring the name to the disk."""
    with partial.open("rb+") as file:
        os.fsync(file.fileno())
    partial.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Bring the names in a folder to the disk."""
    if hasattr(os, "O_DIRECTORY"):  # not on Windows
        opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)
