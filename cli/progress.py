"""Shows the progress of the engine: bars on a terminal, lines of text elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ig4.cli.render import plain
from ig4.core.events import (
    Event,
    Notice,
    StageAdvanced,
    StageFinished,
    StageStarted,
)

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

    from ig4.core.events import Listener


_PLAIN_SECONDS = 30.0
_SHORTEST_BAR = 4
_BESIDE_BAR = 72
"""Columns that counts, rate, times and the number of failures need beside a bar."""


@contextmanager
def progress_listener(*, quiet: bool = False) -> Iterator[Listener]:
    """Yield a listener that shows events on stderr while the block runs."""
    if quiet:
        yield lambda event: None
        return
    from rich.console import Console

    console = Console(stderr=True, highlight=False)
    if not console.is_terminal:
        yield _PlainProgress(console)
        return
    bars = _bars(console)
    with bars:
        yield _ProgressBars(bars)


class _PlainProgress:
    """Prints notices, and the progress of a stage every 30 seconds, as lines for a log."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.totals: dict[str, int | None] = {}
        self.done: dict[str, int] = {}
        self.last_print = time.monotonic()

    def __call__(self, event: Event) -> None:
        if isinstance(event, Notice):
            self._print(plain(f"note: {event.text}"))
        elif isinstance(event, StageStarted):
            self.totals[event.stage], self.done[event.stage] = event.total, 0
        elif isinstance(event, StageAdvanced):
            done = self.done[event.stage] = self.done.get(event.stage, 0) + event.done
            if time.monotonic() - self.last_print > _PLAIN_SECONDS:
                self.last_print = time.monotonic()
                total = self.totals.get(event.stage)
                count = f"{done:,} of {total:,}" if total else f"{done:,}"
                self._print(f"{event.stage}: {count}{', ' if event.note else ''}{event.note}")

    def _print(self, text: str) -> None:
        self.console.print(text, markup=False, soft_wrap=True)


class _ProgressBars:
    """A bar for each stage, with rate, time left and failures."""

    def __init__(self, bars: Progress) -> None:
        self.bars = bars
        self.stages: dict[str, TaskID] = {}
        self.failed: dict[str, int] = {}
        self.cost: dict[str, float] = {}

    def __call__(self, event: Event) -> None:
        if isinstance(event, StageStarted):
            self._begin(event)
        elif isinstance(event, StageAdvanced) and event.stage in self.stages:
            failed = self.failed[event.stage] = self.failed[event.stage] + event.failed
            cost = self.cost[event.stage] = self.cost[event.stage] + event.cost
            note = f"${cost:.4f} " if cost else ""
            note += f"{event.note} " if event.note else ""
            note += f"[red]{failed:,} failed[/red]" if failed else ""
            self.bars.update(self.stages[event.stage], advance=event.done, note=note)
        elif isinstance(event, StageFinished):
            self._end(event)
        elif isinstance(event, Notice):
            text = plain(f"note: {event.text}")
            self.bars.console.print(text, markup=False, soft_wrap=True)

    def _begin(self, event: StageStarted) -> None:
        self.failed[event.stage] = 0
        self.cost[event.stage] = 0.0
        self.stages[event.stage] = self.bars.add_task(
            event.stage, total=event.total, note="", unit=event.unit
        )

    def _end(self, event: StageFinished) -> None:
        from rich.markup import escape

        task = self.stages.pop(event.stage, None)
        if task is None:
            return
        done = self.bars.tasks[self.bars.task_ids.index(task)].completed
        failed = self.failed.get(event.stage, 0)
        note = f"[dim]{escape(plain(event.summary))}[/dim]"
        if failed:
            note = f"[red]{failed:,} failed[/red] {note}"
        self.bars.update(task, total=max(done, 1), completed=max(done, 1), note=note)
        self.bars.stop_task(task)


def _bars(console: Console) -> Progress:
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        SpinnerColumn,
        Task,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.table import Column
    from rich.text import Text

    # If the line is too long, the note is cut: counts, rate and time never are.
    note = Column(ratio=1, no_wrap=True, overflow="ellipsis")

    class Rate(ProgressColumn):
        """Units per second."""

        def render(self, task: Task) -> Any:
            speed = task.finished_speed or task.speed
            return Text(f"{speed:,.1f}/s" if speed else "", style="progress.data.speed")

    return Progress(
        SpinnerColumn(finished_text="✓"),
        TextColumn("{task.description:<8}"),
        BarColumn(bar_width=min(30, max(_SHORTEST_BAR, console.width - _BESIDE_BAR))),
        MofNCompleteColumn(),
        TextColumn("{task.fields[unit]}"),
        Rate(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}", table_column=note),
        console=console,
        expand=True,
    )
