"""Merges: what several databases have computed comes together, and is computed by none again."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import delete, func, insert, select, text, update

from ig4.core.calls.worker import this_process
from ig4.core.engine.checking import check
from ig4.core.engine.grouping.cluster import ClusterRequest, cluster
from ig4.core.engine.ingesting.imports import ScoreColumn, import_scores
from ig4.core.engine.ingesting.ingest import DatasetSource, ingest
from ig4.core.engine.ingesting.vectors import VectorSource, import_vectors
from ig4.core.engine.joining import merge as joining
from ig4.core.engine.joining.merge import merge
from ig4.core.engine.planningstore import planning_store
from ig4.core.engine.pooling.spaces import space_vectors
from ig4.core.engine.scoring.estimate import estimate
from ig4.core.engine.scoring.plan import ScoreRequest
from ig4.core.engine.scoring.score import score
from ig4.core.engine.selecting.candidates import SelectionRequest
from ig4.core.engine.selecting.select import select as choose
from ig4.core.engine.session import Session
from ig4.core.errors import UsageError
from ig4.core.host.host import Host
from ig4.core.records import Choice
from ig4.storage import calls, datasets, pins, samples, selectionnames, workers
from ig4.storage.calls import CallOutcome
from ig4.storage.errors import DatabaseMissingError, SchemaVersionError, StorageError
from ig4.storage.integrity.checksums import of_score
from ig4.storage.schema import (
    Base,
    Clustering,
    Component,
    Content,
    DatasetScorer,
    Embedding,
    ImageFile,
    Pin,
    Run,
    Score,
    ScoreDetails,
    Selection,
    SelectionName,
)
from ig4.storage.store import Store
from ig4.storage.transfer.rows import TableDigest, read_rows
from ig4.storage.transfer.source import open_source

from ....harbour import N, write_data
from ....storage.conftest import database

LENGTH = ScoreRequest([Choice("scorer", "length")], spaces=[Choice("embedder", "phash")])


@pytest.fixture
def data(tmp_path):
    return write_data(tmp_path / "data")


@pytest.fixture
def opened(tmp_path):
    """Open a session on a database in the test's folder, by its name, or on a given one."""
    stores = []

    def open_one(where) -> Session:
        place = where if "://" in str(where) else tmp_path / where
        stores.append(Store.open(place))
        return Session(stores[-1], Host.discover(), [])

    yield open_one
    for one in stores:
        one.close()


@pytest.fixture
def server(postgres, template):
    """The URL of an empty PostgreSQL database."""
    with database(postgres, template) as url:
        yield url


@pytest.fixture
def shards(data, opened, tmp_path):
    """Three databases of one data set, each with the results of every third sample."""
    paths = []
    for shard in range(3):
        session = opened(f"shard-{shard}.db")
        dataset = ingest(session, DatasetSource(data, name="harbour")).dataset
        score(session, dataset, LENGTH)
        with session.store.writing() as connection:
            connection.execute(delete(Score).where(Score.content_id % 3 != shard))
            connection.execute(delete(Embedding).where(Embedding.image_id % 3 != shard))
        paths.append(tmp_path / f"shard-{shard}.db")
    return paths


def write_other(path):
    """Write a data set of one sample, which is like none of the others."""
    turns = [{"from": "human", "value": "q"}, {"from": "gpt", "value": "other"}]
    path.write_text(json.dumps([{"id": "a", "conversations": turns}]))


def rows_of(place, *, without=("runs",)) -> dict[str, tuple[int, str]]:
    found = {}
    with open_source(place) as source:
        for table in Base.metadata.sorted_tables:
            digest = TableDigest()
            for rows in read_rows(source.connection, table):
                digest.add(rows)
            found[table.name] = digest.rows, digest.value
    return {name: one for name, one in found.items() if name not in without}


def values(store) -> dict[str, float]:
    with store.reading() as connection:
        rows = connection.execute(text("SELECT external_id, value FROM scores_long"))
        return dict(rows.all())


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


def set_score(store, content, value, error=None):
    with store.writing() as connection:
        component = connection.scalar(
            select(Component.id).where(Component.kind == "scorer", Component.name == "length")
        )
        where = (Score.component_id == component, Score.content_id == content)
        crc = of_score(component, content, value, error)
        changed = update(Score).where(*where).values(value=value, error=error, crc=crc)
        assert connection.execute(changed).rowcount == 1


