"""Shows the progress of the engine: bars on a terminal, lines of text elsewhere."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ig4.cli.terminal.logs import is_on_stderr
from ig4.cli.terminal.render import plain
from ig4.core.counts import in_units
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
"""Seconds after which a log has another line on what is at work."""
_LOOK_SECONDS = 0.5
_WORTH_A_LINE = 5.0
"""Seconds that a stage takes before a log has a line on its end."""

_SHORTEST_BAR = 4
_BESIDE_BAR = 76
"""Columns that name, counts, rate, times and the number of failures need beside a bar."""


@contextmanager
def progress_listener(*, quiet: bool = False) -> Iterator[Listener]:
    """Yield a listener that shows events on stderr while the block runs."""
    if quiet or is_on_stderr():
        yield lambda event: None
        return
    from rich.console import Console

    console = Console(stderr=True, highlight=False)
    if not console.is_terminal:
        lines = _PlainProgress(console)
        with lines.beating():
            yield lines
        return
    bars = _bars(console)
    with bars:
        yield _ProgressBars(bars)


@dataclass(slots=True)
class StageProgress:
    """How far a stage is; `since` is when it began, by a clock that nobody sets."""

    total: int | None
    unit: str
    since: float
    done: int = 0
    failed: int = 0
    cost: float = 0.0
    note: str = ""

    def advance(self, event: StageAdvanced) -> None:
        """Add what is done since."""
        self.done += event.done
        self.failed += event.failed
        self.cost += event.cost
        self.note = event.note or ""

    def seconds_left(self, now: float) -> float | None:
        """Return the seconds that the rest takes at the mean speed so far, if that is known."""
        if not self.total or not self.done or self.done >= self.total:
            return None
        return (now - self.since) * (self.total - self.done) / self.done

    def result(self, now: float, summary: str) -> str:
        """Return what the stage has done, in one line: "20 images in 0:00:11; 1 failed"."""
        gone = duration(now - self.since)
        if not self.done:
            return f"{summary}, {gone}" if summary else f"done in {gone}"
        parts = [f"{in_units(self.done, self.unit)} in {gone}"]
        parts += [f"{self.failed:,} failed"] if self.failed else []
        return "; ".join([*parts, *([summary] if summary else [])])


class _PlainProgress:
    """Prints notices, and the progress of a stage every 30 seconds, as lines for a log."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.stages: dict[str, StageProgress] = {}
        self.last_print = time.monotonic()
        self._lock = threading.RLock()  # a signal may end a line that holds it, and say so
        self._over = threading.Event()

    def __call__(self, event: Event) -> None:
        with self._lock:
            self._show(event)

    @contextmanager
    def beating(self) -> Iterator[None]:
        """Let a stage have lines while it says nothing itself, as when a model is loaded."""
        thread = threading.Thread(target=self._beat, name="ig4-progress", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()

    def _beat(self) -> None:
        with suppress(OSError, ValueError):  # nobody reads stderr any longer
            while not self._over.wait(_LOOK_SECONDS):
                with self._lock:
                    self.tell_silent()

    def tell_silent(self) -> None:
        """Say what is at work, if nothing was said for long; of several stages the last begun."""
        if self.stages and time.monotonic() - self.last_print > _PLAIN_SECONDS:
            name, stage = list(self.stages.items())[-1]
            self._print_state(name, stage)

    def _show(self, event: Event) -> None:
        if isinstance(event, Notice):
            self._print(f"note: {event.text}")
        elif isinstance(event, StageStarted):
            now = time.monotonic()
            self.stages[event.stage] = StageProgress(event.total, event.unit, now)
        elif isinstance(event, StageAdvanced):
            stage = self.stages.setdefault(event.stage, StageProgress(None, "", time.monotonic()))
            stage.advance(event)
            if time.monotonic() - self.last_print > _PLAIN_SECONDS:
                self._print_state(event.stage, stage)
        elif isinstance(event, StageFinished) and event.stage in self.stages:
            self._end(event, self.stages.pop(event.stage))

    def _end(self, event: StageFinished, stage: StageProgress) -> None:
        now = time.monotonic()
        if now - stage.since >= _WORTH_A_LINE:
            self.last_print = now
            self._print(f"{event.stage}: {stage.result(now, event.summary)}")

    def _print_state(self, name: str, stage: StageProgress) -> None:
        now = self.last_print = time.monotonic()
        if not stage.done:
            self._print(f"{name}: {duration(now - stage.since)} so far")
            return
        of = f"{stage.done:,} of " if stage.total else ""
        parts = [of + in_units(stage.total or stage.done, stage.unit)]
        parts += [f"{stage.failed:,} failed"] if stage.failed else []
        parts += [stage.note] if stage.note else []
        left = stage.seconds_left(now)
        parts += [f"{duration(left)} left"] if left is not None else []
        self._print(f"{name}: {', '.join(parts)}")

    def _print(self, text: str) -> None:
        self.console.print(plain(text), markup=False, soft_wrap=True)


class _ProgressBars:
    """A bar for each stage at work; one that is over becomes a line, which stays."""

    def __init__(self, bars: Progress) -> None:
        self.bars = bars
        self.tasks: dict[str, TaskID] = {}
        self.stages: dict[str, StageProgress] = {}

    def __call__(self, event: Event) -> None:
        if isinstance(event, StageStarted):
            self._begin(event)
        elif isinstance(event, StageAdvanced) and event.stage in self.stages:
            stage = self.stages[event.stage]
            stage.advance(event)
            note = f"[red]{stage.failed:,} failed[/red] " if stage.failed else ""
            note += f"${stage.cost:.4f} " if stage.cost else ""
            note += _escaped(event.note) if event.note else ""
            self.bars.update(self.tasks[event.stage], completed=stage.done, note=note)
        elif isinstance(event, StageFinished):
            self._end(event)
        elif isinstance(event, Notice):
            self._print(f"note: {event.text}")

    def _begin(self, event: StageStarted) -> None:
        stage = StageProgress(event.total, event.unit, time.monotonic())
        self.stages[event.stage] = stage
        self.tasks[event.stage] = self.bars.add_task(
            event.stage, total=event.total, note="", unit=event.unit, stage=stage
        )

    def _end(self, event: StageFinished) -> None:
        task = self.tasks.pop(event.stage, None)
        if task is None:
            return
        stage = self.stages.pop(event.stage)
        self.bars.remove_task(task)
        self._print(f"✓ {event.stage}: {stage.result(time.monotonic(), event.summary)}")

    def _print(self, text: str) -> None:
        self.bars.console.print(plain(text), markup=False, soft_wrap=True)


def _escaped(text: str) -> str:
    from rich.markup import escape

    return escape(plain(text))


def duration(seconds: float) -> str:
    """Return 0:01:05, or 1 day, 2:03:04."""
    days, rest = divmod(round(seconds), 86_400)
    clock = f"{rest // 3600}:{rest // 60 % 60:02}:{rest % 60:02}"
    return f"{days} day{'s' if days > 1 else ''}, {clock}" if days else clock


def _bars(console: Console) -> Progress:
    from rich.progress import (
        BarColumn,
        Progress,
        ProgressColumn,
        SpinnerColumn,
        Task,
        TextColumn,
    )
    from rich.table import Column
    from rich.text import Text

    # If the line is too long, the note is cut: counts, rate and time never are.
    note = Column(ratio=1, no_wrap=True, overflow="ellipsis")

    class Count(ProgressColumn):
        """What is done, of how much."""

        def render(self, task: Task) -> Any:
            stage: StageProgress = task.fields["stage"]
            if not stage.done and stage.total is None:
                return Text("")
            of = f"{stage.done:,}/" if stage.total is not None else ""
            count = in_units(stage.done if stage.total is None else stage.total, stage.unit)
            return Text(of + count, style="progress.download")

    class Times(ProgressColumn):
        """Units per second, the time gone, and the time left where that can be told."""

        def render(self, task: Task) -> Any:
            stage: StageProgress = task.fields["stage"]
            now = time.monotonic()
            gone = max(now - stage.since, 1e-9)
            parts = [f"{stage.done / gone:,.1f}/s"] if stage.done else []
            parts.append(duration(gone))
            left = stage.seconds_left(now)
            parts += [f"{duration(left)} left"] if left is not None else []
            return Text("  ".join(parts), style="progress.elapsed")

    class Narrow(ProgressColumn):
        """All of it as one text, in as many lines as it takes."""

        def render(self, task: Task) -> Any:
            parts = [f"{task.description}:", Count().render(task), Times().render(task)]
            parts.append(Text.from_markup(task.fields["note"]))
            return Text(" ").join(Text(p) if isinstance(p, str) else p for p in parts if p)

    if console.width < _BESIDE_BAR - _SHORTEST_BAR:
        fold = Narrow(table_column=Column(ratio=1, overflow="fold"))
        return Progress(fold, console=console, expand=True, transient=True)
    columns: list[ProgressColumn] = [SpinnerColumn(), TextColumn("{task.description:<8}")]
    if (bar := console.width - _BESIDE_BAR) >= _SHORTEST_BAR:
        columns.append(BarColumn(bar_width=min(30, bar)))
    columns += [Count(), Times(), TextColumn("{task.fields[note]}", table_column=note)]
    return Progress(*columns, console=console, expand=True, transient=True)
