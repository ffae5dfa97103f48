"""Makes file names out of ids and paths that come from data sets, which may be hostile."""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from pathlib import Path

from ig4.core.records import Record

_UNSAFE = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f\ud800-\udfff]')
_MAX_BYTES = 150  # bytes; file systems take 255, and an index, an ending and a hash are added
_DEVICES = frozenset(
    ["CON", "PRN", "AUX", "NUL", *(f"{port}{n}" for port in ("COM", "LPT") for n in range(10))]
)


@lru_cache(maxsize=4096)
def safe_stem(name: str) -> str:
    """Return `name` if any system can use it as a file name, else a name made from it.

    A changed name ends in a hash of the original, so that two ids never meet in one file.
    """
    cleaned = _UNSAFE.sub("_", name).strip(". ")
    cleaned = cleaned.encode()[:_MAX_BYTES].decode("utf-8", "ignore").strip(". ")
    if not cleaned or cleaned.split(".")[0].rstrip().upper() in _DEVICES:
        cleaned = f"_{cleaned}"
    if cleaned == name:
        return name
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{cleaned}-{digest[:12]}"


def is_safe_path(name: str) -> bool:
    """Return whether a path is relative, stays below its folder, and is valid on every system."""
    parts = [part for part in name.split("/") if part != "."] if name else []
    return bool(parts) and all(safe_stem(part) == part for part in parts)


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
