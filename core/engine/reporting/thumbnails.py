"""Small pictures of images, made once and kept beside the database."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import get_ident
from typing import TYPE_CHECKING

from ig4.core.engine.scoring.samples import image_of
from ig4.core.files.images.decode import ImageError

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

    from ig4.storage.samples import ImageRow
    from ig4.storage.store import Store

SIDE = 96
"""Pixels of the longer side of a thumbnail."""

QUALITY = 60
_THREADS = 4
_AHEAD = 64


@dataclass(frozen=True, slots=True)
class Thumbnails:
    """Makes and keeps WebP pictures of images, of `side` pixels on the longer side.

    They are known by the sha256 of the image, so a changed image gets another one. The folder is
    safe to delete.
    """

    folder: Path
    side: int = SIDE

    @classmethod
    def of(cls, store: Store, side: int = SIDE) -> Thumbnails:
        """Return those of a database."""
        return cls(store.vector_folder / "thumbnails", side)

    def get(self, image: ImageRow) -> bytes:
        """Return the thumbnail of a stored image as WebP.

        Raises:
            ImageError: the image cannot be read, or is not what was ingested any more.
        """
        path = self._path(image)
        if path is not None:
            with suppress(OSError):
                kept = path.read_bytes()
                if kept.startswith(b"RIFF"):  # and not what a power cut left
                    return kept
        data = encoded(image_of(image).pixels(), self.side)
        if path is not None:
            _keep(path, data)
        return data

    def many(self, images: Iterable[ImageRow]) -> Iterator[bytes | str]:
        """Yield the thumbnail of each image in order, or why there is none."""
        with ThreadPoolExecutor(_THREADS) as threads:
            waiting = []
            for image in images:
                waiting.append(threads.submit(self._try, image))
                if len(waiting) >= _AHEAD:
                    yield waiting.pop(0).result()
            for one in waiting:
                yield one.result()

    def _try(self, image: ImageRow) -> bytes | str:
        try:
            return self.get(image)
        except ImageError as error:
            return str(error)

    def _path(self, image: ImageRow) -> Path | None:
        if image.sha256 is None:
            return None
        return self.folder / image.sha256[:2] / f"{image.sha256}.{self.side}.webp"


def encoded(picture: Picture, side: int) -> bytes:
    """Return a picture as WebP, its longer side no more than `side` pixels."""
    small = picture.convert("RGB")
    small.thumbnail((side, side))
    file = io.BytesIO()
    small.save(file, "WEBP", quality=QUALITY, method=4)
    return file.getvalue()


def _keep(path: Path, data: bytes) -> None:
    """Keep a thumbnail, if the folder can be written; without it, it is made again.

    It does not wait for the disk: there may be thousands, and none is worth that.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}-{get_ident()}.part")
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(data)
        partial.replace(path)
