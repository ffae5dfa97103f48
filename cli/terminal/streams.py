"""Standard streams that are closed, or whose reader is gone."""

from __future__ import annotations

import os
import select
import sys
from contextlib import suppress
from pathlib import Path

READER_GONE = 141
"""The exit code when nobody reads the output any longer, as in `| head`: 128 + SIGPIPE, what a
shell reports of other programs."""


def open_closed() -> None:
    """Put the null device in the place of standard streams that are closed (`>&-`).

    Otherwise the next file that is opened gets the number of standard output, and what libraries
    print goes into it.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free number: this one
    null = Path(os.devnull)  # opened for as long as the process lives
    if sys.stdin is None:
        sys.stdin = null.open(encoding="utf-8")
    if sys.stdout is None:
        sys.stdout = null.open("w", encoding="utf-8")
    if sys.stderr is None:
        sys.stderr = null.open("w", encoding="utf-8")


def flush() -> None:
    """Write out what is still in the buffers.

    Raises:
        OSError: that fails; BrokenPipeError if nobody reads it.
    """
    for stream in (sys.stdout, sys.stderr):
        with suppress(ValueError):  # somebody else closed it
            stream.flush()


def gone_readers() -> list[int]:
    """Return which of standard output (1) and standard error (2) are pipes that nobody reads."""
    if not hasattr(select, "poll"):  # Windows
        return []
    poll = select.poll()
    for number in (1, 2):
        poll.register(number, 0)
    return [number for number, events in poll.poll(0) if events & (select.POLLERR | select.POLLHUP)]


def discard_output() -> None:
    """Let nothing more be written to standard output, nor to where nobody reads.

    Python would report at its exit that it could not write out its buffers.
    """
    for number in {1, *gone_readers()}:
        os.dup2(os.open(os.devnull, os.O_WRONLY), number)
