"""Where a data set may read images from: its own folder, and the one the user allows."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath, PureWindowsPath

from ig4.core.files.opening import folder_roots, is_below, real_roots
from ig4.core.files.remote.addresses import is_address, is_web, joined
from ig4.core.files.remote.credentials import record_name
from ig4.core.files.remote.images import FetchPolicy, permission, policy_root
from ig4.core.host.fingerprint import digest_of
from ig4.core.records import Image
from ig4.core.secrets import redact

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

    Both may be addresses: then names are, too, and nothing is looked at before it is fetched. Names
    that are addresses themselves are refused unless they lie in one of these, or `fetch` lets
    images be fetched from the web.
    """

    folder: Path | str
    allowed: Path | str | None = None
    fetch: FetchPolicy = "none"
    real: tuple[str, ...] = field(init=False)
    _bases: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        bases = _real([self.allowed, self.folder])
        folders = () if isinstance(self.folder, str) else folder_roots(self.folder)
        object.__setattr__(self, "_bases", bases)
        object.__setattr__(self, "real", (*_real([*bases, *folders]), *policy_root(self.fetch)))

    def image(self, name: str) -> Image:
        """Return the image that a name means, or one that has only the `problem` with the name."""
        path, problem = self.locate(name)
        if path is not None and is_address(path):
            return Image(None, None, problem, roots=self.real, source=path)
        return Image(None if path is None else Path(path), None, problem, roots=self.real)

    def locate(self, name: str) -> tuple[str | None, str | None]:
        """Return (path or address, None), or (None, why the name is refused)."""
        if not name or "\0" in name:
            return None, "the image path is empty" if not name else "the image path holds a NUL"
        if is_address(name):
            return self._locate_address(name)
        if _is_plain(name):
            return self._first_below(name), None
        if self.allowed is not None and not is_address(self._bases[0]):
            root = self._bases[0]
            path = os.path.normpath(os.path.join(root, name))  # noqa: PTH118 - pathlib keeps ".."
            if is_below(path, root):
                return path, None
        return None, (
            f"the image path {redact(name)!r} leaves the data set's folder: allow the folder it "
            "lies in with --image-root"
        )

    def _first_below(self, name: str) -> str:
        """Return where a plain name is: in the first folder that has it, or may have it."""
        path = name
        for root in self._bases:
            if is_address(root):
                return joined(root, name)
            path = f"{root.rstrip(os.sep)}{os.sep}{name}"
            if os.path.lexists(path):
                break
        return path

    def _locate_address(self, name: str) -> tuple[str | None, str | None]:
        address = record_name(name)
        if permission(address, self.real) is not None:
            return address, None
        path = self._first_below(name)  # tools that download name folders so
        if not is_address(path) and os.path.lexists(path):
            return path, None
        if is_web(name):
            return None, (
                f"{redact(name)}: the image is on the network: allow that it is fetched with "
                "--fetch-images public, or download it and give its path"
            )
        return None, (
            f"{redact(name)}: the image is in no place that may be read from: allow its folder "
            "with --image-root"
        )


def _real(places: Iterable[Path | str | None]) -> tuple[str, ...]:
    """Return addresses as they are, and the real paths of folders, each once."""
    found: dict[str, None] = {}
    for place in places:
        if isinstance(place, str) and is_address(place):
            found[place] = None
        else:
            found.update(dict.fromkeys(real_roots([place])))
    return tuple(found)


def _is_plain(name: str) -> bool:
    """Tell whether a name stays below its folder on every system."""
    if ".." not in name and "\\" not in name and ":" not in name:
        return not name.startswith("/")
    windows = PureWindowsPath(name)
    return not (
        PurePosixPath(name).is_absolute() or windows.drive or windows.root or ".." in windows.parts
    )
