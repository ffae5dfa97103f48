"""Merges: what several databases have computed comes together, and is computed by none again."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import numpy as np
import pytest
from sqlalchemy import delete, func, select

from ig4.core.calls.worker import this_process
from ig4.core.engine.checking import check
from ig4.core.engine.grouping.cluster import ClusterRequest, cluster
from ig4.core.engine.ingesting.ingest import DatasetSource, ingest
from ig4.core.engine.ingesting.vectors import VectorSource, import_vectors
from ig4.core.engine.joining.merge import merge
from ig4.core.engine.scoring.estimate import estimate
from ig4.core.engine.scoring.plan import ScoreRequest
from ig4.core.engine.scoring.score import score
from ig4.core.records import Choice
from ig4.storage import calls, workers
from ig4.storage.calls import CallOutcome
from ig4.storage.schema import Content, Run, Score, ScoreDetails

from ....harbour import N
from .databases import LENGTH, rows_of, scored, space_of, values, write_other


def test_what_shards_have_scored_is_whole_together(shards, data, opened, location):
    session = opened(location)
    merge(session, shards)
    whole = opened("whole.db")
    score(whole, ingest(whole, DatasetSource(data, name="harbour")).dataset, LENGTH)
    assert values(session.store) == values(whole.store)
    assert len(values(session.store)) == N


def test_nothing_is_computed_after_a_merge(shards, data, opened, location):
    session = opened(location)
    merge(session, shards)
    dataset = ingest(session, DatasetSource(data, name="harbour")).dataset
    assert sum(estimate(session, dataset, LENGTH).calls.values()) == 0
    before = rows_of(location)
    done = score(session, dataset, LENGTH)
    assert sum(done.done.values()) == done.embedded == 0
    assert session.speeds == {}
    assert rows_of(location) == before


def test_a_merged_database_is_sound(shards, opened, location):
    merge(opened(location), shards)
    report = check(location)
    assert report.sound, report.damage
    assert report.verified["scores"] > N - 3


def test_merging_twice_changes_nothing(shards, opened, location):
    session = opened(location)
    merge(session, shards)
    before = rows_of(location)
    again = merge(session, shards)
    assert [one.total("changes") for one in again] == [0, 0, 0]
    assert rows_of(location) == before


def test_the_others_are_not_written_to(shards, opened, tmp_path):
    for path in shards:
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    before = [path.read_bytes() for path in shards]
    merge(opened("all.db"), shards)
    assert [path.read_bytes() for path in shards] == before


def test_scores_find_their_samples_where_numbers_differ(shards, data, opened, tmp_path, location):
    write_other(tmp_path / "first.json")
    session = opened(location)
    ingest(session, DatasetSource(tmp_path / "first.json", name="first"))
    dataset = ingest(session, DatasetSource(data, name="mine")).dataset
    merge(session, shards)
    assert sum(estimate(session, dataset, LENGTH).calls.values()) == 0
    expected = opened("whole.db")
    score(expected, ingest(expected, DatasetSource(data, name="mine")).dataset, LENGTH)
    assert values(session.store) == values(expected.store)
    assert check(location).sound


def test_the_runs_that_results_come_from_are_told(shards, opened):
    session = opened("all.db")
    merge(session, shards)
    with session.store.reading() as connection:
        commands = connection.scalars(
            select(Run.command).join(Score, Score.run_id == Run.id).distinct()
        ).all()
        assert commands == ["score"]
        assert connection.scalar(select(func.count()).where(Run.command == "score")) == 3
        assert connection.scalar(
            select(func.count()).where(Run.dataset_id.is_(None), Run.command == "score")
        ) == 0  # fmt: skip


def test_details_come_with_their_scores(data, opened, tmp_path):
    scored(opened, data, "there.db")
    with closing(sqlite3.connect(tmp_path / "there.db")) as connection, connection:
        connection.execute(
            "INSERT INTO score_details SELECT component_id, content_id, '{\"n\": 1}', NULL "
            "FROM scores WHERE content_id < 10"
        )
    here = opened("here.db")
    merge(here, [tmp_path / "there.db"])
    with here.store.reading() as connection:
        found = connection.scalars(select(ScoreDetails.details)).all()
    assert found == ['{"n": 1}'] * 9
    assert check(tmp_path / "here.db").sound


def test_vector_files_come_along(harbour, opened, tmp_path):
    merge(opened("here.db"), [harbour / "ig4.db"])
    there = {path.name: path.read_bytes() for path in (harbour / "ig4-vectors").iterdir()}
    assert {p.name: p.read_bytes() for p in (tmp_path / "here-vectors").iterdir()} == there


def test_what_looks_at_all_samples_is_known_again_in_an_empty_database(data, opened, tmp_path):
    there = scored(opened, data, "there.db")
    pool = ScoreRequest([Choice("scorer", "given-again")])
    kmeans = ClusterRequest(
        Choice("clusterer", "kmeans"), Choice("embedder", "phash"), k=3, seed=1, space="phash"
    )
    own = there.dataset("harbour")
    assert score(there, own, pool).done["given-again"] > 0
    assert not cluster(there, own, kmeans).reused
    here = opened("here.db")
    merge(here, [tmp_path / "there.db"])
    taken = here.dataset("harbour")
    assert score(here, taken, pool).done == {"given-again": 0}
    assert cluster(here, taken, kmeans).reused


def test_a_server_gives_what_it_has_to_a_file(data, opened, location, tmp_path):
    session = opened(location if "://" in location else "source.db")
    score(session, ingest(session, DatasetSource(data, name="harbour")).dataset, LENGTH)
    here = opened("mine.db")
    merge(here, [session.store.engine.url.render_as_string(hide_password=False)])
    assert values(here.store) == values(session.store)
    assert check(tmp_path / "mine.db").sound
    assert sum(estimate(here, here.dataset("harbour"), LENGTH).calls.values()) == 0


@pytest.mark.slow
def test_vectors_of_texts_and_imported_ones_come_over(data, opened, tmp_path):
    pytest.importorskip("open_clip")
    there = opened("there.db")
    dataset = ingest(there, DatasetSource(data, name="harbour")).dataset
    options = {"model": "ig4-tiny", "reads": "answer"}
    texts = ScoreRequest([], spaces=[Choice("embedder", "clip", options, "clip-answer")])
    score(there, dataset, texts)
    matrix = np.random.default_rng(0).normal(size=(N, 4)).astype(np.float32)
    np.save(tmp_path / "mine.npy", matrix)
    import_vectors(there, dataset, VectorSource(tmp_path / "mine.npy", "mine"))
    write_other(tmp_path / "first.json")
    here = opened("here.db")
    ingest(here, DatasetSource(tmp_path / "first.json", name="first"))
    merge(here, [tmp_path / "there.db"], take_datasets=True)
    taken = here.dataset("harbour")
    assert score(here, taken, texts).embedded == 0
    for name in ("clip-answer", "mine"):
        found = [space_of(session, own, name) for session, own in ((there, dataset), (here, taken))]
        assert np.array_equal(*found)
        assert np.isfinite(found[0]).any()
    assert check(tmp_path / "here.db").sound


def test_speeds_that_others_have_measured_tell_of_what_is_left(data, opened, tmp_path):
    scored(opened, data, "there.db")
    here = opened("here.db")
    merge(here, [tmp_path / "there.db"])
    with here.store.writing() as connection:
        connection.execute(delete(Score).where(Score.content_id > 40))
    found = estimate(here, here.dataset("harbour"), LENGTH)
    assert found.calls["length"] == 39
    assert found.seconds["length"] > 0


def test_a_reply_there_serves_where_a_process_ended_that_had_asked_for_it(opened, tmp_path):
    row = {"request_hash": "a" * 64, "provider": "test", "model": "m", "component_id": None,
           "run_id": None}  # fmt: skip
    here, there = opened("here.db"), opened("there.db")
    with here.store.writing() as connection:
        own = this_process()
        workers.record_heartbeat(connection, "dead", own.host, 2**22 + 1, "then", 1)
        calls.claim(connection, "dead", [row, row | {"request_hash": "b" * 64}])
    with there.store.writing() as connection:
        calls.claim(connection, "w", [row])
        calls.record(connection, [CallOutcome("a" * 64, calls.DONE, "87", cost=0.5)])
    merge(here, [tmp_path / "there.db"])
    with here.store.reading() as connection:
        assert calls.lookup(connection, ["a" * 64, "b" * 64])["a" * 64].reply == "87"
        assert calls.lookup(connection, ["b" * 64]) == {}
        assert workers.list_all(connection) == []


def test_an_id_far_from_the_others_needs_no_room_between(data, opened, location, tmp_path):
    scored(opened, data, "there.db")
    with closing(sqlite3.connect(tmp_path / "there.db")) as connection, connection:
        connection.execute("INSERT INTO contents (id, hash) VALUES (1000000000000, 'far')")
        connection.execute(
            "INSERT INTO images (id, sha256, bytes) VALUES (1000000000000, 'far', 1)"
        )
    here = opened(location)
    merge(here, [tmp_path / "there.db"])
    assert len(values(here.store)) == N
    with here.store.reading() as connection:
        assert connection.scalar(select(Content.hash).order_by(Content.id.desc()).limit(1)) == "far"
