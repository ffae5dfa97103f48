"""Scorers with several values: a column for each, and none ever disagrees with the main one."""

from __future__ import annotations

import random
import signal
import sqlite3
import sys
import time
from contextlib import closing

import pytest
from sqlalchemy import text

from ig4.core.engine.ingesting.imports import ScoreColumn, import_scores
from ig4.core.engine.scoring.columns import drop_column, list_columns, rename_column
from ig4.core.engine.scoring.plan import ScoreRequest
from ig4.core.engine.scoring.score import score
from ig4.core.engine.selecting.candidates import SelectionRequest
from ig4.core.engine.selecting.columns import score_matrix
from ig4.core.engine.selecting.percent import percents
from ig4.core.engine.selecting.select import select
from ig4.core.errors import PluginError, UsageError
from ig4.core.records import Choice
from ig4.storage import samples, scorecolumns

from ....forking import Forked
from ...conftest import install, record


def graded(label="grades", **options):
    return Choice("scorer", "graded", options, label)


def compute(session, dataset, *choices, **more):
    return score(session, dataset, ScoreRequest(choices or [graded()], **more))


def values(session, name):
    with session.store.reading() as connection:
        sql = text("SELECT external_id, value, error FROM scores_long WHERE scorer = :name")
        return {
            key: error or value for key, value, error in connection.execute(sql, {"name": name})
        }


def names(session, dataset):
    return [column.name for column in list_columns(session, dataset)]


def columns(session, dataset):
    with session.store.reading() as connection:
        return {row.name: row for row in scorecolumns.list_all(connection, dataset.id)}


@pytest.fixture
def dataset(session, folder, read):
    folder.write(record("a", "one two"), record("b", "four"))
    return read().dataset


def test_a_scorer_fills_a_column_of_its_own_and_one_for_each_output(session, dataset):
    compute(session, dataset)
    assert values(session, "grades") == {"a": 7, "b": 4}
    assert values(session, "grades.letters") == {"a": 6, "b": 4}
    assert values(session, "grades.words") == {"a": 2, "b": 1}
    with session.store.reading() as connection:
        wide = connection.execute(text('SELECT external_id, "grades.words" FROM scores_wide'))
        assert dict(wide.all()) == {"a": 2, "b": 1}


def test_nothing_is_computed_twice_and_another_label_has_the_same_values(
    session, dataset, tmp_path
):
    log = str(tmp_path / "log")
    compute(session, dataset, graded(log=log))
    assert compute(session, dataset, graded(log=log), graded("again", log=log)).done == {
        "grades": 0, "again": 0,
    }  # fmt: skip
    assert values(session, "again.words") == {"a": 2, "b": 1}
    assert (tmp_path / "log").read_text().split() == ["a", "b"]


def test_a_scorer_that_asks_a_service_fills_them_too(session, dataset):
    compute(session, dataset, Choice("scorer", "asking-grades"))
    assert values(session, "asking-grades.half") == {"a": 3.5, "b": 2.0}


@pytest.mark.parametrize(
    ("answer", "main", "letters", "words"),
    [
        ("please fail", "says fail", "says fail", "says fail"),
        ("no words", 8, 7, "gave no value for its output words"),
        ("endless", 7, "returned inf", 1),
        ("nan", "returned nan", "returned nan", "returned nan"),
        (" ", "is empty", "is empty", "is empty"),
    ],
)
def test_what_is_left_out_is_an_error_of_that_output_and_what_fails_fails_as_a_whole(
    session, folder, read, answer, main, letters, words
):
    folder.write(record("a", answer), record("b", "four"))
    done = compute(session, read().dataset)
    for name, wanted in (("grades", main), ("grades.letters", letters), ("grades.words", words)):
        given = values(session, name)["a"]
        assert wanted in given if isinstance(wanted, str) else given == wanted
    assert values(session, "grades.words")["b"] == 1
    assert sum(done.failed.values()) == 1


