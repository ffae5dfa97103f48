"""Pool scorers through the engine: computed of all samples together, stored with their pool."""

from __future__ import annotations

import hashlib
import sqlite3
from dataclasses import replace

import numpy as np
import pytest
from sqlalchemy import text
from sqlalchemy.event import listen as listen_to

from ig4.core.engine.ingesting.imports import import_clusters
from ig4.core.engine.pooling.poolscores import POOL, stale_notice
from ig4.core.engine.pooling.settings import PoolSettings
from ig4.core.engine.scoring.columns import drop_column
from ig4.core.engine.scoring.estimate import estimate
from ig4.core.engine.scoring.plan import ScoreRequest
from ig4.core.engine.scoring.score import score
from ig4.core.engine.selecting.candidates import SelectionRequest
from ig4.core.engine.selecting.select import select
from ig4.core.errors import UsageError
from ig4.core.events import Notice, StageStarted
from ig4.core.host.fingerprint import digest_of
from ig4.core.records import Choice
from ig4.storage import samples, scorecolumns, scores

from ...conftest import record

AGAIN = Choice("scorer", "given-again")
DENSE = Choice("scorer", "density", {"space": "text", "k": 3})


def values(session, dataset, name):
    """Return the values of a column by external id."""
    with session.store.reading() as connection:
        (column,) = [
            row for row in scorecolumns.list_all(connection, dataset.id) if row.name == name
        ]
        ids, contents = samples.ordered_ids(connection, dataset.id)
        found = scores.values(connection, column.component_id, contents)
        names = samples.external_ids(connection, ids.tolist())
    return {names[id_]: value for id_, value in zip(ids.tolist(), found.tolist(), strict=True)}


def column_of(session, dataset, name):
    with session.store.reading() as connection:
        rows = {row.name: row for row in scorecolumns.list_all(connection, dataset.id)}
    return rows[name]


LONG = "a red bus waits by the river under a tree in the evening light"
RECORDS = [
    record("a", LONG), record("b", LONG + "!"), record("c", "yes"), record("d", "yes."),
    record("e", "a plate of soup on a wooden table near the market"),
]  # fmt: skip


@pytest.fixture
def dataset(folder, read):
    folder.write(*RECORDS)
    return read().dataset


def test_a_pool_scorer_rates_all_samples_together(session, dataset):
    done = score(session, dataset, ScoreRequest((AGAIN,)))
    assert done.done == {"given-again": 5}
    found = values(session, dataset, "given-again")
    assert found["a"] == found["b"] > 0.4
    assert found["c"] == found["d"] == found["e"] == 0


def test_nothing_is_computed_twice(session, dataset):
    score(session, dataset, ScoreRequest((AGAIN,)))
    assert score(session, dataset, ScoreRequest((AGAIN,))).done == {"given-again": 0}


def test_the_vectors_that_it_reads_are_made_first(session, dataset):
    done = score(session, dataset, ScoreRequest((DENSE,)))
    assert done.done == {"density": 5}
    assert all(np.isfinite(one) for one in values(session, dataset, "density").values())


def test_a_changed_pool_makes_values_stale_and_that_is_told(session, dataset, folder, read):
    score(session, dataset, ScoreRequest((AGAIN,)))
    column = column_of(session, dataset, "given-again")
    assert column.identity[POOL]
    assert not stale_notice(session, dataset, column, PoolSettings())
    folder.write(*RECORDS, record("f", "something else entirely, for once"))
    read()
    assert stale_notice(session, dataset, column, PoolSettings())
    heard = []
    session.listeners = [*session.listeners, heard.append]
    select(
        session,
        dataset,
        SelectionRequest(size=2, scorers=("given-again",), selector=Choice("selector", "topk")),
    )
    told = [event.text for event in heard if isinstance(event, Notice)]
    assert any("given-again was computed of a pool that has changed since" in one for one in told)


def test_new_samples_without_vectors_make_values_stale(session, dataset, folder, read):
    choice = around("spaces", "letters")
    score(session, dataset, ScoreRequest((choice,)))
    column = column_of(session, dataset, "around")
    folder.write(*RECORDS, record("f", "no", instruction="What is that, again?"))
    dataset = read().dataset
    assert stale_notice(session, dataset, column, PoolSettings()) == (
        "around was computed of a pool that has changed since: `ig4 score --scorers around` "
        "computes it anew"
    )
    assert score(session, dataset, ScoreRequest((choice,))).done == {"around": 6}
    anew = column_of(session, dataset, "around")
    assert stale_notice(session, dataset, anew, PoolSettings()) is None


def test_vectors_that_are_gone_make_no_values_of_the_same_samples_stale(session, dataset):
    score(session, dataset, ScoreRequest((around("spaces", "letters"),)))
    with session.store.writing() as connection:
        connection.execute(text("DELETE FROM input_embeddings"))
    column = column_of(session, dataset, "around")
    assert stale_notice(session, dataset, column, PoolSettings()) is None


