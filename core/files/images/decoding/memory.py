"""Bounds the memory that all threads of a process take together to decode images."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

LIMIT = 3 << 29
"""Bytes that images may take while they are decoded and prepared: 1.5 GiB."""


class DecodingMemory:
    """A number of bytes that threads share: who needs more than is free waits, first come first.

    What needs more than there is at all runs alone.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.forget()

    def forget(self) -> None:
        """Begin anew in a forked process, which has none of the threads that hold some."""
        self._taken = 0
        self._queue: deque[object] = deque()
        self._changed = threading.Condition()
        self._thread = threading.local()

    @contextmanager
    def taken(self, size: int) -> Iterator[None]:
        """Take `size` bytes for the block; within `kept`, until that ends."""
        kept: list[int] | None = getattr(self._thread, "kept", None)
        # A thread that keeps some never waits for more: two of them would wait for each other.
        self._take(size, wait=not kept)
        if kept is not None:
            kept.append(size)
            yield
            return
        try:
            yield
        finally:
            self._give(size)

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Keep what this thread takes in the block to its end: the pixels are used in it."""
        if getattr(self._thread, "kept", None) is not None:
            yield
            return
        sizes: list[int] = []
        self._thread.kept = sizes
        try:
            yield
        finally:
            self._thread.kept = None
            self._give(sum(sizes))

    def _take(self, size: int, *, wait: bool) -> None:
        with self._changed:
            if wait:
                place = object()
                self._queue.append(place)
                try:
                    self._changed.wait_for(lambda: self._queue[0] is place and self._fits(size))
                finally:
                    self._queue.remove(place)
            self._taken += size
            self._changed.notify_all()

    def _fits(self, size: int) -> bool:
        return not self._taken or self._taken + size <= self.limit

    def _give(self, size: int) -> None:
        with self._changed:
            self._taken -= size
            self._changed.notify_all()


MEMORY = DecodingMemory(LIMIT)
"""That of this process."""

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=MEMORY.forget)
