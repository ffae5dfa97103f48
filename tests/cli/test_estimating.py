"""`--dry-run` as a user reads it: numbers with units, and an honest word where there is none."""

from __future__ import annotations

import gc
import json
import sqlite3
from contextlib import closing, suppress

import pytest

from ig4.cli.estimating import bytes_text, duration_text
from ig4.cli.main import main
from ig4.cli.session import open_planning_session

from ..harbour import write_data

RUN = ("run", "data/llava.json", "--name", "harbour", "--scorers", "length", "--spaces", "phash",
       "--size", "5", "--clusterer", "none", "--selector", "topk", "--dry-run")  # fmt: skip


@pytest.fixture
def ig4(tmp_path, monkeypatch, capsys):
    """Run `ig4` to its end in this process; return its exit code, output and messages."""
    monkeypatch.chdir(tmp_path)
    write_data(tmp_path / "data")
    thresholds = gc.get_threshold()

    def run(*arguments):
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(list(map(str, arguments)))
        return ended.value.code, *capsys.readouterr()

    yield run
    gc.set_threshold(*thresholds)


def test_a_data_set_that_was_never_read_is_estimated_without_a_database(ig4, tmp_path):
    code, out, err = ig4(*RUN)
    assert code == 0
    assert "harbour: 80 samples, 63 distinct images (7.6 kB)" in out
    assert "in all   not known" in out
    unknown = err.partition("No speed of ")[2].partition(" is known")[0]
    assert set(unknown.split(", ")) == {"length", "embedder phash"}
    assert "only looked through" in err
    assert not list(tmp_path.glob("*.db"))


def test_what_was_measured_tells_of_more_devices(ig4):
    assert ig4("ingest", "data/llava.json", "--name", "harbour")[0] == 0
    assert ig4("score", "--scorers", "length", "--spaces", "phash", "--quiet")[0] in (0, 3)
    (code, out, _) = ig4("score", "--scorers", "length", "--spaces", "phash", "--dry-run", "--json")
    assert code == 0
    known = json.loads(out)
    assert (known["calls"], known["unknown_speeds"]) == ({"length": 0, "embedder phash": 0}, [])
    other = [word if word != "harbour" else "again" for word in RUN]
    one, eight = (json.loads(ig4(*other, *more, "--json")[1]) for more in ((), ("--devices", "8")))
    assert one["measured_on"]["length"].startswith("cpu")
    assert eight["total_hours"] == pytest.approx(one["total_hours"] / 8)
    assert one["data"]["vector_bytes"]["embedder phash"] > 0
    text = ig4(*other, "--devices", "8")[1]
    assert "time on 8 devices" in text
    assert " ms on cpu (" in text


def test_options_of_an_estimate_need_one(ig4):
    code, _, err = ig4("run", "data/llava.json", "--devices", "8")
    assert code == 2
    assert "add --dry-run" in err
    code, _, err = ig4("score", "--measure", "8")
    assert code == 2
    assert "add --dry-run" in err


def test_what_is_not_stored_cannot_be_measured(ig4, tmp_path):
    code, _, err = ig4(*RUN, "--measure", "8")
    assert code == 2
    assert "run `ig4 ingest`" in err


def test_a_name_that_is_taken_is_told_by_the_plan_as_by_the_run(ig4, tmp_path):
    assert ig4("ingest", "data/llava.json", "--name", "harbour")[0] == 0
    write_data(tmp_path / "more")
    words = [word.replace("data/", "more/") for word in RUN]
    planned = ig4(*words)
    done = ig4(*[word for word in words if word != "--dry-run"])
    assert planned[0] == done[0] == 2
    assert planned[2].splitlines()[-1] == done[2].splitlines()[-1]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (0.04, "0.04 s"), (59.6, "60 s"), (150, "2.5 minutes"), (9000, "2.5 hours"),
     (864_000, "10.0 days")],
)  # fmt: skip
def test_times_have_the_unit_that_fits(seconds, text):
    assert duration_text(seconds) == text


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (1, "1 byte"),
        (812, "812 bytes"),
        (1_440_000, "1.4 MB"),
        (3.2e12, "3.2 TB"),
        (5e15, "5.0 PB"),
    ],
)
def test_sizes_have_the_unit_that_fits(size, text):
    assert bytes_text(int(size)) == text


def test_a_mixture_that_is_only_asked_about_is_not_made(ig4, tmp_path):
    write_data(tmp_path / "more")
    assert ig4("ingest", "data/llava.json", "--name", "harbour")[0] == 0
    assert ig4("ingest", "more/llava.json", "--name", "again")[0] == 0
    asked = ("--scorers", "length", "--dataset", "harbour,again", "--dry-run", "--json")
    for verb in ("score", "run"):
        code, out, _ = ig4(verb, *asked)
        assert code == 0
        assert json.loads(out)["samples"] == 160
    names = ig4("query", "SELECT name FROM datasets ORDER BY 1", "--json")[1]
    assert [row["name"] for row in json.loads(names)] == ["again", "harbour"]


MIXTURES = "SELECT name FROM datasets WHERE format = 'mixture'"


@pytest.fixture
def two(ig4, tmp_path):
    """Run `ig4` where two data sets are stored."""
    write_data(tmp_path / "more")
    assert ig4("ingest", "data/llava.json", "--name", "harbour")[0] == 0
    assert ig4("ingest", "more/llava.json", "--name", "again")[0] == 0
    return ig4


def test_a_mixture_that_others_make_during_a_plan_stays_with_its_selections(two):
    selecting = ("select", "--dataset", "harbour,again", "--scorers", "length", "--size", "5",
                 "--clusters", "none", "--name", "keepme", "--quiet")  # fmt: skip
    with open_planning_session(None, quiet=True) as session:
        planned = session.dataset("harbour,again")
        assert two("score", "--dataset", "harbour,again", "--scorers", "length")[0] in (0, 3)
        assert two(*selecting)[0] in (0, 3)
        assert session.dataset("harbour,again").name == planned.name == "harbour+again"
    (name,) = json.loads(two("query", MIXTURES, "--json")[1])
    assert name == {"name": "harbour+again"}
    assert "keepme" in two("selections", "list", "--dataset", "harbour,again")[1]


def test_a_plan_of_a_mixture_that_dies_leaves_none(two):
    with suppress(RuntimeError), open_planning_session(None, quiet=True) as session:
        session.dataset("harbour,again")
        assert json.loads(two("query", MIXTURES, "--json")[1]) == []
        raise RuntimeError
    assert json.loads(two("query", MIXTURES, "--json")[1]) == []


@pytest.mark.parametrize("verb", ["score", "run"])
def test_a_plan_of_a_mixture_waits_for_nobody_who_writes(two, tmp_path, verb):
    asked = ("--scorers", "length", "--dataset", "harbour,again", "--dry-run", "--json")
    with closing(sqlite3.connect(tmp_path / "ig4.db", isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        code, out, _ = two(verb, *asked)
    assert code == 0
    assert json.loads(out)["samples"] == 160


def test_scores_of_a_database_that_is_not_there_are_not_estimated(ig4, tmp_path):
    code, _, err = ig4("score", "--scorers", "length", "--dry-run")
    assert code == 1
    assert f"There is no score database at {tmp_path / 'ig4.db'}" in err
    assert not list(tmp_path.glob("*.db"))


@pytest.mark.parametrize("number", ["0", "1" + "0" * 400])
def test_numbers_of_devices_that_nobody_has_are_refused(ig4, number):
    code, _, err = ig4("score", "--scorers", "length", "--dry-run", "--devices", number)
    assert code == 2
    assert "is not in the range" in err
