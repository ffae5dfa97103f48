"""Passes errors from the data loader's worker processes to the training process."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from ig4.core.errors import Ig4Error

_FAILED = "failed"


class ErrorKeepingDataset(torch.utils.data.Dataset[Any]):
    """Examples, with an error in place of each that cannot be read.

    An error raised in a worker process would arrive as a traceback inside a message.
    """

    def __init__(self, examples: Any) -> None:
        self.examples = examples

    def __len__(self) -> int:
        return len(self.examples)

    def __getitem__(self, place: int) -> Any:
        try:
            return self.examples[place]
        except Ig4Error as error:
            return error


@dataclass(frozen=True, slots=True)
class ErrorKeepingCollator:
    """Makes batches; a batch with an error becomes that error."""

    collate: Callable[[Sequence[Any]], dict[str, Any]]

    def __call__(self, rows: Sequence[Any]) -> dict[str, Any]:
        """Return the batch, or its first error."""
        errors = [row for row in rows if isinstance(row, Ig4Error)]
        return {_FAILED: errors[0]} if errors else self.collate(rows)


def raise_errors(batches: Iterator[Any]) -> Iterator[Any]:
    """Yield batches, and raise the error of a batch that has one."""
    for batch in batches:
        if _FAILED in batch:
            raise batch[_FAILED]
        yield batch
