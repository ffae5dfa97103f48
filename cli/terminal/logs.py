"""`-v` and `--log-file`: what the engine does, with the time, for people and for batch systems."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING

from ig4.cli.terminal.render import plain
from ig4.core.counts import counted, in_units
from ig4.core.events import (
    BatchScored,
    Event,
    Notice,
    RunFinished,
    RunStarted,
    Selected,
    StageAdvanced,
    StageFinished,
    StageStarted,
)
from ig4.core.secrets import redact

if TYPE_CHECKING:
    from pathlib import Path

LOGGER = logging.getLogger("ig4")
LOGGER.propagate = False  # a library may print, as it is, all that gets to the root
_FORMAT = "%(asctime)s %(levelname)-7s %(message)s"


class _SafeFormatter(logging.Formatter):
    """Writes no key, and no character that does something to a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        lines = redact(super().format(record)).splitlines()
        return "\n".join(map(plain, lines))


class _LogFile(logging.FileHandler):
    """A log file; where it cannot be written any more, that is said once, and the work goes on."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's own name
        """Give the file up."""
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            super().handleError(record)
            return
        for logger in (LOGGER, logging.getLogger()):
            logger.removeHandler(self)
        reason = error.strerror or type(error).__name__
        text = f"{self.baseFilename}: {reason}; nothing more is written to this log"
        if LOGGER.hasHandlers():  # else Python would print it by itself
            LOGGER.warning("%s", text)
        if not is_on_stderr():
            sys.stderr.write(plain(text) + "\n")


def set_verbosity(count: int) -> None:
    """Let what ig4 does be told on stderr: once with its stages, twice with its batches.

    Three times also tells what the libraries under it log.
    """
    if not count:
        return
    handler = logging.StreamHandler(sys.stderr)
    handler.setLevel(logging.INFO if count == 1 else logging.DEBUG)
    _add(handler, everything=count > 2)


def tell_failures() -> None:
    """Let errors that nobody foresaw be told on stderr, with where they were, and nothing else."""
    if is_on_stderr():
        return
    handler = logging.StreamHandler(sys.stderr)
    handler.setLevel(logging.ERROR)
    _add(handler, everything=False)


def log_to(path: Path) -> None:
    """Append what ig4 does to a file, with every batch.

    Raises:
        OSError: the file cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = _LogFile(path, encoding="utf-8", errors="backslashreplace")
    handler.setLevel(logging.DEBUG)
    _add(handler, everything=False)


def _add(handler: logging.Handler, *, everything: bool) -> None:
    handler.setFormatter(_SafeFormatter(_FORMAT))
    logger = logging.getLogger() if everything else LOGGER
    LOGGER.propagate = LOGGER.propagate or everything
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    LOGGER.setLevel(logging.DEBUG)


def is_on_stderr() -> bool:
    """Return whether the log goes where bars would be drawn."""
    handlers = [*LOGGER.handlers, *(logging.getLogger().handlers if LOGGER.propagate else ())]
    return any(getattr(handler, "stream", None) is sys.stderr for handler in handlers)


def log_event(event: Event) -> None:
    """Write an event to the log, if anybody reads it."""
    if not LOGGER.hasHandlers():  # Python would print warnings by itself
        return
    level, text = _described(event)
    LOGGER.log(level, "%s", text)


def _described(event: Event) -> tuple[int, str]:
    match event:
        case RunStarted():
            return logging.INFO, f"run {event.run_id}: {event.command}"
        case StageStarted():
            total = f" {in_units(event.total, event.unit)}" if event.total is not None else ""
            return logging.INFO, f"{event.stage}: begins{total}"
        case StageAdvanced():
            failed = f", {event.failed:,} failed" if event.failed else ""
            cost = f", ${event.cost:.4f}" if event.cost else ""
            note = f", {event.note}" if event.note else ""
            return logging.DEBUG, f"{event.stage}: {event.done:,} more{failed}{cost}{note}"
        case StageFinished():
            summary = f": {event.summary}" if event.summary else ""
            return logging.INFO, f"{event.stage}: done{summary}"
        case BatchScored():
            return (
                logging.DEBUG,
                f"{event.component}: {event.done:,} scored, {event.failed:,} failed",
            )
        case Selected():
            return logging.INFO, f"selection {event.selection_id}: {counted(event.size, 'sample')}"
        case Notice():
            return logging.WARNING, event.text
        case RunFinished():
            return (
                logging.INFO,
                f"run {event.run_id}: {event.status} {event.failures or ''}".rstrip(),
            )