def test_what_scoring_cannot_mend_of_a_pool_that_changed_is_told(session, dataset, folder, read):
    score(session, dataset, ScoreRequest((Choice("scorer", "length"),)))
    score(session, dataset, ScoreRequest((around("columns", "length"),)))
    column = column_of(session, dataset, "around")
    drop_column(session, dataset, "length")
    assert stale_notice(session, dataset, column, PoolSettings()) is None
    folder.write(*RECORDS[1:])
    told = stale_notice(session, read().dataset, column, PoolSettings())
    assert told.startswith("around was computed of a pool that has changed since, and cannot")
    assert "run `ig4 score --scorers length`" in told


def test_values_of_a_scorer_that_is_not_installed_any_more_are_not_told(
    session, dataset, folder, read
):
    score(session, dataset, ScoreRequest((around("meta"),)))
    column = replace(column_of(session, dataset, "around"), component="gone")
    folder.write(*RECORDS[1:])
    assert stale_notice(session, read().dataset, column, PoolSettings()) is None


def test_values_of_an_older_pool_are_replaced_and_deleted(session, dataset, folder, read):
    score(session, dataset, ScoreRequest((AGAIN,)))
    old = column_of(session, dataset, "given-again")
    folder.write(*RECORDS, record("f", "no"))
    read()
    assert score(session, dataset, ScoreRequest((AGAIN,))).done == {"given-again": 6}
    new = column_of(session, dataset, "given-again")
    assert new.component_id != old.component_id
    assert not stale_notice(session, dataset, new, PoolSettings())
    with session.store.reading() as connection:
        assert len(scores.scored_ids(connection, old.component_id)) == 0


def test_vectors_that_it_reads_and_are_not_there_are_named(session, dataset, tmp_path):
    checkpoint = tmp_path / "network.safetensors"
    checkpoint.write_bytes(b"")
    choice = Choice("scorer", "authors-selector", {"checkpoint": str(checkpoint)})
    with pytest.raises(UsageError, match=r"`ig4 import-vectors FILE --as authors-image`"):
        score(session, dataset, ScoreRequest((choice,)))


def test_without_any_image_a_space_of_images_leaves_all_samples_without_a_value(
    session, folder, read
):
    folder.write(*[{**one, "image": None} for one in RECORDS])
    texts = {"clip-answer": Choice("embedder", "text", {}, "clip-answer")}
    request = ScoreRequest((Choice("scorer", "own-picture"),), pool=PoolSettings(embedders=texts))
    done = score(session, read().dataset, request)
    assert done.failed["own-picture"] == 5


def around(reads, name=""):
    return Choice("scorer", "around", {"reads": reads, "name": name})


def kmeans_of_texts(k):
    options = {"space": "text", "k": k}
    return PoolSettings(groupers={"clusters": Choice("grouper", "clusters", options, "clusters")})


def computed(session, dataset, choice, pool=PoolSettings()):  # noqa: B008 - it is frozen
    """Return how many samples were scored, and whether the values were stale before."""
    column = column_of(session, dataset, choice.label)
    stale = stale_notice(session, dataset, column, pool) is not None
    return score(session, dataset, ScoreRequest((choice,), pool=pool)).done[choice.label], stale


def started(session):
    """Return the stages that are started from now on, as they come."""
    found = []
    session.listeners = [
        *session.listeners, lambda one: isinstance(one, StageStarted) and found.append(one.stage)
    ]  # fmt: skip
    return found


def test_groups_that_a_pool_scorer_reads_make_its_values_stale_when_they_change(session, dataset):
    score(session, dataset, ScoreRequest((), spaces=[Choice("embedder", "text")]))
    choice, two, three = around("groups", "clusters"), kmeans_of_texts(2), kmeans_of_texts(3)
    score(session, dataset, ScoreRequest((choice,), pool=two))
    assert set(values(session, dataset, "around").values()) == {0, 1}
    assert computed(session, dataset, choice, two) == (0, False)
    stages = started(session)
    assert stale_notice(session, dataset, column_of(session, dataset, "around"), three)
    assert stages == []  # nothing need be made to tell
    assert computed(session, dataset, choice, three) == (5, True)
    assert set(values(session, dataset, "around").values()) == {0, 1, 2}


def clustered(session, dataset, tmp_path, labels):
    file = tmp_path / "clusters.csv"
    file.write_text("id,cluster\n" + "".join(f"{id_},{n}\n" for id_, n in labels.items()))
    import_clusters(session, dataset, file, "mine", replace=True)