def get_score(store, content):
    with store.reading() as connection:
        return connection.execute(
            select(Score.value, Score.error)
            .join(Component, Component.id == Score.component_id)
            .where(Score.content_id == content, Component.name == "length")
        ).one()


def scored(opened, data, name):
    session = opened(name)
    score(session, ingest(session, DatasetSource(data, name="harbour")).dataset, LENGTH)
    return session


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


def test_imported_scores_names_selections_and_pins_come_over(harbour, opened, tmp_path):
    there = opened("harbour/ig4.db")
    dataset = there.dataset("harbour")
    with there.store.writing() as connection:
        selectionnames.put(connection, 2, "best", "a note")
        pins.put(connection, dataset.id, [3, 4], keep=True, note="mine")
    here = opened("here.db")
    merge(here, [harbour / "ig4.db"])
    request = SelectionRequest(
        size=12, scorers=("gpt", "look"), weights={"gpt": 0.7, "look": 0.3}, seed=5
    )
    own = choose(here, here.dataset("harbour"), request)
    assert own.id in (1, 5)
    with here.store.reading() as connection:
        assert connection.scalars(select(SelectionName.name)).all() == ["best"]
        assert connection.scalars(select(Pin.note)).all() == ["mine", "mine"]
        assert connection.scalar(select(func.count()).select_from(Clustering)) == 1
        assert set(connection.scalars(select(DatasetScorer.name))) == {"gpt", "look", "length"}
        wide = text("SELECT count(*) FROM selections_wide WHERE selection = 'best'")
        assert connection.scalar(wide) == 10
    assert check(tmp_path / "here.db").sound


def test_selections_find_their_samples_where_numbers_differ(harbour, opened, tmp_path, location):
    there = opened("harbour/ig4.db")
    write_other(tmp_path / "first.json")
    here = opened(location)
    ingest(here, DatasetSource(tmp_path / "first.json", name="first"))
    (result,) = merge(here, [harbour / "ig4.db"], take_datasets=True)
    query = text("SELECT rank, external_id, final_score, cluster FROM selections_wide "
                 "WHERE selection_id = :n ORDER BY rank")  # fmt: skip
    with there.store.reading() as before, here.store.reading() as after:
        first = before.execute(query, {"n": 1}).all()
        number = after.scalar(select(func.min(Selection.id)))
        assert after.execute(query, {"n": number}).all() == first
        assert len(first) == 12
    assert check(location).sound
    assert any("computed anew" in note for note in result.notes) is False  # they were imported
    before = rows_of(location)
    (again,) = merge(here, [harbour / "ig4.db"], take_datasets=True)
    assert again.total("changes") == 0
    assert rows_of(location) == before


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


def harbour_data(harbour):
    with open_source(harbour / "ig4.db") as source:
        return Path(datasets.list_all(source.connection)[0].path)


def values_of(store, name):
    with store.reading() as connection:
        rows = connection.execute(text(f'SELECT external_id, "{name}" FROM scores_wide'))
        return dict(rows.all())


def test_a_data_set_that_is_not_here_is_left_out_unless_asked_for(shards, opened, tmp_path):
    here = opened("here.db")
    write_other(tmp_path / "own.json")
    ingest(here, DatasetSource(tmp_path / "own.json", name="own"))
    (result,) = merge(here, shards[:1])
    assert result.datasets == {"harbour": "left out: it is not here (--datasets takes it over)"}
    (result,) = merge(here, shards[:1], take_datasets=True)
    assert result.datasets == {"harbour": "harbour (taken over)"}
    with here.store.reading() as connection:
        assert [row.name for row in datasets.list_all(connection)] == ["own", "harbour"]
    assert check(tmp_path / "here.db").sound


def test_another_data_set_of_the_same_name_is_left_alone(shards, opened, tmp_path):
    here = opened("here.db")
    write_other(tmp_path / "own.json")
    ingest(here, DatasetSource(tmp_path / "own.json", name="harbour"))
    (result,) = merge(here, shards[:1], take_datasets=True)
    assert result.datasets == {"harbour": "left out: another data set here has its name"}
    with here.store.reading() as connection:
        assert datasets.count_samples(connection, 1) == 1


def test_a_plan_writes_nothing_and_tells_the_same(shards, opened, tmp_path):
    here = tmp_path / "here.db"
    with planning_store(here) as planned:
        plan = merge(Session(planned, Host.discover(), []), shards[:1], dry_run=True)
    assert not here.exists()
    done = merge(opened("here.db"), shards[:1])
    assert plan[0].to_dict()["tables"] == done[0].to_dict()["tables"]
    before = here.read_bytes()
    with planning_store(here) as planned:
        merge(Session(planned, Host.discover(), []), shards, dry_run=True)
    assert here.read_bytes() == before


