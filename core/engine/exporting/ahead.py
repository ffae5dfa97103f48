"""Fetches the images of an export that lie elsewhere, while records before theirs are written."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import TYPE_CHECKING, Self

from ig4.core.engine.scoring.samples import image_of
from ig4.core.files.remote.fetching import end_threads

if TYPE_CHECKING:
    from ig4.storage.samples import ImageRow, SampleRow

_FETCHERS = 32  # their servers take the time
_ROWS = 256  # so many samples may wait for the one that is written now


class ImageFetcher:
    """Brings images into the cache, in threads; the `with` block ends them.

    Images of this machine, and those that the cache has, cost a look and no thread.
    """

    def __init__(self) -> None:
        self._pool: ThreadPoolExecutor | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        if self._pool is not None:
            end_threads([self._pool], interrupted=isinstance(error, KeyboardInterrupt))

    def ahead(
        self, rows: Iterable[SampleRow], is_read: Callable[[ImageRow], bool]
    ) -> Iterator[SampleRow]:
        """Yield rows in their order, each once no image of it that is read has to be waited for.

        What cannot be fetched is found out, and told, when it is read.
        """
        waiting: deque[tuple[SampleRow, list[Future[None]]]] = deque()
        for row in rows:
            coming = self._start([] if row.problem else filter(is_read, row.images))
            if not coming and not waiting:
                yield row
                continue
            waiting.append((row, coming))
            if len(waiting) > _ROWS:
                yield _arrived(*waiting.popleft())
        while waiting:
            yield _arrived(*waiting.popleft())

    def _start(self, rows: Iterable[ImageRow]) -> list[Future[None]]:
        far = [one for one in map(image_of, rows) if not one.problem and one.is_elsewhere]
        if far and self._pool is None:
            self._pool = ThreadPoolExecutor(_FETCHERS, thread_name_prefix="ig4-fetch")
        return [] if self._pool is None else [self._pool.submit(one.fetch) for one in far]


def _arrived(row: SampleRow, coming: Iterable[Future[None]]) -> SampleRow:
    for one in coming:
        one.result()
    return row
