"""Merges of databases that say different things, or things that are damaged."""

from __future__ import annotations

import sqlite3
from contextlib import closing

from sqlalchemy import delete, func, select

from ig4.core.engine.checking import check
from ig4.core.engine.ingesting.imports import ScoreColumn, import_scores
from ig4.core.engine.ingesting.ingest import DatasetSource, ingest
from ig4.core.engine.joining.merge import merge
from ig4.core.engine.planningstore import planning_store
from ig4.core.engine.session import Session
from ig4.core.host.host import Host
from ig4.storage import datasets, pins
from ig4.storage.schema import Score

from ....harbour import N
from .databases import get_score, harbour_data, scored, set_score, values, values_of, write_other


def test_what_is_here_stays_and_the_conflict_is_counted(data, opened, tmp_path):
    here, there = scored(opened, data, "here.db"), scored(opened, data, "there.db")
    set_score(there.store, 5, 0.125)
    mine = get_score(here.store, 5)
    (result,) = merge(here, [tmp_path / "there.db"])
    assert get_score(here.store, 5) == mine
    assert result.tables["scores"].conflicts == 1
    assert "what is here stays, unless it is a failure" in result.to_dict()["rule"]


def test_a_value_takes_the_place_of_a_failure(data, opened, tmp_path):
    here, there = scored(opened, data, "here.db"), scored(opened, data, "there.db")
    set_score(here.store, 5, None, "it failed")
    (result,) = merge(here, [tmp_path / "there.db"])
    assert get_score(here.store, 5) == get_score(there.store, 5)
    assert result.tables["scores"].replaced == 1
    assert check(tmp_path / "here.db").sound


def test_a_failure_takes_the_place_of_nothing_but_is_known(data, opened, tmp_path):
    here, there = scored(opened, data, "here.db"), scored(opened, data, "there.db")
    for content in (5, 6):
        set_score(there.store, content, None, "it failed")
    mine = get_score(here.store, 5)
    with here.store.writing() as connection:
        connection.execute(delete(Score).where(Score.content_id == 6))
    merge(here, [tmp_path / "there.db"])
    assert get_score(here.store, 5) == mine
    assert get_score(here.store, 6) == (None, "it failed")


def test_damaged_rows_are_not_taken_and_told(data, opened, tmp_path):
    scored(opened, data, "there.db")
    with closing(sqlite3.connect(tmp_path / "there.db")) as connection, connection:
        connection.execute("UPDATE scores SET value = value + 1 WHERE content_id = 5")
    here = opened("here.db")
    (result,) = merge(here, [tmp_path / "there.db"])
    assert result.tables["scores"].damaged == 1
    assert any("ig4 db check --db" in note for note in result.notes)
    with here.store.reading() as connection:
        assert connection.scalar(select(func.count()).where(Score.content_id == 5)) == 0


def test_a_name_that_is_taken_stays_and_is_told(harbour, opened, data, tmp_path):
    here = opened("here.db")
    dataset = ingest(here, DatasetSource(harbour_data(harbour), name="harbour")).dataset
    (tmp_path / "own.csv").write_text(
        "id,gpt\n" + "".join(f"harbour-{n:03d},{n}\n" for n in range(N))
    )
    import_scores(here, dataset, ScoreColumn(tmp_path / "own.csv", "gpt", "gpt"))
    (result,) = merge(here, [harbour / "ig4.db"])
    assert result.conflicts == [
        "scorer gpt of harbour stands for other options, or another file, there"
    ]
    assert values_of(here.store, "gpt")["harbour-007"] == 7


def test_another_data_set_of_the_same_name_is_left_alone(shards, opened, tmp_path):
    here = opened("here.db")
    write_other(tmp_path / "own.json")
    ingest(here, DatasetSource(tmp_path / "own.json", name="harbour"))
    (result,) = merge(here, shards[:1], take_datasets=True)
    assert result.datasets == {"harbour": "left out: another data set here has its name"}
    with here.store.reading() as connection:
        assert datasets.count_samples(connection, 1) == 1


def test_damaged_samples_are_left_out_with_what_refers_to_them_and_read_again(
    data, opened, tmp_path, location
):
    there = scored(opened, data, "there.db")
    with there.store.writing() as connection:
        pins.put(connection, there.dataset("harbour").id, [3, 4], keep=True, note="mine")
    with closing(sqlite3.connect(tmp_path / "there.db")) as connection, connection:
        connection.execute("UPDATE samples SET answer = 'forged' WHERE id = 3")
    with planning_store(location) as planned:
        session = Session(planned, Host.discover(), [])
        plan = merge(session, [tmp_path / "there.db"], dry_run=True)
    here = opened(location)
    (result,) = merge(here, [tmp_path / "there.db"])
    tally = result.tables["samples"]
    assert (tally.taken, tally.damaged) == (N - 1, 1)
    assert plan[0].to_dict()["tables"] == result.to_dict()["tables"]
    assert any("1 of the samples of harbour do not hold" in note for note in result.notes)
    assert result.tables["pins"].taken == 1
    assert check(location).sound
    assert merge(here, [tmp_path / "there.db"])[0].total("changes") == 0
    ingest(here, DatasetSource(data, name="harbour"))
    assert len(values(here.store)) == N
    assert check(location).sound


def test_a_damaged_pin_is_counted_once(data, opened, tmp_path):
    there = scored(opened, data, "there.db")
    with there.store.writing() as connection:
        pins.put(connection, there.dataset("harbour").id, [3, 4], keep=True, note="mine")
    with closing(sqlite3.connect(tmp_path / "there.db")) as connection, connection:
        connection.execute("UPDATE pins SET note = 'forged' WHERE sample_id = 3")
    tally = merge(opened("here.db"), [tmp_path / "there.db"])[0].tables["pins"]
    assert (tally.taken, tally.damaged, tally.left_out) == (1, 1, 0)
