"""Makes file names out of ids and paths that come from data sets, which may be hostile."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from functools import lru_cache
from pathlib import PurePosixPath

IMAGE_SUFFIXES = frozenset(
    {
        ".apng", ".avif", ".bmp", ".dib", ".gif", ".heic", ".heif", ".ico", ".j2c", ".j2k", ".jfif",
        ".jif", ".jp2", ".jpe", ".jpeg", ".jpf", ".jpg", ".jpx", ".jxl", ".mpo", ".pbm", ".pgm",
        ".png", ".pnm", ".ppm", ".tga", ".tif", ".tiff", ".webp",
    }
)  # fmt: skip
"""What an image's file may end in: never what a reader, an interpreter or a shell looks for."""

_UNSAFE = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f\ud800-\udfff]')
_MAX_BYTES = 150  # bytes; file systems take 255, and an index, an ending and a hash are added
_MAX_PART_BYTES = 220  # of a name that has all these already
_MAX_PATH_BYTES = 600
_PORTS = [*map(str, range(10)), *"\N{SUPERSCRIPT ONE}\N{SUPERSCRIPT TWO}\N{SUPERSCRIPT THREE}"]
_DEVICES = frozenset(
    ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$",
     *(f"{port}{n}" for port in ("COM", "LPT") for n in _PORTS)]
)  # fmt: skip


@lru_cache(maxsize=4096)
def safe_stem(name: str, longest: int = _MAX_BYTES) -> str:
    """Return `name` if any system can use it as a file name, else a name made from it.

    A changed name ends in a hash of the original, so that two ids never meet in one file.
    """
    cleaned = _UNSAFE.sub("_", name).strip(". ")
    cleaned = cleaned.encode()[:longest].decode("utf-8", "ignore").strip(". ")
    if not cleaned or cleaned.split(".")[0].rstrip().upper() in _DEVICES:
        cleaned = f"_{cleaned}"
    return name if cleaned == name else f"{cleaned}-{_digest(name)}"


def is_safe_path(name: str) -> bool:
    """Return whether a path is relative, stays below its folder, and is valid on every system."""
    parts = [part for part in name.split("/") if part != "."] if name else []
    if not parts or any(safe_stem(part, _MAX_PART_BYTES) != part for part in parts):
        return False
    return len(name.encode()) <= _MAX_PATH_BYTES


def is_safe_image(name: str) -> bool:
    """Return whether a path may be an image's in an export: safe, and no other kind of file."""
    if not is_safe_path(name):
        return False
    suffix = PurePosixPath(name).suffix.lower()
    return not suffix or suffix in IMAGE_SUFFIXES


def folded(name: str) -> str:
    """Return what two names have in common that are one name to some file system.

    macOS and Windows see no difference of case, macOS none of composed and decomposed letters.
    """
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def renamed(name: str, origin: str) -> str:
    """Return a path beside `name` that differs by a hash of `origin`, however letters are folded.

    The last part ends as it did: `images/A.jpg` becomes `images/A-0123456789ab.jpg`.
    """
    path = PurePosixPath(name)
    digest = _digest(f"{name}\n{origin}")
    return str(path.with_name(f"{safe_stem(path.stem)}-{digest}{path.suffix}"))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]
