"""Where a format puts images, and which file a target means."""

from __future__ import annotations

from pathlib import Path

from ig4.core.files.writing.names import is_safe_path, safe_stem
from ig4.core.records import Record

__all__ = ["image_name", "is_safe_path", "safe_stem", "target_file", "target_folder"]


def image_name(record: Record, index: int, suffix: str, folder: str = "images") -> str:
    """Return an exported image's path: the record's own if that is safe.

    Else `images/<id>-<index><suffix>`.
    """
    own = record.images[index] if index < len(record.images) else None
    if isinstance(own, str) and is_safe_path(own):
        return own
    return f"{folder}/{safe_stem(record.id)}-{index}{suffix}"


def target_folder(path: Path) -> Path:
    """Return the folder of a data set that is there or will be written: a file has an ending."""
    if path.is_dir():
        return path
    return path.parent if path.suffix or path.is_file() else path


def target_file(target: Path, usual: str) -> Path:
    """Return the file to write: `target`, or the `usual` name in it if it means a folder."""
    return target / usual if target_folder(target) == target else target