def test_an_output_that_is_not_declared_breaks_the_contract(session, folder, read):
    folder.write(record("a", "a stranger"))
    with pytest.raises(PluginError, match=r"output 'stranger' that it does not declare"):
        compute(session, read().dataset)


@pytest.mark.parametrize("given", ["a,a", "a b", "ünder", "x.y", "-"])
def test_names_that_no_column_can_have_are_refused(session, dataset, given):
    with pytest.raises(PluginError, match=r"different names of letters"):
        compute(session, dataset, graded(names=given))


def test_a_retry_computes_the_samples_of_which_any_output_failed(
    session, folder, read, tmp_path, monkeypatch
):
    folder.write(record("a", "one"), record("b", "no words"), record("c", "fail"))
    log, dataset = str(tmp_path / "log"), read().dataset
    compute(session, dataset, graded(log=log))
    assert compute(session, dataset, graded(log=log)).failed == {"grades": 1, "grades.words": 2}
    monkeypatch.setenv("COUNTING_MENDED", "1")
    done = compute(session, dataset, graded(log=log), retry_failed=True)
    assert (done.done, done.failed) == ({"grades": 2}, {"grades": 0})
    assert values(session, "grades.words") == {"a": 1, "b": 2, "c": 1}
    assert (tmp_path / "log").read_text().split() == ["a", "b", "c", "b", "c"]


def test_other_outputs_are_another_scorer_and_the_names_of_the_old_ones_stand_for_nothing(
    session, dataset
):
    compute(session, dataset)
    compute(session, dataset, graded(names="words"))
    assert names(session, dataset) == ["grades", "grades.words"]
    compute(session, dataset)
    assert values(session, "grades.letters") == {"a": 6, "b": 4}


def test_scores_that_are_imported_in_its_place_have_no_outputs(session, dataset, tmp_path):
    compute(session, dataset)
    (tmp_path / "mine.csv").write_text("id,x\na,7\n")
    import_scores(session, dataset, ScoreColumn(tmp_path / "mine.csv", "grades", "x", replace=True))
    assert names(session, dataset) == ["grades"]


def test_nothing_is_imported_in_the_place_of_an_output(session, dataset, tmp_path):
    compute(session, dataset)
    (tmp_path / "mine.csv").write_text("id,x\na,7\n")
    column = ScoreColumn(tmp_path / "mine.csv", "grades.words", "x", replace=True)
    with pytest.raises(UsageError, match=r"grades.words is an output of grades"):
        import_scores(session, dataset, column)


def test_the_columns_tell_what_belongs_together(session, dataset):
    compute(session, dataset)
    told = {column.name: column for column in list_columns(session, dataset)}
    assert told["grades"].outputs == ["grades.letters", "grades.words"]
    assert told["grades.words"].output_of == "grades"
    assert told["grades.words"].values == 2


def test_a_dropped_scorer_takes_its_outputs_along(session, dataset):
    compute(session, dataset)
    done = drop_column(session, dataset, "grades")
    assert done.outputs == ["grades.letters", "grades.words"]
    assert done.deleted == 6
    assert names(session, dataset) == []
    with session.store.reading() as connection:
        assert connection.scalar(text("SELECT count(*) FROM scores")) == 0


def test_a_renamed_scorer_takes_its_outputs_along(session, dataset):
    compute(session, dataset)
    rename_column(session, dataset, "grades", "old")
    assert names(session, dataset) == ["old", "old.letters", "old.words"]
    assert values(session, "old.words") == {"a": 2, "b": 1}


def test_an_output_shares_the_fate_of_its_scorer(session, dataset):
    compute(session, dataset)
    with pytest.raises(UsageError, match=r"output of grades, and shares its fate: drop grades"):
        drop_column(session, dataset, "grades.words")
    with pytest.raises(UsageError, match=r"rename grades"):
        rename_column(session, dataset, "grades.words", "words")