def test_a_pool_scorer_sees_the_real_clusters_or_none(session, dataset, tmp_path):
    choice = around("clusters")
    with pytest.raises(UsageError, match=r"set has no clusters yet: run `ig4 cluster`"):
        score(session, dataset, ScoreRequest((choice,)))
    clustered(session, dataset, tmp_path, {"a": 3, "b": 3, "c": 1, "d": 1})
    done = score(session, dataset, ScoreRequest((choice,)))
    found = values(session, dataset, "around")
    assert [found[one] for one in "abcd"] == [3, 3, 1, 1]
    assert (np.isnan(found["e"]), done.failed) == (True, {"around": 1})
    assert computed(session, dataset, choice) == (0, False)
    clustered(session, dataset, tmp_path, {"a": 3, "b": 2, "c": 1, "d": 1})
    assert computed(session, dataset, choice) == (5, True)
    assert values(session, dataset, "around")["b"] == 2


def test_meta_that_a_pool_scorer_reads_makes_its_values_stale_when_it_changes(
    session, folder, read
):
    folder.write(*({**one, "source": "web"} for one in RECORDS))
    dataset, choice = read().dataset, around("meta")
    score(session, dataset, ScoreRequest((choice,)))
    assert computed(session, dataset, choice) == (0, False)
    folder.write(*({**one, "source": "books"} for one in RECORDS))
    assert computed(session, read().dataset, choice) == (5, True)
    assert values(session, dataset, "around")["a"] == 5


def test_an_optional_column_or_space_that_comes_to_be_there_makes_values_stale(session, dataset):
    column, space = around("optional_columns", "length"), around("optional_spaces", "letters")
    space = Choice(space.kind, space.use, space.options, "beside")
    for choice in (column, space):
        score(session, dataset, ScoreRequest((choice,)))
        assert set(values(session, dataset, choice.label).values()) == {0}
        assert computed(session, dataset, choice) == (0, False)
    letters = [Choice("embedder", "letters")]
    score(session, dataset, ScoreRequest((Choice("scorer", "length"),), spaces=letters))
    for choice in (column, space):
        assert computed(session, dataset, choice) == (5, True)
        assert set(values(session, dataset, choice.label).values()) != {0}


def test_a_scorer_that_reads_samples_alone_has_the_digest_that_it_always_had(session, dataset):
    score(session, dataset, ScoreRequest((AGAIN,)))
    with session.store.reading() as connection:
        _, contents = samples.ordered_ids(connection, dataset.id)
    members = hashlib.sha256(np.sort(contents).tobytes()).hexdigest()
    column = column_of(session, dataset, "given-again")
    assert column.identity[POOL] == digest_of([members, [], {"samples": True}])


def test_a_dry_run_counts_all_samples_or_none(session, dataset, folder, read):
    request = ScoreRequest((AGAIN, DENSE))
    expected = {"embedder text": 5, "given-again": 5, "density": 5}
    assert estimate(session, dataset, request).calls == expected
    score(session, dataset, request)
    assert set(estimate(session, dataset, request).calls.values()) == {0}
    folder.write(*RECORDS, record("f", "something else entirely, for once"))
    read()
    told = estimate(session, dataset, request)
    assert told.calls == {"embedder text": 6, "given-again": 6, "density": 6}
    assert told.seconds == dict.fromkeys(told.calls)


def test_a_dry_run_computes_no_vectors(session, dataset):
    estimate(session, dataset, ScoreRequest((DENSE,)))
    assert not list(session.store.vector_folder.glob("*"))


def test_a_dry_run_knows_that_the_space_of_a_pool_scorer_is_to_change(session, dataset):
    score(session, dataset, ScoreRequest((DENSE,)))
    other = Choice("embedder", "text", {"dims": 2})
    request = ScoreRequest((DENSE,), spaces=(other,), pool=PoolSettings({"text": other}))
    expected = {"embedder text": 5, "density": 5}
    assert estimate(session, dataset, request).calls == expected
    score(session, dataset, request)
    assert set(estimate(session, dataset, request).calls.values()) == {0}


@pytest.mark.parametrize("table", ["scores", "dataset_scorers"])
def test_a_database_that_is_locked_at_the_end_costs_nothing_that_was_computed(
    session, dataset, table
):
    refused, started = [], []

    def refuse(_connection, _cursor, statement, *_):
        if started and not refused and statement.startswith(f"INSERT INTO {table} "):
            refused.append(statement)
            raise sqlite3.OperationalError("database is locked")

    def listen(event):
        if isinstance(event, StageStarted) and event.stage == "given-again":
            started.append(event)

    session.listeners = [*session.listeners, listen]
    listen_to(session.store.engine, "before_cursor_execute", refuse)
    assert score(session, dataset, ScoreRequest((AGAIN,))).done == {"given-again": 5}
    assert (len(refused), len(started)) == (1, 1)
    assert len(values(session, dataset, "given-again")) == 5
