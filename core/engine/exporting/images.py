"""The images of an export: what each is called, and how its bytes get there."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, BinaryIO, Literal

from ig4.core.errors import DatasetError
from ig4.core.files.images.decode import ImageError, measure
from ig4.core.files.images.files import byte_limit, open_image
from ig4.core.files.opening import OutsideFileError, open_beneath, pieces
from ig4.core.files.remote.addresses import is_address
from ig4.core.files.writing.names import IMAGE_SUFFIXES, folded, is_safe_image, renamed, safe_stem

if TYPE_CHECKING:
    from ig4.core.files.writing.staging import Staging
    from ig4.storage.samples import ImageRow

ImagePlacement = Literal["link", "copy", "none"]

_UNREADABLE = "an image cannot be read"


class UnusableImageError(Exception):
    """An image cannot be part of an export; says why."""


def is_file(image: ImageRow) -> bool:
    """Tell whether an image is a file of its own on this machine, that a link may lead to."""
    return not image.embedded and not is_address(image.path or "")


def suffix_of(image: ImageRow) -> str:
    """Return the ending of an image's own name, or of its kind where the name has none to keep."""
    if not image.embedded:
        own = PurePosixPath(image.name).suffix
        if own.lower() in IMAGE_SUFFIXES:
            return own
    try:
        with open_image(image.path or "", image.roots, image.name, image.part) as file:
            found = measure(file)
    except ImageError:
        return ""
    return "" if found is None else "." + found[2].replace("jpeg", "jpg")


def read_image(image: ImageRow) -> bytes:
    """Return the bytes of an image, which are those that were ingested.

    Raises:
        UnusableImageError: they cannot be read, or are others now.
    """
    pieces: list[bytes] = []
    _stream(image, pieces.append)
    return b"".join(pieces)


def require_file(image: ImageRow) -> None:
    """Find out whether there is a file to link to that holds what was ingested.

    Raises:
        UnusableImageError: there is none, or it holds something else.
    """
    with _opened(image) as file:
        status = os.fstat(file.fileno())
    if (status.st_size, status.st_mtime_ns) != (image.size, image.mtime_ns):
        _stream(image, len)


def _stream(image: ImageRow, take: Callable[[bytes], object]) -> None:
    digest = hashlib.sha256()
    for piece in _pieces(image):
        digest.update(piece)
        take(piece)  # a disk that is full here is no problem of the image
    if digest.hexdigest() != image.sha256:
        raise UnusableImageError("an image changed since it was ingested")


def _pieces(image: ImageRow) -> Iterator[bytes]:
    with _opened(image) as file:
        yield from pieces(file, byte_limit())


@contextmanager
def _opened(image: ImageRow) -> Iterator[BinaryIO]:
    """Open the file of an image, in the folders that it may lie in; see UnusableImageError."""
    if image.problem or not image.path or not image.sha256:
        raise UnusableImageError(_UNREADABLE)
    if image.part is not None or is_address(image.path):
        try:
            with open_image(image.path, image.roots, "", image.part) as inside:
                yield inside
        except ImageError as error:
            raise UnusableImageError(str(error).removeprefix(": ")) from None
        return
    try:
        with open_beneath(image.path, image.roots) as file:
            yield file
    except FileNotFoundError:
        raise UnusableImageError("an image is gone") from None
    except OutsideFileError:
        raise UnusableImageError("an image is a link that leaves its data set's folders") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UnusableImageError(f"an image cannot be read ({reason})") from None


@dataclass(slots=True)
class ImageNames:
    """Gives the images of an export names that are safe, and differ on every file system."""

    _taken: dict[str, tuple[str, str]] = field(default_factory=dict)
    _folders: set[str] = field(default_factory=set)

    def name(self, wanted: str, image: ImageRow, sample: str, index: int, suffix: str) -> str:
        """Return the path below the export's folder for an image that a format calls `wanted`."""
        origin = f"{os.path.normpath(image.path or image.name)}#{image.part or ''}"
        if is_safe_image(wanted):
            wanted = str(PurePosixPath(wanted))
        else:
            wanted = f"images/{safe_stem(sample)}-{index}{suffix}"
        name = wanted
        while not self._take(name, origin):
            if self._is_below_a_file(name):
                name = PurePosixPath(name).name
            name = renamed(name, origin)
        return name

    def _take(self, name: str, origin: str) -> bool:
        """Take a name unless another image has it, or has it as a folder."""
        key = folded(name)
        known = self._taken.get(key)
        if known is not None:
            return known == (name, origin)
        if key in self._folders or self._is_below_a_file(name):
            return False
        self._taken[key] = (name, origin)
        self._folders.update(_parents(key))
        return True

    def _is_below_a_file(self, name: str) -> bool:
        return any(parent in self._taken for parent in _parents(folded(name)))