def test_an_older_or_newer_database_says_what_to_run(shards, opened):
    here = opened("here.db")
    for version, said in (("0012", "ig4 db upgrade --db"), ("9999", "pip install --upgrade ig4")):
        with closing(sqlite3.connect(shards[0])) as connection, connection:
            connection.execute("UPDATE alembic_version SET version_num = ?", [version])
        with pytest.raises(SchemaVersionError, match=said):
            merge(here, shards[:1])


def test_a_database_is_not_merged_into_itself(shards, opened, tmp_path):
    session = opened("shard-0.db")
    (tmp_path / "link.db").symlink_to(shards[0])
    with pytest.raises(StorageError, match="is the database itself"):
        merge(session, [tmp_path / "link.db"])


def test_a_database_that_is_not_there_is_told_before_anything(shards, opened, tmp_path):
    here = opened("here.db")
    with pytest.raises(DatabaseMissingError):
        merge(here, [shards[0], tmp_path / "none.db"])
    with here.store.reading() as connection:
        assert connection.scalar(select(func.count()).select_from(Content)) == 0


def test_a_database_is_named_once(shards, opened):
    with pytest.raises(UsageError, match="is named twice"):
        merge(opened("here.db"), [shards[0], shards[0]])


def test_vector_files_come_along(harbour, opened, tmp_path):
    merge(opened("here.db"), [harbour / "ig4.db"])
    there = {path.name: path.read_bytes() for path in (harbour / "ig4-vectors").iterdir()}
    assert {p.name: p.read_bytes() for p in (tmp_path / "here-vectors").iterdir()} == there


