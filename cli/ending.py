"""Ends the process of a command at once, when something in it would not let it end."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import NoReturn

from ig4.cli.terminal import streams


def end_at_once(code: int) -> NoReturn:
    """End the process with an exit code, whatever its other threads are doing."""
    with suppress(OSError, RuntimeError):  # nobody reads it, or a thread is writing just now
        streams.flush()
    os._exit(code)
