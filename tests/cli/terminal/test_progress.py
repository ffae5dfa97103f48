"""What progress looks like on a terminal, and in a log."""

from __future__ import annotations

import io
import re
import threading

import pytest
from rich.console import Console

from ig4.cli.terminal import progress
from ig4.cli.terminal.progress import _bars, _PlainProgress, _ProgressBars
from ig4.core.events import Notice, StageAdvanced, StageFinished, StageStarted

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Clock:
    """A clock that tests set."""

    def __init__(self, monkeypatch):
        self.now = 100.0
        monkeypatch.setattr(progress.time, "monotonic", lambda: self.now)


@pytest.fixture
def clock(monkeypatch):
    return Clock(monkeypatch)


def terminal(width, events, *, error=None):
    """Return what a terminal of a width has seen, without colours, line by line."""
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=width, color_system=None)
    try:
        with _bars(console) as bars:
            show = _ProgressBars(bars)
            for event in events:
                show(event() if callable(event) else event)
                bars.refresh()
            if error:
                raise error
    except KeyboardInterrupt:
        pass
    return [line.rstrip() for line in re.split(r"[\r\n]+", ESCAPES.sub("", out.getvalue()))]


@pytest.mark.parametrize("width", [72, 80, 100, 160])
def test_nothing_of_a_running_stage_is_cut_however_narrow_the_terminal(width, clock):
    def later():
        clock.now += 60
        return StageAdvanced("clip", 1234, failed=12)

    lines = terminal(width, [StageStarted("clip", 12345, "samples"), later])
    (shown,) = {line for line in lines if "1,234/12,345" in line}
    assert "1,234/12,345 samples" in shown
    assert "20.6/s  0:01:00  0:09:00 left" in shown
    assert width < 80 or "12 failed" in shown


def test_no_time_left_is_shown_where_it_is_not_known(clock):
    lines = terminal(80, [StageStarted("ingest", None), StageAdvanced("ingest", 5)])
    assert not any("left" in line for line in lines)


def test_a_stage_that_is_over_becomes_one_whole_line(clock):
    summary = "clip 12,345, length 12,345, and a long list of other scorers, as there may be"

    def over():
        clock.now += 83
        return StageFinished("clip", summary)

    events = [StageStarted("clip", 3, "samples"), StageAdvanced("clip", 3, failed=1), over]
    lines = terminal(80, events)
    assert [line for line in lines if summary in line] == [
        f"✓ clip: 3 samples in 0:01:23; 1 failed; {summary}"
    ]
    assert "left" not in lines[-1]


def test_an_interrupt_repeats_no_line(clock):
    events = [
        StageStarted("one", 2), StageAdvanced("one", 2), StageFinished("one", "all of it"),
        StageStarted("two", 9), StageAdvanced("two", 1),
    ]  # fmt: skip
    lines = terminal(80, events, error=KeyboardInterrupt())
    assert sum("all of it" in line for line in lines) == 1


@pytest.mark.parametrize("width", [12, 20, 40, 60, 71])
def test_on_a_very_narrow_terminal_a_running_stage_takes_several_lines(width, clock):
    def later():
        clock.now += 60
        return StageAdvanced("clip", 1234, failed=12, note="loss 1.25")

    lines = terminal(width, [StageStarted("clip", 12345, "samples"), later])
    assert all(len(line) <= width for line in lines)
    shown = "".join("".join(lines).split())
    assert "clip:1,234/12,345samples20.6/s0:01:000:09:00left12failedloss1.25" in shown
    assert "…" not in shown


def test_text_of_a_data_set_is_never_markup_or_an_escape(clock):
    events = [StageStarted("train", 9), StageAdvanced("train", 1, note="[bold]\x1b[31mred")]
    lines = terminal(100, [*events, Notice("\x1b]0;title\x07 [red]x[/red]")])
    assert any("[bold]" in line for line in lines)
    assert any("[red]x[/red]" in line for line in lines)
    assert not any("\x07" in line for line in lines)


def test_a_log_gets_a_line_every_half_minute_with_the_time_left(clock):
    out = io.StringIO()
    show = _PlainProgress(Console(file=out, width=80))
    show(StageStarted("clip", 100, "samples"))
    for _ in range(4):
        clock.now += 20
        show(StageAdvanced("clip", 10, failed=1))
    assert out.getvalue().splitlines() == [
        "clip: 20 of 100 samples, 2 failed, 0:02:40 left",
        "clip: 40 of 100 samples, 4 failed, 0:02:00 left",
    ]


@pytest.mark.parametrize(
    ("events", "line"),
    [
        ([StageStarted("loading", None, "models"), StageFinished("loading", "clip, length")],
         "loading: clip, length, 0:00:11"),
        ([StageStarted("select", None), StageFinished("select")], "select: done in 0:00:11"),
        ([StageStarted("ingest", None, "records"), StageAdvanced("ingest", 1),
          StageFinished("ingest", "1 sample in set")],
         "ingest: 1 record in 0:00:11; 1 sample in set"),
        ([StageStarted("clip", 2, "samples"), StageAdvanced("clip", 2, 2), StageFinished("clip")],
         "clip: 2 samples in 0:00:11; 2 failed"),
    ],
)  # fmt: skip
def test_the_end_of_a_stage_reads_as_a_sentence_in_a_log(events, line, clock):
    out = io.StringIO()
    show = _PlainProgress(Console(file=out, width=200))
    for event in events:
        if isinstance(event, StageFinished):
            clock.now += 11
        show(event)
    assert out.getvalue().splitlines() == [line]


def test_a_log_says_what_is_at_work_while_a_stage_says_nothing(clock):
    out = io.StringIO()
    show = _PlainProgress(Console(file=out, width=80))
    show(StageStarted("loading", None, "models"))
    for seconds in (20, 20, 20, 40):
        clock.now += seconds
        show.tell_silent()
    show(StageFinished("loading", "clip"))
    assert out.getvalue().splitlines() == [
        "loading: 0:00:40 so far",
        "loading: 0:01:40 so far",
        "loading: clip, 0:01:40",
    ]


def test_a_log_has_its_lines_from_a_thread_that_ends_with_the_block(monkeypatch):
    monkeypatch.setattr(progress, "_PLAIN_SECONDS", 0.02)
    monkeypatch.setattr(progress, "_LOOK_SECONDS", 0.01)
    said = threading.Event()

    class Log(io.StringIO):
        def write(self, text):
            said.set()
            return super().write(text)

    show = _PlainProgress(Console(file=Log(), width=80))
    before = threading.active_count()
    with show.beating():
        show(StageStarted("loading", None, "models"))
        assert said.wait(20)
    assert threading.active_count() == before