@pytest.mark.slow
def test_a_merge_that_is_killed_is_completed_by_the_next(shards, data, opened, location):
    with Store.open(shards[0]) as big, big.writing() as connection:
        component = connection.scalar(select(Component.id).where(Component.name == "length"))
        high = connection.scalar(select(func.max(Content.id)))
        numbers = range(high + 1, high + 200_001)
        connection.execute(insert(Content), [{"hash": f"{n:064x}"} for n in numbers])
        connection.execute(insert(Score), [
            {"component_id": component, "content_id": n, "value": 1.0 * n,
             "crc": of_score(component, n, 1.0 * n, None)} for n in numbers
        ])  # fmt: skip
    script = (
        "import sys\n"
        "from ig4.core.engine.session import Session\n"
        "from ig4.core.engine.joining.merge import merge\n"
        "from ig4.core.host.host import Host\n"
        "from ig4.storage.store import Store\n"
        "with Store.open(sys.argv[1]) as store:\n"
        "    print('go', flush=True)\n"
        "    merge(Session(store, Host.discover(), []), sys.argv[2:])\n"
    )
    kills = 0
    for pause in (0.2, 0.5, 1.0, 1.5, 2.0):
        command = [sys.executable, "-c", script, location, *map(str, shards)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        process.stdout.readline()
        time.sleep(pause)
        kills += process.poll() is None
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert kills >= 2
    session = opened(location)
    merge(session, shards)
    with session.store.reading() as connection:
        assert connection.scalar(select(func.count()).select_from(Score)) >= 200_000 + N - 3
    dataset = ingest(session, DatasetSource(data, name="harbour")).dataset
    assert sum(estimate(session, dataset, LENGTH).calls.values()) == 0
    assert check(location).sound


def embedded(folder, opened):
    """Make a database whose data set contains its image; return the place of the image."""
    there = opened(folder)
    picture = b"not really a picture"
    digest = hashlib.sha256(picture).hexdigest()
    place = there.store.image_folder / digest[:2] / digest
    place.parent.mkdir(parents=True)
    place.write_bytes(picture)
    write_other(place.parents[2] / "other.json")
    dataset = ingest(there, DatasetSource(place.parents[2] / "other.json", name="inside")).dataset
    values = {"dataset_id": dataset.id, "name": f"sha256:{digest}", "embedded": True}
    with there.store.writing() as connection:
        connection.execute(insert(ImageFile).values(values | {"path": str(place)}))
    return place


def image_path(store):
    with store.reading() as connection:
        return connection.scalar(select(ImageFile.path).where(ImageFile.embedded.is_(True)))


def test_images_inside_a_data_set_come_with_it(opened, tmp_path):
    place = embedded("there.db", opened)
    here = opened("here.db")
    merge(here, [tmp_path / "there.db"])
    copied = tmp_path / "here-images" / place.parent.name / place.name
    assert copied.read_bytes() == place.read_bytes()
    assert image_path(here.store) == str(copied)


@pytest.mark.parametrize("place", ["../secret", "ab/../../secret"])
def test_a_path_that_leads_out_of_the_images_is_not_copied(opened, tmp_path, place):
    folder = embedded("there.db", opened).parents[1]
    (tmp_path / "secret").write_text("secret")
    with closing(sqlite3.connect(tmp_path / "there.db")) as connection, connection:
        connection.execute("UPDATE image_files SET path = ?", [f"{folder}/{place}"])
    before = sorted(path for path in tmp_path.rglob("*") if path.is_file())
    merge(opened("here.db"), [tmp_path / "there.db"])
    after = sorted(path for path in tmp_path.rglob("*") if path.is_file())
    assert {path.name.partition(".")[0] for path in set(after) - set(before)} == {"here"}


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


def space_of(session, dataset, name):
    """Return the vector of each sample in a space, in the order of the data set."""
    with session.store.reading() as connection:
        sample_ids, contents = samples.ordered_ids(connection, dataset.id)
    found = space_vectors(session, dataset, name, {}, sample_ids, contents)
    return found.matrix()


def ids_of(session, selection):
    """Return the ids of the samples of a selection, best first."""
    with session.store.reading() as connection:
        rows = text("SELECT external_id FROM selections_wide WHERE selection_id = :n ORDER BY rank")
        return connection.scalars(rows, {"n": selection}).all()


def test_a_mixture_comes_over_with_its_parts(data, opened, tmp_path):
    write_other(tmp_path / "other.json")
    there = opened("there.db")
    ingest(there, DatasetSource(data, name="harbour"))
    ingest(there, DatasetSource(tmp_path / "other.json", name="other"))
    mixture = there.dataset("harbour,other")
    score(there, mixture, LENGTH)
    chosen = choose(there, mixture, SelectionRequest(size=6, selector=Choice("selector", "topk")))
    here = opened("here.db")
    (result,) = merge(here, [tmp_path / "there.db"])
    assert result.datasets["harbour+other"] == "harbour+other (taken over)"
    taken = here.dataset("harbour,other")
    assert sum(estimate(here, taken, LENGTH).calls.values()) == 0
    again = choose(here, taken, SelectionRequest(size=6, selector=Choice("selector", "topk")))
    assert ids_of(here, again.id) == ids_of(there, chosen.id)
    assert merge(here, [tmp_path / "there.db"])[0].total("changes") == 0
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


@pytest.mark.slow
@pytest.mark.postgres
def test_several_merges_into_one_server_at_a_time_take_everything_once(
    shards, data, opened, server
):
    script = (
        "import sys\n"
        "from ig4.core.engine.session import Session\n"
        "from ig4.core.engine.joining.merge import merge\n"
        "from ig4.core.host.host import Host\n"
        "from ig4.storage.store import Store\n"
        "sys.stdin.readline()\n"
        "with Store.open(sys.argv[1]) as store:\n"
        "    merge(Session(store, Host.discover(), []), sys.argv[2:], take_datasets=True)\n"
    )
    others = [[shards[0], shards[1]], [shards[1], shards[2]], [shards[2], shards[0]]]
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", script, server, *map(str, paths)],
            stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for paths in others
    ]  # fmt: skip
    time.sleep(3)  # all of them have imported what they need
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    errors = [process.communicate(timeout=120)[1] for process in processes]
    for process, error in zip(processes, errors, strict=True):
        # One of several that take the same data set is told to run again.
        assert process.returncode == 0 or "run the same command again" in error, error
    session = opened(server)
    merge(session, shards)
    dataset = ingest(session, DatasetSource(data, name="harbour")).dataset
    assert sum(estimate(session, dataset, LENGTH).calls.values()) == 0
    assert check(server).sound
    with session.store.reading() as connection:
        scoring = select(func.count()).select_from(Run).where(Run.command == "score")
        assert connection.scalar(scoring) == 3


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


