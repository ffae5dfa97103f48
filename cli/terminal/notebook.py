"""Shows the progress of the library: bars where stderr is a terminal, lines in a notebook."""

from __future__ import annotations

import html
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ig4.cli.terminal.progress import StageProgress, duration, progress_listener
from ig4.cli.terminal.render import plain
from ig4.core.counts import in_units
from ig4.core.events import Event, Notice, StageAdvanced, StageFinished, StageStarted

if TYPE_CHECKING:
    from ig4.core.events import Listener

_PAUSE = 0.5  # seconds between two pictures of a stage at work
_WORTH_A_LINE = 1.0  # seconds of a stage that leaves a line


@contextmanager
def library_progress() -> Iterator[Listener]:
    """Yield a listener that shows events in a notebook or a terminal; elsewhere nothing."""
    if in_notebook():
        yield NotebookProgress(_display)
    elif sys.stderr is not None and sys.stderr.isatty():
        with progress_listener() as listener:
            yield listener
    else:
        yield lambda event: None


def in_notebook() -> bool:
    """Tell whether this process is the kernel of a notebook. Nothing is imported for it."""
    shell = sys.modules.get("IPython")
    running = shell.get_ipython() if shell is not None else None
    return running is not None and hasattr(running, "kernel")


def _display() -> Callable[[str], None]:
    """Return what shows HTML in one place of the notebook's output, in place of what was there."""
    from IPython.display import HTML, display

    handle: list[Any] = []

    def show(text: str) -> None:
        if handle:
            handle[0].update(HTML(text))
        else:
            handle.append(display(HTML(text), display_id=True))

    return show


class NotebookProgress:
    """A line for each stage that took its time, each notice, and what is at work.

    `open_display` is called before the first line, so that nothing is shown of what says nothing.
    """

    def __init__(self, open_display: Callable[[], Callable[[str], None]]) -> None:
        self.open_display = open_display
        self.stages: dict[str, StageProgress] = {}
        self.lines: list[str] = []
        self._show: Callable[[str], None] | None = None
        self._last = 0.0

    def __call__(self, event: Event) -> None:
        """Take an event in."""
        now = time.monotonic()
        if isinstance(event, Notice):
            self._add(f"note: {event.text}")
        elif isinstance(event, StageStarted):
            self.stages[event.stage] = StageProgress(event.total, event.unit, now)
        elif isinstance(event, StageAdvanced) and event.stage in self.stages:
            self.stages[event.stage].advance(event)
            if now - self._last >= _PAUSE:
                self._draw(now)
        elif isinstance(event, StageFinished) and event.stage in self.stages:
            stage = self.stages.pop(event.stage)
            if now - stage.since >= _WORTH_A_LINE:
                self._add(f"✓ {event.stage}: {stage.result(now, event.summary)}")
            elif self._show is not None:
                self._draw(now)

    def _add(self, line: str) -> None:
        self.lines.append(line)
        self._draw(time.monotonic())

    def _draw(self, now: float) -> None:
        self._last = now
        if self._show is None:
            self._show = self.open_display()
        at_work = [_at_work(name, stage, now) for name, stage in self.stages.items() if stage.done]
        shown = "\n".join(html.escape(plain(line)) for line in (*self.lines, *at_work))
        self._show(f'<pre style="white-space:pre-wrap;margin:0">{shown}</pre>')


def _at_work(name: str, stage: StageProgress, now: float) -> str:
    of = f"{stage.done:,} of " if stage.total else ""
    parts = [of + in_units(stage.total or stage.done, stage.unit)]
    parts += [f"{stage.failed:,} failed"] if stage.failed else []
    left = stage.seconds_left(now)
    parts += [f"{duration(left)} left"] if left is not None else []
    return f"{name}: {', '.join(parts)}"
