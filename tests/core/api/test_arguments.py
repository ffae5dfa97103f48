"""What a caller gets wrong is told in words, in Python as on the command line."""

from __future__ import annotations

import json

import click
import pytest

import ig4
from ig4.cli import check, evaluate, plot, query, report
from ig4.core import limits

ROWS = [{"id": str(n), "instruction": "What?", "answer": "word " * (n + 1)} for n in range(5)]


@pytest.fixture
def data(tmp_path, monkeypatch):
    """Five samples with lengths, and a selection of the two longest."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    ig4.ingest(path)
    ig4.score(scorers="length", check=False)
    ig4.select(size=2, selector="topk", weights={"length": 1.0})
    return path


def test_one_name_need_not_stand_in_a_list(data):
    assert ig4.select(size=3, selector="topk", scorers="length").ids == ["4", "3", "2"]
    assert ig4.check(scorers="length", pairs=3).columns[0].name == "length"
    ig4.export("with/rows.jsonl", extras="scores")
    assert "ig4" in json.loads(open("with/rows.jsonl").readline())  # noqa: SIM115, PTH123
    with pytest.raises(ig4.Ig4Error, match="no scores called 'lenght'; did you mean length"):
        ig4.select(size=3, selector="topk", scorers="lenght")


def test_an_id_may_be_a_number(data):
    assert ig4.explain(4).selected
    with pytest.raises(ig4.Ig4Error, match="holds no sample '4935'"):
        ig4.explain(4935)


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: ig4.select(size=2, weights="length=1"), r"weights is 'length=1': give a dict, as"),
        (lambda: ig4.select(size=2, scorers=[3]), r"scorers is \[3\]: give names, as in scorers="),
        (lambda: ig4.select(size=2, scorers=3), "scorers is 3: give names"),
        (lambda: ig4.select(size=2, options="a"), "options is 'a': give a dict"),
        (lambda: ig4.score(options={"clip": "x"}), "options is .*: give a dict of dicts, as in"),
        (lambda: ig4.score(calls=3), "calls is 3: give a dict"),
        (lambda: ig4.plot("scores", theme="zz"), "theme is 'zz' .there are: light, dark, print"),
        (lambda: ig4.plot("scores", width=5), "width is 5: give a number from 200 to 4,000"),
        (lambda: ig4.plot("scores", height="x"), "height is 'x': give a number from 120 to 8,000"),
        (lambda: ig4.plot("scores", scale=float("nan")), "scale is nan: give a number from 0.1 to"),
        (lambda: ig4.plot("scores", by="form"), "--by is for groups and costs, not for scores"),
        (lambda: ig4.plot("compare"), r"`ig4 plot compare 1 2`, or `ig4\.plot\(\"compare\", sele"),
        (lambda: ig4.report(samples=-5), "samples is -5: give a number of at least 0"),
        (lambda: ig4.check(pairs=0), "pairs is 0: give a number of at least 1"),
        (lambda: ig4.check(seed=-1), "seed is -1: give a number from 0 to 4,294,967,295"),
        (lambda: ig4.train(seed=True), "seed is True: give a number"),
        (lambda: ig4.query("SELECT 1", timeout=-1), "timeout is -1: give a number from 0"),
        (lambda: ig4.evaluate("x", limit=0), "limit is 0: give a number of at least 1"),
        (
            lambda: ig4.evaluate("x", decoding=ig4.Decoding(top_p=2.0)),
            "top_p is 2.0: give a number from 0 to 1",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_and_no_exception_of_python_s(data, call, told):
    with pytest.raises(ig4.Ig4Error, match=told):
        call()


@pytest.mark.parametrize(
    ("command", "option", "range_"),
    [
        (plot.plot, "width", limits.CHART_WIDTH),
        (plot.plot, "height", limits.CHART_HEIGHT),
        (plot.plot, "scale", limits.CHART_SCALE),
        (report.report, "samples", limits.SHOWN_SAMPLES),
        (check.check, "pairs", limits.PAIRS),
        (check.check, "seed", limits.SEED),
        (query.query, "timeout", limits.QUERY_SECONDS),
        (evaluate.evaluate, "limit", limits.QUESTIONS),
        (evaluate.evaluate, "top_p", limits.TOP_P),
    ],
)
def test_commands_have_the_limits_of_the_library(command, option, range_):
    found = next(one.type for one in command.params if one.name == option)
    assert isinstance(found, (click.IntRange, click.FloatRange))
    assert (found.min, found.max) == tuple(range_)