KILLED = """
import os, sys
from ig4.core.engine.joining import merge as joining
from ig4.core.engine.joining.merge import merge
from ig4.core.engine.session import Session
from ig4.core.host.host import Host
from ig4.storage.store import Store
with Store.open(sys.argv[1]) as store:
    insertion, views = "INSERT INTO dataset_scorers", "scores_wide"
    from sqlalchemy import event
    bound = []

    @event.listens_for(store.engine, "before_cursor_execute")
    def look(connection, cursor, statement, *rest):
        if bound and views in statement:
            os._exit(9)
        bound.extend([1] if insertion in statement else [])

    merge(Session(store, Host.discover(), []), sys.argv[2:])
"""


def test_a_merge_killed_before_the_views_are_new_is_completed_by_the_next(
    data, opened, tmp_path, location
):
    scored(opened, data, "there.db")
    session = opened(location)
    ingest(session, DatasetSource(data, name="harbour"))
    command = [sys.executable, "-c", KILLED, location, str(tmp_path / "there.db")]
    assert subprocess.run(command, check=False).returncode == 9
    merge(session, [tmp_path / "there.db"])
    assert values_of(session.store, "length") == values(session.store)


def test_a_plan_counts_on_a_server_what_would_be_new(harbour, opened, location):
    here = opened(location)
    with planning_store(location) as planned:
        plan = merge(Session(planned, Host.discover(), []), [harbour / "ig4.db"], dry_run=True)
    done = merge(here, [harbour / "ig4.db"])
    assert plan[0].to_dict()["tables"] == done[0].to_dict()["tables"]
    assert plan[0].total("taken") > N


def test_a_plan_counts_on_a_server_what_a_known_data_set_would_get(
    harbour, opened, location, tmp_path
):
    here = opened(location)
    ingest(here, DatasetSource(harbour_data(harbour), name="harbour"))
    write_other(tmp_path / "own.json")
    ingest(here, DatasetSource(tmp_path / "own.json", name="own"))
    with planning_store(location) as planned:
        plan = merge(Session(planned, Host.discover(), []), [harbour / "ig4.db"], dry_run=True)
    done = merge(here, [harbour / "ig4.db"])
    assert plan[0].to_dict()["tables"] == done[0].to_dict()["tables"]


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


@pytest.mark.parametrize("shared", [1, N - 1])
def test_imported_scores_come_where_most_samples_are_the_same(data, opened, tmp_path, shared):
    records = json.loads(data.read_text())
    for one in records[shared:]:
        one["conversations"][1]["value"] += " otherwise"
    (data.parent / "theirs.json").write_text(json.dumps(records))
    there, here = opened("there.db"), opened("here.db")
    theirs = ingest(there, DatasetSource(data.parent / "theirs.json", name="data")).dataset
    (tmp_path / "own.csv").write_text(
        "id,length\n" + "".join(f"harbour-{n:03d},{n}\n" for n in range(N))
    )
    import_scores(there, theirs, ScoreColumn(tmp_path / "own.csv", "length", "length"))
    own = ingest(here, DatasetSource(data, name="data")).dataset
    (result,) = merge(here, [tmp_path / "there.db"])
    named = result.tables["dataset_scorers"]
    if shared > 1:
        assert (named.taken, named.conflicts) == (1, 0)
        return
    assert (named.taken, named.conflicts) == (0, 1)
    assert "no more than half of their samples are the same" in result.conflicts[0]
    assert score(here, own, LENGTH).done["length"] >= N - 3  # some samples are alike


def test_an_interrupted_merge_into_a_new_database_takes_the_other_data_sets_when_it_is_repeated(
    opened, data, tmp_path, monkeypatch
):
    write_other(tmp_path / "other.json")
    for name, path in (("one", data), ("two", tmp_path / "other.json")):
        ingest(opened(f"{name}.db"), DatasetSource(path, name=name))
    session, others = opened("all.db"), [tmp_path / "one.db", tmp_path / "two.db"]
    take, done = joining._merge_one, []

    def only_one(*given, **options):
        if done:
            raise KeyboardInterrupt
        done.append(take(*given, **options))

    with monkeypatch.context() as patch:
        patch.setattr(joining, "_merge_one", only_one)
        with pytest.raises(KeyboardInterrupt):
            merge(session, others)
    session.run_id = None
    second = merge(session, others)[1]
    assert second.datasets == {"two": "two (taken over)"}
    third = tmp_path / "third.json"
    third.write_text((tmp_path / "other.json").read_text().replace("other", "third"))
    ingest(opened("one.db"), DatasetSource(third, name="three"))
    session.run_id = None
    assert "--datasets" in merge(session, others)[0].datasets["three"]
