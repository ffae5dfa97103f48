"""Reads the images of tasks ahead, in threads: decoded once, and prepared for each embedder."""

from __future__ import annotations

import os
import sys
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import TYPE_CHECKING, Any

from ig4.core.engine.scoring.tasks import ImageSource
from ig4.core.files.images.decode import ImageError
from ig4.core.files.images.decoding.memory import MEMORY
from ig4.core.files.remote.fetching import end_threads
from ig4.core.records import Failure, Sample

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

    from ig4.core.contracts import Embedder

_MOST_READERS = 8
_FETCHERS = 32  # of images that lie elsewhere: their servers take the time
_KEPT_BYTES = 1 << 29  # of the pixels of one task; larger ones are decoded again when asked for
_SHARED_BYTES = 128 * 2**20  # of pixels kept for the next component


@dataclass(slots=True)
class LoadedImage:
    """One image on its way: prepared for each embedder, pixels kept only if a scorer asks.

    `problem` says why there are no pixels, `unprepared` why an embedder could not take them.
    Without either there are none because all that may be kept at a time are too many.
    """

    source: ImageSource
    prepared: dict[str, Any] = field(default_factory=dict)
    pixels: Picture | None = None
    problem: str | None = None
    unprepared: dict[str, str] = field(default_factory=dict)


class DecodedImages:
    """The pixels of the images read last, of at most `limit` bytes; 0 keeps none."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._bytes = 0
        self._pixels: OrderedDict[int, Picture] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, image: ImageSource) -> Picture:
        """Return the pixels of an image, decoded now or a little earlier.

        Raises:
            ImageError: it cannot be read, or is not what was ingested.
        """
        with self._lock:
            known = self._pixels.get(image.id)
        if known is not None:
            return known
        pixels = image.image.pixels()  # of what was ingested, or it raises
        with self._lock:
            if image.id not in self._pixels:
                self._pixels[image.id] = pixels
                self._bytes += _bytes_of(pixels)
            while self._bytes > self.limit:
                self._bytes -= _bytes_of(self._pixels.popitem(last=False)[1])
        return pixels


def _bytes_of(pixels: Picture) -> int:
    return 3 * pixels.width * pixels.height


class ImageReader:
    """Threads that read images; `open` starts them, `close` ends them.

    It can be pickled until `open`. With `shared`, several components look at the same images, one
    soon after the other.
    """

    def __init__(
        self, embedders: Mapping[str, Embedder], readers: int | None = None, *, shared: bool = False
    ) -> None:
        self.embedders = embedders
        self.shared = shared
        self.readers = readers or min(_MOST_READERS, os.cpu_count() or 1)
        # Made by `open`: until then a reader can be sent to another process.
        self._decoded: DecodedImages | None = None
        self._pool: ThreadPoolExecutor | None = None
        self._fetchers: ThreadPoolExecutor | None = None

    def open(self) -> None:
        """Start the threads."""
        self._decoded = DecodedImages(_SHARED_BYTES if self.shared else 0)
        self._pool = ThreadPoolExecutor(self.readers, thread_name_prefix="ig4-read")

    def close(self) -> None:
        """End the threads; what they have not begun is not read any more."""
        pools = [pool for pool in (self._pool, self._fetchers) if pool is not None]
        end_threads(pools, interrupted=isinstance(sys.exc_info()[1], KeyboardInterrupt))

    def start(
        self, to_embed: Mapping[str, Sequence[ImageSource]], to_keep: Mapping[int, ImageSource]
    ) -> dict[int, Future[LoadedImage]]:
        """Start to read images; the result has a future for each, by its id.

        `to_embed` names by embedder what is prepared for it; `to_keep` are the images whose
        pixels a scorer asks for.
        """
        assert self._pool is not None
        wanted: dict[int, tuple[ImageSource, list[str]]] = {}
        for label, images in to_embed.items():
            for image in images:
                wanted.setdefault(image.id, (image, []))[1].append(label)
        for image_id, image in to_keep.items():
            wanted.setdefault(image_id, (image, []))
        room = _Room(_KEPT_BYTES)
        coming = {image_id: self._fetch(image) for image_id, (image, _) in wanted.items()}
        return {
            image_id: self._pool.submit(
                self._read, image, labels, room, image_id in to_keep, coming[image_id]
            )
            for image_id, (image, labels) in wanted.items()
        }

    def _fetch(self, image: ImageSource) -> Future[None] | None:
        """Start to fetch an image that lies elsewhere; None of one that does not."""
        if not image.image.is_elsewhere:
            return None
        if self._fetchers is None:
            self._fetchers = ThreadPoolExecutor(_FETCHERS, thread_name_prefix="ig4-fetch")
        return self._fetchers.submit(image.image.fetch)

    def _read(
        self,
        image: ImageSource,
        labels: Sequence[str],
        room: _Room,
        keep: bool,
        coming: Future[None] | None,
    ) -> LoadedImage:
        if coming is not None:
            coming.exception()  # waits before memory is taken; ends where it is cancelled
        with MEMORY.kept():  # while an embedder prepares the pixels, too
            return self._prepared(image, labels, room if keep else None)

    def _prepared(
        self, image: ImageSource, labels: Sequence[str], room: _Room | None
    ) -> LoadedImage:
        try:
            assert self._decoded is not None
            pixels = self._decoded.get(image)
        except ImageError as error:
            return LoadedImage(image, problem=str(error))
        keep = room is not None and room.take(4 * pixels.width * pixels.height)
        loaded = LoadedImage(image, pixels=pixels if keep else None)
        for label in labels:
            try:
                loaded.prepared[label] = self.embedders[label].prepare(pixels)
            except ImageError as error:
                loaded.unprepared[label] = f"{_name(image)}: {error}"
            except Exception as error:  # noqa: BLE001 - a plugin's; this image fails, no other
                loaded.unprepared[label] = f"{_name(image)}: {type(error).__name__}: {error}"
        return loaded


def with_pixels(
    sample: Sample, shown: Sequence[int], reading: Mapping[int, Future[LoadedImage]]
) -> Sample | Failure:
    """Give a sample's images their decoded pixels, or say which of them failed."""
    broken = next((image.problem for image in sample.images if image.problem), None)
    if broken:
        return Failure(broken)
    read = [reading[image_id].result() for image_id in shown]
    problem = next((one.problem for one in read if one.problem), None)
    if problem:
        return Failure(problem)
    images = tuple(
        replace(image, loader=_PixelLoader(one.source, one.pixels))
        for image, one in zip(sample.images, read, strict=True)
    )
    return replace(sample, images=images)


def _name(source: ImageSource) -> str:
    return source.image.name


@dataclass(frozen=True, slots=True)
class _PixelLoader:
    """A loader that hands out a copy of pixels already read, or reads them again."""

    source: ImageSource
    pixels: Picture | None

    def __call__(self) -> Picture:
        return self.source.image.pixels() if self.pixels is None else self.pixels.copy()


class _Room:
    """How many bytes of pixels may still be kept."""

    def __init__(self, size: int) -> None:
        self._left = size
        self._lock = Lock()

    def take(self, size: int) -> bool:
        """Take so many, if there are."""
        with self._lock:
            if size > self._left:
                return False
            self._left -= size
            return True
