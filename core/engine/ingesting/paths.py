"""Where a data set may read images from: its own folder, and the one the user allows."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath, PureWindowsPath

from ig4.core.files.opening import folder_roots, is_below, real_roots
from ig4.core.host.fingerprint import digest_of
from ig4.core.records import Image

_NAME_BYTES = 200


def folder_name(name: str) -> str:
    """Return the name of a folder for a data set, one folder whatever the set is called.

    A name that is no plain one (`../x`, `a/b`) is rewritten, with a digest to tell it from others.
    """
    if re.fullmatch(r"[\w-][\w .-]*", name) and len(name.encode()) <= _NAME_BYTES:
        return name
    safe = re.sub(r"[^A-Za-z0-9_-]+", "_", name)[:40]
    return f"{safe}-{digest_of(name)[:8]}"


@dataclass(frozen=True, slots=True)
class ImageRoots:
    """Finds image files by the names a data set gives them, inside allowed folders only.

    Names are relative to `folder`, the data set's own, or to `allowed`, the user's
    --image-root, which is looked in first. A name that is absolute or climbs is refused unless
    what it means lies in `allowed`. Where links lead to is checked when a file is opened: it has
    to lie in one of `real`: the real path of `allowed`, and `folder_roots` of `folder`.
    """

    folder: Path
    allowed: Path | None = None
    real: tuple[str, ...] = field(init=False)
    _bases: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        bases = real_roots([self.allowed, self.folder])
        object.__setattr__(self, "_bases", bases)
        object.__setattr__(self, "real", real_roots([*bases, *folder_roots(self.folder)]))

    def image(self, name: str) -> Image:
        """Return the image that a name means, or one that has only the `problem` with the name."""
        path, problem = self.locate(name)
        return Image(None if path is None else Path(path), None, problem, roots=self.real)

    def locate(self, name: str) -> tuple[str | None, str | None]:
        """Return (path, None), or (None, why the name is refused)."""
        if not name or "\0" in name:
            return None, "the image path is empty" if not name else "the image path holds a NUL"
        if _is_plain(name):
            paths = [f"{root.rstrip(os.sep)}{os.sep}{name}" for root in self._bases]
            return next((path for path in paths if os.path.lexists(path)), paths[-1]), None
        if self.allowed is not None:
            root = self._bases[0]
            path = os.path.normpath(os.path.join(root, name))  # noqa: PTH118 - pathlib keeps ".."
            if is_below(path, root):
                return path, None
        return None, (
            f"the image path {name!r} leaves the data set's folder: allow the folder it lies in "
            "with --image-root"
        )


def _is_plain(name: str) -> bool:
    """Tell whether a name stays below its folder on every system."""
    if ".." not in name and "\\" not in name and ":" not in name:
        return not name.startswith("/")
    windows = PureWindowsPath(name)
    return not (
        PurePosixPath(name).is_absolute() or windows.drive or windows.root or ".." in windows.parts
    )
