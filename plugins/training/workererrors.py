"""Brings errors from the processes that read ahead to the one that trains."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from ig4.core.errors import Ig4Error

_FAILED = "failed"


class ErrorKeepingDataset(torch.utils.data.Dataset[Any]):
    """Examples, and errors in the place of those that cannot be read.

    An error that crosses from a process that reads ahead would arrive as a traceback in a message.
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
    """Makes batches; one with an error in it is that error."""

    collate: Callable[[Sequence[Any]], dict[str, Any]]

    def __call__(self, rows: Sequence[Any]) -> dict[str, Any]:
        """Return the batch, or what went wrong in its place."""
        errors = [row for row in rows if isinstance(row, Ig4Error)]
        return {_FAILED: errors[0]} if errors else self.collate(rows)


def raise_errors(batches: Iterator[Any]) -> Iterator[Any]:
    """Yield batches, raising the error that one of them is."""
    for batch in batches:
        if _FAILED in batch:
            raise batch[_FAILED]
        yield batch
