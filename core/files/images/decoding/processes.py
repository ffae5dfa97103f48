"""Processes that decode images within limits of memory and time; a killed one is replaced."""

from __future__ import annotations

import atexit
import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, NoReturn, TypeVar

from ig4.core.files.images.decoding.picture import ImageError
from ig4.core.files.images.decoding.worker import (
    DECODE,
    HEADER,
    MEASURE,
    PROBLEM,
    READY,
    SIZE,
    bands,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from PIL.Image import Image as Picture

MEMORY = 3 << 30
"""Bytes of address space that a process may take for an image."""

SECONDS = 120
"""Seconds that an image may take: the longest that are no attack take one."""

_COUNT = max(1, min(2, os.cpu_count() or 1))
_GRACE = 10  # seconds by which a process outlives one that forgot it
_PROGRAM = (
    "import sys, json; paths, memory, seconds = json.loads(sys.argv[1]); sys.path[:] = paths + [p "
    "for p in sys.path if p not in paths]; from ig4.core.files.images.decoding.worker import main; "
    "main(memory, seconds)"
)


_Answer = TypeVar("_Answer")


class DecoderUnavailableError(Exception):
    """No process can be started here."""


class DecoderCrashedError(ImageError):
    """The process did not survive an image, or had been killed before it got it."""


class _EndedError(Exception):
    """The process ended before it had answered."""


class DecoderProcess:
    """One process; it answers one request at a time."""

    def __init__(self, memory: int, seconds: int) -> None:
        """Start it.

        Raises:
            DecoderUnavailableError: it does not start.
        """
        self.seconds = seconds
        arguments = json.dumps([_import_paths(), memory, seconds + _GRACE])
        try:
            self._process = subprocess.Popen(  # noqa: S603 - this Python, and code of ig4's own
                [sys.executable, "-I", "-c", _PROGRAM, arguments],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0,
            )  # fmt: skip
        except (OSError, ValueError) as error:
            raise DecoderUnavailableError(str(error)) from error
        try:
            if self._read(len(READY)) != READY:
                raise DecoderUnavailableError("its process says something else than expected")
        except _EndedError:
            self.end()
            raise DecoderUnavailableError("its process ended at once") from None

    def measure(self, data: bytes) -> tuple[int, int, str]:
        """Return the shape of an image.

        Raises:
            ImageError: as `picture.opened`, or the process did not survive it.
        """
        with self._asked(MEASURE, data) as size:
            width, height, kind = json.loads(self._read(size))
        return width, height, kind

    def decode(self, data: bytes) -> Picture:
        """Return the pixels of an image as RGB; raises as `measure`."""
        from PIL import Image

        with self._asked(DECODE, data):
            picture = Image.new("RGB", SIZE.unpack(self._read(SIZE.size)))
            for box in bands(picture.size):
                size = box[2], box[3] - box[1]
                band = self._read(3 * size[0] * size[1])
                picture.paste(Image.frombuffer("RGB", size, band, "raw", "RGB", 0, 1), box)
        return picture

    def end(self) -> None:
        """End it."""
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with suppress(OSError):
                    stream.close()
        self._process.kill()
        self._process.wait()

    def forget(self) -> None:
        """Let go of it without ending it."""
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()
        self._process.returncode = 0  # nobody's child here

    @property
    def alive(self) -> bool:
        """Whether it can be asked more."""
        return self._process.returncode is None

    @contextmanager
    def _asked(self, kind: bytes, data: bytes) -> Iterator[int]:
        """Send a request; the block reads the answer, of which the size is given."""
        expired = threading.Event()

        def expire() -> None:
            expired.set()
            self._process.kill()

        timer = threading.Timer(self.seconds, expire)
        timer.daemon = True
        timer.start()
        done = False
        try:
            self._write(HEADER.pack(kind, len(data)))
            self._write(data)
            answer, size = HEADER.unpack(self._read(HEADER.size))
            if answer == PROBLEM:
                reason = bytes(self._read(size)).decode("utf-8", "replace")
                done = True
                raise ImageError(reason)
            yield size
            done = True
        except (_EndedError, OSError):
            self._explain_end(timed_out=expired.is_set())
        finally:
            timer.cancel()
            if not done:
                self.end()  # what is left of an answer would be read as the next one

    def _explain_end(self, *, timed_out: bool) -> NoReturn:
        code = self._process.wait()
        if timed_out:
            raise ImageError(f"decoding the image took longer than {self.seconds} seconds")
        if code in (-getattr(signal, "SIGKILL", 9), 137):
            raise DecoderCrashedError(
                "the image's decoder was killed, perhaps because memory ran out"
            )
        name = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        raise DecoderCrashedError(f"the image's decoder crashed ({name})")

    def _write(self, data: bytes) -> None:
        assert self._process.stdin is not None
        left = memoryview(data)
        while left:
            left = left[self._process.stdin.write(left) :]

    def _read(self, size: int) -> bytearray:
        assert self._process.stdout is not None
        data = bytearray(size)
        view = memoryview(data)
        while view:
            count = self._process.stdout.readinto(view)  # type: ignore[attr-defined]
            if not count:
                raise _EndedError
            view = view[count:]
        return data


class DecoderPool:
    """At most `count` processes; each is started when all others are busy."""

    def __init__(self, count: int = _COUNT, memory: int = MEMORY, seconds: int = SECONDS) -> None:
        self.count = count
        self.memory = memory
        self.seconds = seconds
        self._free = threading.Semaphore(count)
        self._idle: list[DecoderProcess] = []
        self._lock = threading.Lock()

    def measure(self, data: bytes) -> tuple[int, int, str]:
        """Return the shape of an image.

        Raises:
            ImageError: as `DecoderProcess.measure`.
            DecoderUnavailableError: no process can be started.
        """
        return self._ask(lambda process: process.measure(data))

    def decode(self, data: bytes) -> Picture:
        """Return the pixels of an image as RGB; raises as `measure`."""
        return self._ask(lambda process: process.decode(data))

    def close(self) -> None:
        """End the processes that are idle."""
        with self._lock:
            idle, self._idle = self._idle, []
        for process in idle:
            process.end()

    def forget(self) -> None:
        """Begin anew in a forked process: the processes there are answer the one that forked."""
        for process in self._idle:
            process.forget()
        self.__init__(self.count, self.memory, self.seconds)  # type: ignore[misc]

    def _ask(self, question: Callable[[DecoderProcess], _Answer]) -> _Answer:
        """Return the answer of a process, of another if the first crashes.

        It may have been killed while it was idle, and then the image had no part in it.
        """
        try:
            with self._process() as process:
                return question(process)
        except DecoderCrashedError:
            with self._process(fresh=True) as process:
                return question(process)

    @contextmanager
    def _process(self, *, fresh: bool = False) -> Iterator[DecoderProcess]:
        with self._free:
            with self._lock:
                process = self._idle.pop() if self._idle else None
            if process is not None and fresh:
                process.end()
            if process is None or fresh:
                process = DecoderProcess(self.memory, self.seconds)
            try:
                yield process
            finally:
                if process.alive:
                    with self._lock:
                        self._idle.append(process)


def _import_paths() -> list[str]:
    """Return where this process imports from, so that another imports the same.

    Neither the environment nor the working folder may have a say in that: what was found by way of
    a relative path is left out.
    """
    return [path for path in sys.path if os.path.isabs(path)]  # noqa: PTH117 - plain strings


PROCESSES = DecoderPool()
"""Those of this process."""

atexit.register(PROCESSES.close)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=PROCESSES.forget)
