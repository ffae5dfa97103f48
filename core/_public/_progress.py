"""Shows the progress of the library's verbs in a terminal or a notebook, and nowhere else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def display() -> Iterator[Any]:
    """Yield a listener for the events of the engine; where nobody looks, it shows nothing."""
    from ig4.cli.terminal.notebook import library_progress

    with library_progress() as listener:
        yield listener
