"""Texts are embedded as images are: each distinct one once, in the same batches, errors kept."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from ig4.core.engine.scoring.estimate import estimate
from ig4.core.engine.scoring.plan import ScoreRequest
from ig4.core.engine.scoring.score import score
from ig4.core.records import Choice
from ig4.storage.integrity.check import check_database
from ig4.storage.integrity.repair import repair_damage

from ...conftest import record


def letters(log, **options):
    return Choice("embedder", "letters", {"log": str(log), "batch": 3, **options})


def stored(session):
    sql = "SELECT digest, vector, error FROM input_embeddings ORDER BY digest"
    with session.store.reading() as connection:
        return [tuple(row) for row in connection.execute(text(sql))]


@pytest.fixture
def dataset(folder, read):
    said = ["a", "b", "a", "cab", "", "bb", "ay", "c", "cc", "b"]
    folder.write(*(record(str(n), f"answer {n}", instruction=one) for n, one in enumerate(said)))
    return read().dataset


def test_each_distinct_text_is_embedded_once(session, dataset, tmp_path):
    log = tmp_path / "log"
    done = score(session, dataset, ScoreRequest((), spaces=[letters(log)]))
    assert log.read_text().split() == ["a|b|cab", "bb|ay", "c|cc"]  # the empty one in its batch
    assert done.embedded == 8
    again = score(session, dataset, ScoreRequest((), spaces=[letters(log)]))
    assert again.embedded == 0


def test_an_empty_text_is_an_error_and_counted_by_sample(session, dataset, tmp_path):
    done = score(session, dataset, ScoreRequest((), spaces=[letters(tmp_path / "log")]))
    assert done.spaces == {"letters": 1}
    assert [error for _, _, error in stored(session) if error] == ["the text is empty"]


def test_one_bad_text_fails_alone_and_can_be_tried_again(session, folder, read, tmp_path):
    folder.write(*(record(f"{n}", "x", instruction=one) for n, one in enumerate(["a", "z", "c"])))
    dataset = read().dataset
    log = tmp_path / "log"
    assert score(session, dataset, ScoreRequest((), spaces=[letters(log)])).spaces == {"letters": 1}
    errors = [error for _, _, error in stored(session) if error]
    assert errors == ["letters failed: ValueError: z is no letter"]
    request = ScoreRequest((), spaces=[letters(log)], retry_failed=True)
    assert estimate(session, dataset, request).calls == {"embedder letters": 1}
    log.write_text("")
    score(session, dataset, request)
    assert log.read_text().split() == ["z"]


def test_what_an_interrupted_run_left_is_embedded_in_the_batches_of_one_that_was_not(
    session, dataset, tmp_path
):
    log = tmp_path / "log"
    (tmp_path / "log.stop").touch()
    with pytest.raises(KeyboardInterrupt):  # at the text with y
        score(session, dataset, ScoreRequest((), spaces=[letters(log)]))
    assert log.read_text().split() == ["a|b|cab"]
    (tmp_path / "log.stop").unlink()
    score(session, dataset, ScoreRequest((), spaces=[letters(log)]))
    assert log.read_text().split() == ["a|b|cab", "bb|ay", "c|cc"]


def test_a_dry_run_counts_the_texts_and_computes_nothing(session, dataset, tmp_path):
    request = ScoreRequest((), spaces=[letters(tmp_path / "log")])
    assert estimate(session, dataset, request).calls == {"embedder letters": 8}
    assert stored(session) == []


def test_instruction_answer_and_both_are_different_texts(session, folder, read, tmp_path):
    folder.write(record("1", "say b", instruction="a?"))
    dataset = read().dataset
    for reads in ("instruction", "answer", "text"):
        log = tmp_path / reads
        score(session, dataset, ScoreRequest((), spaces=[letters(log, reads=reads)]))
    texts = [(tmp_path / reads).read_text() for reads in ("instruction", "answer", "text")]
    assert texts == ["a?\n", "say b\n", "a?\nsay b\n"]


def test_changed_bytes_are_found_and_repaired(session, dataset, tmp_path):
    request = ScoreRequest((), spaces=[letters(tmp_path / "log")])
    score(session, dataset, request)
    before = stored(session)
    location = session.store.engine.url.database
    assert check_database(location).verified["input_embeddings"] == 8
    damage = "UPDATE input_embeddings SET vector = zeroblob(12) WHERE digest = :digest"
    with session.store.writing() as connection:
        connection.execute(text(damage), {"digest": next(d for d, v, _ in before if v)})
    report = check_database(location)
    assert [one.table for one in report.damage] == ["input_embeddings"]
    assert "ig4 score --spaces letters" in report.damage[0].remedy
    assert repair_damage(location, report.damage) == 1
    score(session, dataset, request)
    assert stored(session) == before
