"""Maps a function over a stream in threads, in order and never far ahead."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from ig4.core.chunks import chunks

T = TypeVar("T")
R = TypeVar("R")

_AHEAD = 8  # for each thread; an interruption waits for no more than these


def ordered_map(function: Callable[[T], R], items: Iterable[T], threads: int = 8) -> Iterator[R]:
    """Yield the function of each item, in the order of the items."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(threads) as pool:
        for batch in chunks(items, threads * _AHEAD):
            yield from pool.map(function, batch)
