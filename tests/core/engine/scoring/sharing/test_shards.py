"""Shards: parts of the batches, which together are what a lone run computes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ig4.core.engine.checkups.request import CheckRequest
from ig4.core.engine.ingesting.ingest import DatasetSource, ingest
from ig4.core.engine.scoring.columns import find_column
from ig4.core.engine.scoring.estimate import estimate
from ig4.core.engine.scoring.plan import ScoreRequest
from ig4.core.engine.scoring.score import score
from ig4.core.engine.scoring.sharing.shards import Shard
from ig4.core.errors import UsageError
from ig4.core.records import Choice
from ig4.storage.store import Store

from ....conftest import picture, record
from .conftest import stored, times

SAMPLES = 50


@pytest.fixture
def dataset(folder, read):
    """Fifty samples, of which each two in a row show one image, and the last shows the first."""
    records = []
    for n in range(SAMPLES):
        shown = 0 if n == SAMPLES - 1 else n // 2
        picture(folder.path.parent / f"{shown}.png", "red", (shown + 1, 4))
        records.append(record(f"s{n:02d}", f"word {n % 11}", f"{shown}.png"))
    folder.write(*records)
    return read().dataset


@pytest.fixture
def shuffled(folder, read):
    """Sixty-four samples in no order, of which each four show one image, as in LLaVA's mixture."""
    order = np.random.default_rng(3).permutation(64)
    records = []
    for n in order.tolist():
        picture(folder.path.parent / f"{n // 4}.png", "red", (n // 4 + 1, 4))
        records.append(record(f"s{n:02d}", f"word {n}", f"{n // 4}.png"))
    folder.write(*records)
    return read().dataset


def choices(log):
    return [
        Choice("scorer", name, {"log": f"{log}-{name}", "batch": 4})
        for name in ("tallied", "looked")
    ]


# The parts


@pytest.mark.parametrize("text", ["0/16", "17/16", "3", "3/0", "-1/4", "a/b", "3/16/2", "1.0/2"])
def test_a_shard_is_one_of_n_counted_from_one(text):
    with pytest.raises(UsageError, match="K from 1 to N, as in 3/16 for the third of sixteen"):
        Shard.parse(text)


def test_the_first_and_the_last_are_shards():
    assert Shard.parse("1/16") == Shard(1, 16)
    assert str(Shard.parse(" 16/16 ")) == "16/16"


@given(
    units=st.integers(0, 300), size=st.integers(1, 40), of=st.integers(1, 20), seed=st.integers(0)
)
def test_every_unit_is_in_one_shard_and_a_batch_in_one_too(units, size, of, seed):
    ordinals = np.arange(units)
    owned = np.array([Shard(k, of).owns(ordinals, size, units) for k in range(1, of + 1)])
    assert (owned.sum(axis=0) == 1).all()
    numbers = owned.argmax(axis=0)
    assert all(len(set(numbers[start : start + size])) <= 1 for start in range(0, units, size))
    batches = -(-units // size)
    counts = np.bincount(numbers[::size], minlength=of)
    assert counts.sum() == batches
    assert counts.max(initial=0) - counts.min(initial=units) <= 1
    # What is done already changes no part.
    some = np.sort(np.random.default_rng(seed % 2**32).permutation(ordinals)[: units // 2])
    assert (Shard(1, of).owns(some, size, units) == owned[0][some]).all()


# Scoring


def test_shards_in_files_of_their_own_are_together_what_a_lone_run_stores(
    session, dataset, folder, tmp_path
):
    """But for the samples whose batch shows images of several shards: these wait."""
    score(session, dataset, ScoreRequest(choices(tmp_path / "whole")))
    whole = stored(tmp_path / "ig4.db")
    parts = []
    for number in (1, 2, 3):
        with Store.open(tmp_path / f"{number}.db") as store:
            own = replace(session, store=store, run_id=None)
            there = ingest(own, DatasetSource(folder.path, name="set")).dataset
            request = ScoreRequest(choices(tmp_path / f"{number}"), shard=Shard(number, 3))
            done = score(own, there, request)
            assert 0 < done.done["tallied"] < SAMPLES
            again = score(own, there, request)
            assert again.done == {"tallied": 0, "looked": 0}
        parts.append(stored(tmp_path / f"{number}.db"))
    scores = [row for values, _ in parts for row in values]
    assert len(scores) == len(set(scores))
    assert {row for row in whole[0] if row[1] == "tallied"} < set(scores) < set(whole[0])
    vectors = [row for _, images in parts for row in images]
    assert sorted(vectors) == sorted(whole[1])


def test_shards_in_one_database_compute_each_batch_once(session, dataset, tmp_path):
    for number in (3, 1, 2):
        score(session, dataset, ScoreRequest(choices(tmp_path / "log"), shard=Shard(number, 3)))
    for name in ("tallied", "looked", "looked-images"):
        assert set(times(tmp_path / f"log-{name}").values()) == {1}
    again = score(session, dataset, ScoreRequest(choices(tmp_path / "log")))
    assert again.done["tallied"] == again.embedded == 0
    assert 0 < again.done["looked"] < SAMPLES // 2
    assert set(times(tmp_path / "log-looked").values()) == {1}


def test_images_that_recur_in_any_order_are_embedded_by_one_shard_each(
    session, shuffled, folder, tmp_path, notices
):
    score(session, shuffled, ScoreRequest(choices(tmp_path / "whole")))
    embedded = 0
    for number in (1, 2, 3, 4):
        with Store.open(tmp_path / f"{number}.db") as store:
            own = replace(session, store=store, run_id=None)
            there = ingest(own, DatasetSource(folder.path, name="set")).dataset
            request = ScoreRequest(choices(tmp_path / "log"), shard=Shard(number, 4))
            planned = estimate(own, there, request).calls
            done = score(own, there, request)
            assert planned == {"embedder widths": done.embedded, **done.done}
        embedded += done.embedded
        told = [one for one in notices() if "wait for vectors of images" in one]
        assert f"of shard {number}/4 " in told[-1]
        assert f"looked: {done.waiting['looked']} samples" in told[-1]
    assert embedded == 16
    assert times(tmp_path / "log-looked-images") == times(tmp_path / "whole-looked-images")


def test_what_waits_for_vectors_is_scored_by_its_shard_once_they_are_there(
    session, shuffled, folder, tmp_path
):
    shards = [Shard(number, 4) for number in (1, 2, 3, 4)]
    requests = [ScoreRequest(choices(tmp_path / "log"), shard=one) for one in shards]
    first = [score(session, shuffled, one) for one in requests]
    second = [score(session, shuffled, one) for one in requests]
    assert [one.embedded for one in second] == [0] * 4
    assert sum(one.done["looked"] for one in (*first, *second)) == 64
    assert all(one.done["looked"] for one in second[:3])  # the fourth found all vectors at once
    here = stored(tmp_path / "ig4.db")
    with Store.open(tmp_path / "whole.db") as store:
        own = replace(session, store=store, run_id=None)
        there = ingest(own, DatasetSource(folder.path, name="set")).dataset
        score(own, there, ScoreRequest(choices(tmp_path / "whole")))
    assert here == stored(tmp_path / "whole.db")
    assert set(times(tmp_path / "log-looked").values()) == {1}


def test_a_shard_that_has_to_wait_takes_no_older_scores_away(session, shuffled, tmp_path):
    older = Choice("scorer", "looked", {"log": f"{tmp_path}/old", "batch": 2})
    score(session, shuffled, ScoreRequest([older]))
    (looked,) = choices(tmp_path / "log")[1:]
    done = score(session, shuffled, ScoreRequest([looked], shard=Shard(1, 4)))
    assert done.done == {"looked": 0}
    values = find_column(session, shuffled, "looked")
    assert (values.values, values.missing) == (64, 0)


def test_a_shard_checks_no_column_and_says_so(session, dataset, tmp_path, notices):
    request = ScoreRequest(choices(tmp_path / "log"), check=CheckRequest(), shard=Shard(1, 2))
    assert score(session, dataset, request).checked is None
    (told,) = [one for one in notices() if "shard" in one]
    assert told.startswith("shard 1/2: columns are not checked; once all shards are there, the")


def test_what_looks_at_all_samples_is_refused_before_anything_is_computed(
    session, dataset, tmp_path
):
    for more in (
        {"scorers": [*choices(tmp_path / "log"), Choice("scorer", "around")]},
        {"spaces": [Choice("embedder", "rarity")]},
    ):
        request = replace(ScoreRequest(choices(tmp_path / "log"), shard=Shard(1, 2)), **more)
        for do in (score, estimate):
            with pytest.raises(UsageError, match=r"looks at all samples together\. Leave it out"):
                do(session, dataset, request)
    assert not (tmp_path / "log-tallied").exists()


def test_failures_are_not_taken_up_by_a_shard(session, dataset, tmp_path):
    request = ScoreRequest(choices(tmp_path / "log"), retry_failed=True, shard=Shard(1, 2))
    with pytest.raises(UsageError, match="--retry-failed takes up all failures of the data set"):
        score(session, dataset, request)


def test_an_estimate_is_of_the_shard(session, dataset, tmp_path):
    request = ScoreRequest(choices(tmp_path / "log")[:1], shard=Shard(1, 2))
    assert estimate(session, dataset, request).calls == {"tallied": 28}


def test_more_shards_than_batches_are_told(session, dataset, tmp_path, notices):
    log = tmp_path / "log"
    score(session, dataset, ScoreRequest(choices(log)[:1], shard=Shard(13, 13)))
    assert not any("too many" in one for one in notices())
    score(session, dataset, ScoreRequest(choices(log)[:1], shard=Shard(1, 14)))
    (told,) = [one for one in notices() if "too many" in one]
    assert told == "tallied has 13 batches of 4, and no more shards have work: 14 are too many"


def test_what_asks_a_service_is_shared_by_the_sample(session, folder, read):
    folder.write(*(record(f"s{n}", f"answer {n}") for n in range(5)))
    dataset = read().dataset
    for number, count in ((1, 3), (2, 2)):
        request = ScoreRequest([Choice("scorer", "asking")], shard=Shard(number, 2))
        assert score(session, dataset, request).done == {"asking": count}
