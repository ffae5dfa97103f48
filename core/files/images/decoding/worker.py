"""A process that decodes images for another one, within limits of memory and time.

It reads requests from its standard input and answers on its standard output until the input ends.
So it outlives the process that started it by one image at most.
"""

from __future__ import annotations

import io
import json
import os
import signal
import struct
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, BinaryIO

from ig4.core.files.images.decoding.picture import ImageError, opened, rgb, shape

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

HEADER = struct.Struct("<cQ")
"""What a message begins with: its kind, and how many bytes follow."""

DECODE, MEASURE = b"d", b"m"
"""Requests for the pixels and for the shape of the image that follows."""

PIXELS, SHAPE, PROBLEM = b"p", b"s", b"e"
"""Answers: RGB bytes behind their SIZE; a shape as JSON; or why there is neither, in UTF-8."""

SIZE = struct.Struct("<II")
"""Width and height."""

READY = b"ig4\n"
BAND = 1 << 20
"""Pixels that are sent at a time: packed as one, they would take the memory of another image."""


def main(memory: int, seconds: int) -> None:
    """Answer requests until there are no more, with so many bytes and seconds for each."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that asks
    # What a library prints is no answer; warnings of libtiff are nobody's business either.
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    _limit_memory(memory)
    answers.write(READY)
    answers.flush()
    with suppress(BrokenPipeError):
        while header := requests.read(HEADER.size):
            kind, size = HEADER.unpack(header)
            _set_alarm(seconds)
            _answer(kind, requests.read(size), answers)
            _set_alarm(0)


def bands(size: tuple[int, int]) -> Iterator[tuple[int, int, int, int]]:
    """Yield the boxes of whole rows in which the pixels of an image are sent."""
    width, height = size
    rows = max(1, BAND // max(1, width))
    for top in range(0, height, rows):
        yield 0, top, width, min(top + rows, height)


def _answer(kind: bytes, data: bytes, answers: BinaryIO) -> None:
    """Answer one request.

    Once pixels are on their way nothing is caught: the process ends, and its answer is cut.
    """
    try:
        with opened(io.BytesIO(data)) as image:
            if kind == MEASURE:
                _send(answers, SHAPE, json.dumps(shape(image)).encode())
                return
            pixels = rgb(image)
    except ImageError as error:
        _send(answers, PROBLEM, str(error).encode("utf-8", "replace"))
        return
    _send_pixels(answers, pixels)


def _send_pixels(answers: BinaryIO, pixels: Picture) -> None:
    width, height = pixels.size
    answers.write(HEADER.pack(PIXELS, SIZE.size + 3 * width * height) + SIZE.pack(width, height))
    for box in bands(pixels.size):
        answers.write(pixels.crop(box).tobytes())
    answers.flush()


def _send(answers: BinaryIO, kind: bytes, data: bytes) -> None:
    answers.write(HEADER.pack(kind, len(data)) + data)
    answers.flush()


def _limit_memory(size: int) -> None:
    """Let allocations beyond `size` bytes fail, where the system can do that."""
    with suppress(ImportError, ValueError, OSError):
        import resource

        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        limit = size if hard == resource.RLIM_INFINITY else min(size, hard)
        resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _set_alarm(seconds: int) -> None:
    """Let the system end this process after so many seconds; the one that asks may be gone."""
    if hasattr(signal, "alarm"):
        signal.alarm(seconds)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
