"""Where a data set may read images from: its own folder, and the one the user allows."""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath, PureWindowsPath

from ig4.core.host.fingerprint import digest_of

_NAME_BYTES = 200


def folder_name(name: str) -> str:
    """Return the name of a folder for a data set, one folder whatever the set is called.

    A name that is no plain one (`../x`, `a/b`) is rewritten, with a digest to tell it from others.
    """
    if re.fullmatch(r"[\w-][\w .-]*", name) and len(name.encode()) <= _NAME_BYTES:
        return name
    safe = re.sub(r"[^A-Za-z0-9_-]+", "_", name)[:40]
    return f"{safe}-{digest_of(name)[:8]}"


@dataclass(slots=True)
class ImageRoots:
    """Finds image files by the names a data set gives them, inside allowed folders only.

    Names are relative to `folder`, the data set's own, or to `allowed`, the user's
    --image-root, which is looked in first. A name that is absolute or climbs is refused unless
    what it means lies in `allowed`. Symbolic links may not lead out either.
    """

    folder: Path
    allowed: Path | None = None
    _inside: dict[str, bool] = field(default_factory=dict)
    _roots: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        bases = [self.allowed, self.folder] if self.allowed else [self.folder]
        self._roots = [os.path.realpath(base) for base in bases if base is not None]

    def locate(self, name: str) -> tuple[str | None, str | None]:
        """Return (path, None), or (None, why the name is refused)."""
        if not name or "\0" in name:
            return None, "the image path is empty" if not name else "the image path holds a NUL"
        if _is_plain(name):
            return self._plain(name)
        if self.allowed is not None:
            root = self._roots[0]
            path = os.path.normpath(os.path.join(root, name))  # noqa: PTH118 - pathlib keeps ".."
            if os.path.commonpath([root, path]) == root and self._leads_inside(path):
                return path, None
        return None, (
            f"the image path {name!r} leaves the data set's folder: allow the folder it lies in "
            "with --image-root"
        )

    def _plain(self, name: str) -> tuple[str | None, str | None]:
        paths = [f"{root}{os.sep}{name}" for root in self._roots]
        path = next((path for path in paths if os.path.lexists(path)), paths[-1])
        if not self._leads_inside(path):
            return None, (
                f"the image path {name!r} is a link that leaves the data set's folder: allow the "
                "folder it leads to with --image-root"
            )
        return path, None

    def _leads_inside(self, path: str) -> bool:
        parent = os.path.dirname(path)  # noqa: PTH120 - a hot path, on strings
        inside = self._inside.get(parent)
        if inside is None:
            if len(self._inside) > 100_000:
                self._inside.clear()
            inside = self._inside[parent] = self._contains(os.path.realpath(parent))
        if not inside:
            return False
        try:
            is_link = stat.S_ISLNK(os.lstat(path).st_mode)
        except (OSError, ValueError):  # ValueError: no file can have such a name
            return True  # nothing there: reading it will say so
        return not is_link or self._contains(os.path.realpath(path))

    def _contains(self, real: str) -> bool:
        return any(real == root or real.startswith(root.rstrip(os.sep) + os.sep)
                   for root in self._roots)  # fmt: skip


def _is_plain(name: str) -> bool:
    """Tell whether a name stays below its folder on every system."""
    if ".." not in name and "\\" not in name and ":" not in name:
        return not name.startswith("/")
    windows = PureWindowsPath(name)
    return not (
        PurePosixPath(name).is_absolute() or windows.drive or windows.root or ".." in windows.parts
    )
