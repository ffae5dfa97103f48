"""What progress looks like on a terminal."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from ig4.cli.progress import _bars, _ProgressBars
from ig4.core.events import StageAdvanced, StageFinished, StageStarted


@pytest.mark.parametrize("width", [80, 100, 160])
def test_counts_and_failures_are_whole_however_narrow_the_terminal(width):
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=width, color_system=None)
    with _bars(console) as bars:
        show = _ProgressBars(bars)
        show(StageStarted("score", 12345, "samples"))
        show(StageAdvanced("score", 12345, failed=12))
        show(StageFinished("score", "clip 12,345, length 12,345, and a long list of others"))
    last = [line for line in out.getvalue().splitlines() if "score" in line][-1]
    assert "12345/12345 samples" in last
    assert "12 failed" in last
    assert last.count(":") >= 4  # 0:00:00 gone, 0:00:00 left