def test_no_scorer_takes_the_name_of_an_output_nor_an_output_that_of_a_scorer(session, dataset):
    with pytest.raises(UsageError, match=r"'grades.words': that is an output of grades"):
        compute(session, dataset, graded(), graded("grades.words"))
    compute(session, dataset, Choice("scorer", "counted", {}, "marks.words"))
    with pytest.raises(UsageError, match=r"has scores called marks.words already"):
        compute(session, dataset, graded("marks"))
    compute(session, dataset)
    with pytest.raises(UsageError, match=r"has that as an output of grades"):
        compute(session, dataset, Choice("scorer", "counted", {}, "grades.words"))
    with pytest.raises(UsageError, match=r"has scores called marks.words already"):
        rename_column(session, dataset, "grades", "marks")


def test_percents_are_those_of_the_output_with_the_options_that_were_recorded(session, dataset):
    compute(session, dataset, graded(maximum=20.0))
    known = columns(session, dataset)
    chosen = [known[name] for name in ("grades", "grades.letters", "grades.words")]
    with session.store.reading() as connection:
        _, contents = samples.ordered_ids(connection, dataset.id)
    matrix = score_matrix(session, dataset, contents, [c.name for c in chosen], {})
    made = percents(session, matrix.columns, matrix.raw, "paper")
    assert made.tolist() == [[35.0, 6.0, 11.0], [20.0, 4.0, 6.0]]


def test_by_default_a_selection_counts_a_scorer_once_and_its_outputs_only_where_they_are_named(
    session, dataset, notices
):
    compute(session, dataset)
    found = select(session, dataset, SelectionRequest(size=1, clustering="none"))
    assert set(found.config["weights"]) == {"grades"}
    told = next(one for one in notices() if "outputs" in one)
    assert told == (
        "grades: its 2 outputs do not count by themselves; --scorers or --weights with their names "
        "let them"
    )
    with session.store.reading() as connection:
        _, contents = samples.ordered_ids(connection, dataset.id)
    by_default = score_matrix(session, dataset, contents, None, {})
    assert by_default.names == ("grades",)
    weighed = score_matrix(session, dataset, contents, None, {"grades.words": 1.0})
    assert weighed.names == ("grades.words",)
    named = score_matrix(session, dataset, contents, ["grades.letters", "grades"], {})
    assert named.names == ("grades", "grades.letters")


# Killed runs

SAMPLES, KILLS = 60, 5


def start(folder, db, log):
    command = [
        "score", "--quiet", "--scorers", "graded",
        "-o", "graded.pause=0.004", "-o", "graded.batch=3", "-o", f"graded.log={log}",
        "--db", str(db),
    ]  # fmt: skip
    return Forked(*command, cwd=folder, site=folder / "site")


def disagreements(db):
    """Count the contents that only some of the three columns have a result for."""
    with closing(sqlite3.connect(db)) as connection:
        return connection.execute(
            """SELECT content_id, count(*) FROM scores GROUP BY content_id HAVING count(*) <> 3"""
        ).fetchall()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="kill -9 is a signal")
def test_however_a_run_is_killed_outputs_and_main_values_never_disagree(
    tmp_path, session, folder, read
):
    folder.write(*(record(f"s{n}", "word " * (n % 7 + 1) + str(n)) for n in range(SAMPLES)))
    dataset = read().dataset
    place = tmp_path / "kill"
    install(place / "site")
    db, log, rng = tmp_path / "ig4.db", place / "log", random.Random(3)
    for _ in range(KILLS):
        process = start(place, db, log)
        before = len(log.read_text().split()) if log.exists() else 0
        goal = before + rng.randint(1, 5)
        while process.poll() is None and (not log.exists() or len(log.read_text().split()) < goal):
            time.sleep(0.002)
        time.sleep(rng.uniform(0, 0.02))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert disagreements(db) == []
    _, told = start(place, db, log).communicate(timeout=60)
    assert told == ""
    assert disagreements(db) == []
    assert len(values(session, "graded.words")) == SAMPLES
    assert compute(session, dataset, graded("graded")).done == {"graded": 0}