def _parents(name: str) -> list[str]:
    return [str(parent) for parent in PurePosixPath(name).parents][:-1]


class ImagePlacer:
    """Copies or links the images of an export into its staging folder.

    Bytes are fetched while records are written, so that a sample whose image is gone can be left
    out. They get their names afterwards, when it is known which folder the format reads them from.
    """

    def __init__(self, staging: Staging, placement: ImagePlacement) -> None:
        self.staging = staging
        self.placement = placement
        self.names = ImageNames()
        self.placed: dict[str, ImageRow] = {}
        self.copied = self.linked = 0
        self._known: dict[tuple[str, str], str | None] = {}
        self._first_goals: dict[Path, Path] = {}
        self._real = lru_cache(os.path.realpath)  # many images, few folders

    def why_unusable(self, image: ImageRow) -> str | None:
        """Fetch an image once; returns why it cannot be had."""
        if image.problem or not image.path or not image.sha256:
            return _UNREADABLE  # a name of it may be the path of another
        key = f"{image.path}#{image.part or ''}", image.sha256
        if key not in self._known:
            try:
                self._fetch(image)
                self._known[key] = None
            except UnusableImageError as error:
                self._known[key] = str(error)
        return self._known[key]

    def _fetch(self, image: ImageRow) -> None:
        if self.placement == "link" and is_file(image):
            require_file(image)
            return
        if self.placement != "none":
            self._keep(image)

    def _keep(self, image: ImageRow) -> None:
        with self._spare(image).open("wb") as file:
            _stream(image, file.write)

    def _spare(self, image: ImageRow) -> Path:
        known = f"{image.path}\n{image.part}\n{image.sha256}"
        return self.staging.spare / hashlib.sha256(known.encode()).hexdigest()

    def place(self, folder: Path) -> None:
        """Give the images their names below `folder`, where the format that wrote reads them."""
        for name, image in self.placed.items():
            goal = folder / name
            final = self.staging.final(goal)
            if entry_of(str(final), self._real) == entry_of(image.path or "", self._real):
                continue  # an export beside its data set: the image is there
            if os.path.lexists(goal):
                raise DatasetError(
                    f"{final} would be an image, and is a file of the format: write another format"
                )
            goal.parent.mkdir(parents=True, exist_ok=True)
            assert image.sha256 is not None
            self.staging.digests[goal] = image.sha256
            if self.placement == "link" and is_file(image):
                if _link(os.path.realpath(image.path or ""), goal, final.parent):
                    self.linked += 1
                    continue
                self._keep(image)
            self._move(self._spare(image), goal)
            self.copied += 1

    def _move(self, spare: Path, goal: Path) -> None:
        """Give a fetched image its name; one with several names is copied for the later ones."""
        first = self._first_goals.setdefault(spare, goal)
        if first is goal:
            spare.rename(goal)
        else:
            shutil.copyfile(first, goal)


def entry_of(path: str, real: Callable[[str], str]) -> str:
    """Return the one name of a directory entry; if it is a link, not of what it leads to.

    `real` returns the real path of its folder.
    """
    folder, name = os.path.split(path)
    return os.path.join(real(folder), name)  # noqa: PTH118 - a hot path, on strings


def _link(source: str, goal: Path, folder: Path) -> bool:
    """Link to a source, softly and relatively to its folder, or else hard; False without either."""
    with suppress(OSError, ValueError):  # ValueError: another drive
        goal.symlink_to(os.path.relpath(source, folder))
        return True
    with suppress(OSError):
        goal.hardlink_to(source)
        return True
    return False
