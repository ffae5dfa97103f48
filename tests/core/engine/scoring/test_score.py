"""Scoring: only what is missing, each image once, and one bad sample costs the others nothing."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from ig4.core.engine.checkups.request import CheckRequest
from ig4.core.engine.ingesting.imports import ScoreColumn, import_scores
from ig4.core.engine.pooling.settings import PoolSettings
from ig4.core.engine.scoring.columns import list_columns
from ig4.core.engine.scoring.plan import ScoreRequest
from ig4.core.engine.scoring.score import score
from ig4.core.errors import PluginError, PrerequisiteError, UsageError
from ig4.core.records import Choice

from ...conftest import record


def counted(log="", **options):
    return Choice("scorer", "counted", {"log": str(log), **options})


def bright(log="", **options):
    return Choice("scorer", "bright", {"log": str(log), **options})


CLIP = {"model": "ig4-tiny"}
TINY = PoolSettings(
    embedders={
        "clip": Choice("embedder", "clip", CLIP),
        "clip-answer": Choice("embedder", "clip", {**CLIP, "reads": "answer"}, "clip-answer"),
    }
)


def lines(log):
    return log.read_text().split() if log.exists() else []


def table(session, what="external_id, value, error", order="external_id"):
    with session.store.reading() as connection:
        return connection.execute(text(f"SELECT {what} FROM scores_long ORDER BY {order}")).all()


def values(session, name="counted"):
    with session.store.reading() as connection:
        return dict(
            connection.execute(text(f'SELECT external_id, "{name}" FROM scores_wide')).all()
        )


@pytest.fixture
def log(tmp_path):
    return tmp_path / "log"


def test_every_sample_is_scored_and_nothing_twice(session, folder, read, log):
    folder.write(*(record(f"s{n}", "word " * n) for n in range(1, 12)))
    done = score(session, read().dataset, ScoreRequest([counted(log)]))
    assert done.done == {"counted": 11}
    assert values(session) == {f"s{n}": n for n in range(1, 12)}
    again = score(session, read().dataset, ScoreRequest([counted(log)]))
    assert again.done == {"counted": 0}
    assert len(lines(log)) == 11


def test_another_option_is_another_result_and_the_old_one_comes_back_for_free(
    session, folder, read, log
):
    folder.write(record("a", "one two"))
    dataset = read().dataset
    score(session, dataset, ScoreRequest([counted(log)]))
    score(session, dataset, ScoreRequest([counted(log, shift=10.0)]))
    assert values(session) == {"a": 12}
    score(session, dataset, ScoreRequest([counted(log)]))
    assert values(session) == {"a": 2}
    assert len(lines(log)) == 2


def test_a_model_that_cannot_be_loaded_takes_no_older_score_away(session, folder, read):
    folder.write(record("a", "one two"))
    dataset = read().dataset
    score(session, dataset, ScoreRequest([counted()]))
    with pytest.raises(PrerequisiteError):
        score(session, dataset, ScoreRequest([counted(shift=10.0, weights="missing")]))
    assert values(session) == {"a": 2}


def test_one_component_serves_under_two_names(session, folder, read):
    folder.write(record("a", "one two"))
    shifted = Choice("scorer", "counted", {"shift": 5.0}, "counted-5")
    score(session, read().dataset, ScoreRequest([counted(), shifted]))
    assert values(session, "counted") == {"a": 2}
    assert values(session, "counted-5") == {"a": 7}


def test_a_changed_answer_is_scored_anew_and_the_old_score_returns_with_the_old_answer(
    session, folder, read, log
):
    folder.write(record("a", "one two"), record("b", "one"))
    score(session, read().dataset, ScoreRequest([counted(log)]))
    folder.write(record("a", "one two three"), record("b", "one"))
    score(session, read().dataset, ScoreRequest([counted(log)]))
    assert values(session) == {"a": 3, "b": 1}
    assert lines(log) == ["a", "b", "a"]
    folder.write(record("a", "one two"), record("b", "one"))
    score(session, read().dataset, ScoreRequest([counted(log)]))
    assert values(session) == {"a": 2, "b": 1}
    assert len(lines(log)) == 3


def test_samples_that_say_the_same_are_scored_once(session, folder, read, log):
    folder.write(record("a", "one two"), record("b", "one two"), record("c", "else"))
    score(session, read().dataset, ScoreRequest([counted(log)]))
    assert lines(log) == ["a", "c"]
    assert values(session) == {"a": 2, "b": 2, "c": 1}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ("please fail", "the answer says fail"),
        ("please raise", "RuntimeError: this one raises"),
        ("please nan", "returned nan, which is no score"),
        ("  ", "the answer is empty"),
    ],
)
def test_one_bad_sample_is_an_error_and_costs_the_others_nothing(
    session, folder, read, answer, told
):
    folder.write(record("a", "one"), record("b", answer), record("c", "one two"))
    done = score(session, read().dataset, ScoreRequest([counted()]))
    assert done.failed == {"counted": 1}
    assert session.failures == {"counted": 1}
    rows = table(session)
    assert [(row[0], row[1]) for row in rows] == [("a", 1), ("b", None), ("c", 2)]
    assert told in rows[1][2]


def test_failures_stay_until_they_are_to_be_retried_and_then_only_they_are(
    session, folder, read, log
):
    folder.write(record("a", "one"), record("b", "fail"), record("c", "fail too"))
    dataset = read().dataset
    score(session, dataset, ScoreRequest([counted(log)]))
    assert score(session, dataset, ScoreRequest([counted(log)])).failed == {"counted": 2}
    assert lines(log) == ["a", "b", "c"]
    score(session, dataset, ScoreRequest([counted(log)], retry_failed=True))
    assert lines(log) == ["a", "b", "c", "b", "c"]


def test_a_scorer_that_loses_count_breaks_its_contract(session, folder, read):
    folder.write(record("a", "one"), record("b", "two"))
    with pytest.raises(PluginError, match="returned 1 results for 2 samples"):
        score(session, read().dataset, ScoreRequest([Choice("scorer", "short")]))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["external_id", "dataset", "instruction", "answer"])
def test_a_scorer_cannot_take_the_name_of_a_column(session, folder, read, name):
    folder.write(record("a", "one"))
    with pytest.raises(UsageError, match="column of scores_wide"):
        score(session, read().dataset, ScoreRequest([Choice("scorer", "counted", {}, name)]))


def test_each_distinct_image_is_embedded_once_however_far_apart_it_is_shown(
    session, folder, read, log
):
    # 40 samples on 5 images, 2 of which have the same bytes, in chunks of 4 samples: the same
    # image is asked for within a chunk, in the next one, and long after.
    for n in range(5):
        folder.picture(f"{n}.png", (min(n, 3) * 40, 0, 0))
    folder.write(*(record(f"s{n:02d}", f"answer {n}", f"{n * 7 % 5}.png") for n in range(40)))
    score(session, read().dataset, ScoreRequest([bright(log)]))
    assert sorted(lines(log)) == ["0,0,0", "120,0,0", "40,0,0", "80,0,0"]
    found = values(session, "bright")
    assert len(found) == 40
    assert all(
        found[f"s{n:02d}"] == pytest.approx(min(n * 7 % 5, 3) * 40 / 3, abs=0.1) for n in range(40)
    )


def write_pairs(folder, others):
    """Write samples that show an image of their own, and that of another sample."""
    records = []
    for n, other in enumerate(others):
        folder.picture(f"{n}.png", (n * 20, 0, 0))
        made = record(f"s{n:02d}", f"answer {n}", f"{n}.png")
        made["image"] = [f"{n}.png", f"{other}.png"]
        made["conversations"][0]["value"] = "<image><image>\nWhat?"
        records.append(made)
    folder.write(*records)


@pytest.mark.parametrize(
    ("others", "batch"),
    [
        ([(n + 5) % 12 for n in range(12)], 2),  # that of a sample in another chunk
        ([max(n - 1, 0) for n in range(6)], 1),  # that of the sample before, still on its way
    ],
)
def test_a_sample_of_several_images_waits_for_all_of_them(
    session, folder, read, log, others, batch
):
    write_pairs(folder, others)
    done = score(session, read().dataset, ScoreRequest([bright(log, batch=batch)]))
    assert (done.done, done.failed) == ({"bright": len(others)}, {"bright": 0})
    assert sorted(lines(log)) == sorted(f"{n * 20},0,0" for n in range(len(others)))


def test_a_scorer_that_is_done_is_not_asked_again_beside_one_that_is_not(
    session, folder, read, log
):
    folder.write(*(record(f"s{n}", "one two") for n in range(5)))
    dataset = read().dataset
    score(session, dataset, ScoreRequest([counted(log)]))
    folder.write(*(record(f"s{n}", "one two three"[: 7 + n]) for n in range(5)))
    dataset = read().dataset
    before = len(lines(log))
    other = Choice("scorer", "counted", {"shift": 1.0}, "shifted")
    done = score(session, dataset, ScoreRequest([counted(log), other]))
    assert done.done == {"counted": 4, "shifted": 5}  # the first one's answer is as it was
    assert len(lines(log)) == before + 4


def test_imported_scores_are_kept_unless_they_are_to_be_computed_anew(
    session, folder, read, log, tmp_path, notices
):
    folder.write(record("a", "one two"))
    dataset = read().dataset
    (tmp_path / "own.csv").write_text("id,value\na,7\n")
    import_scores(session, dataset, ScoreColumn(tmp_path / "own.csv", "counted", "value"))
    assert score(session, dataset, ScoreRequest([counted(log)])).done == {}
    assert (values(session), lines(log)) == ({"a": 7}, [])
    assert any("the imported scores are used" in notice for notice in notices())
    score(session, dataset, ScoreRequest([counted(log)], recompute=["counted"]))
    assert (values(session), lines(log)) == ({"a": 2}, ["a"])


def test_a_changed_image_is_embedded_and_scored_anew(session, folder, read, log):
    folder.picture("a.png", (30, 0, 0))
    folder.picture("b.png", (60, 0, 0))
    folder.write(record("a", "one", "a.png"), record("b", "two", "b.png"))
    score(session, read().dataset, ScoreRequest([bright(log)]))
    folder.picture("a.png", (90, 0, 0), size=(9, 9))
    again = read()
    assert again.unchanged
    assert again.changed_images == 1
    score(session, again.dataset, ScoreRequest([bright(log)]))
    assert values(session, "bright") == pytest.approx({"a": 30, "b": 20})
    assert lines(log) == ["30,0,0", "60,0,0", "90,0,0"]


def test_scorers_that_look_at_pixels_get_them(session, folder, read):
    folder.picture("a.png", "red", size=(13, 8))
    folder.write(record("a", "one", "a.png"), record("b", "text only"))
    done = score(session, read().dataset, ScoreRequest([Choice("scorer", "pixels")]))
    assert values(session, "pixels") == {"a": 13, "b": None}
    assert done.failed == {"pixels": 1}


def test_a_bad_image_fails_its_samples_and_no_others(session, folder, read):
    folder.picture("good.png", (30, 0, 0))
    (folder.path.parent / "torn.png").write_bytes(b"\x89PNG\r\n\x1a\n torn")
    (folder.path.parent / "empty.png").write_bytes(b"")
    folder.write(
        record("a", "one", "good.png"),
        record("b", "two", "torn.png"),
        record("c", "three", "empty.png"),
        record("d", "four", "none.png"),
        record("e", "five", "../outside.png"),
    )
    done = score(session, read().dataset, ScoreRequest([bright(), Choice("scorer", "pixels")]))
    assert done.failed == {"bright": 4, "pixels": 4}
    told = {row[0]: row[2] for row in table(session) if row[2]}
    assert "not an image" in told["b"]
    assert "empty" in told["c"]
    assert "missing" in told["d"]
    assert "--image-root" in told["e"]


def test_pixels_that_are_too_many_to_keep_are_read_again(session, folder, read, monkeypatch):
    monkeypatch.setattr("ig4.core.engine.scoring.imagereading._KEPT_BYTES", 4 * 13 * 8)
    for number in range(3):
        folder.picture(f"{number}.png", "red", size=(13 + number, 8))
    folder.write(*(record(str(n), "one", f"{n}.png") for n in range(3)))
    score(session, read().dataset, ScoreRequest([Choice("scorer", "pixels")]))
    assert values(session, "pixels") == {"0": 13, "1": 14, "2": 15}


def test_every_score_can_be_traced_to_its_run_and_component(session, folder, read):
    folder.write(record("a", "one two"))
    score(session, read().dataset, ScoreRequest([counted(shift=1.0)]))
    row = table(session, "value, details, component, version, fingerprint, run_id")[0]
    assert row[:4] == (3.0, '{"seen": "a"}', "counted", "1")
    with session.store.reading() as connection:
        command, status = connection.execute(
            text("SELECT command, status FROM runs WHERE id = :id"), {"id": row[5]}
        ).one()  # fmt: skip
    assert (command, status) == ("score", "done")


def test_an_image_that_changed_since_it_was_ingested_is_not_scored_as_the_old_one(
    session, folder, read
):
    folder.picture("a.png", (30, 0, 0))
    folder.write(record("a", "one", "a.png"))
    dataset = read().dataset
    folder.picture("a.png", (90, 0, 0), size=(9, 9))
    done = score(session, dataset, ScoreRequest([bright(), Choice("scorer", "pixels")]))
    assert done.failed == {"bright": 1, "pixels": 1}
    assert all("changed since it was ingested" in row[2] for row in table(session))
    assert score(session, read().dataset, ScoreRequest([bright()])).failed == {"bright": 0}
    assert values(session, "bright") == {"a": 30}


def test_an_image_that_the_embedder_cannot_take_costs_the_others_nothing(session, folder, read):
    for name, size in (("good", (8, 8)), ("unprepared", (13, 13)), ("torn", (17, 17))):
        folder.picture(f"{name}.png", (30, 0, 0), size=size)
    folder.write(*(record(n, f"is {n}", f"{n}.png") for n in ("good", "unprepared", "torn")))
    done = score(session, read().dataset, ScoreRequest([bright(), Choice("scorer", "pixels")]))
    assert done.failed == {"bright": 2, "pixels": 0}
    assert values(session, "bright") == {"good": 10, "unprepared": None, "torn": None}
    told = {row[0]: row[2] for row in table(session) if row[2]}
    assert "ValueError: 13 is unlucky" in told["unprepared"]
    assert "RuntimeError: 17 tears it" in told["torn"]


def test_a_scorer_that_returns_something_else_breaks_its_contract(session, folder, read):
    folder.write(record("a", "one"))
    with pytest.raises(PluginError, match=r"returned 1\.0: it must return a Score or a Failure"):
        score(session, read().dataset, ScoreRequest([Choice("scorer", "bare")]))


def test_details_of_any_kind_are_kept(session, folder, read):
    folder.write(record("a", "one numpy"))
    score(session, read().dataset, ScoreRequest([counted()]))
    assert table(session, "details") == [('{"seen": "a", "n": "2"}',)]


class TestTextOnly:
    """Samples without an image, among others or alone, for a scorer of images."""

    @pytest.fixture
    def on_images(self):
        tiny = Choice("scorer", "clip", CLIP)
        return ScoreRequest([tiny, Choice("scorer", "own-picture", {})], pool=TINY)

    def test_they_are_counted_apart_from_failures(self, session, folder, read, on_images):
        for colour in ("red", "blue"):
            folder.picture(f"{colour}.png", colour)
        folder.write(
            record("a", "A red thing.", "red.png"),
            record("b", "A blue thing.", "blue.png"),
            record("c", "Something else.", "lost.png"),
            record("d", "No image at all."),
        )
        done = score(session, read().dataset, on_images)
        assert done.failed == {"clip": 1, "own-picture": 1}  # the lost image is a failure
        assert done.without_image == {"clip": 1, "own-picture": 1}
        told = table(session, "scorer, error", "scorer, external_id")
        assert [error for _, error in told if error] == [
            "lost.png: the image file is missing", "the sample has no image",
            "it has no vector in the space clip", "the sample has no image",
        ]  # fmt: skip

    def test_however_many_they_are_the_scorer_is_not_stopped(self, session, folder, read):
        folder.picture("red.png", "red")
        folder.write(
            *(record(f"t{n}", f"Text {n}.") for n in range(60)),
            record("a", "A red thing.", "red.png"),
        )
        request = ScoreRequest([Choice("scorer", "pictured", {})])
        done = score(session, read().dataset, request)
        assert (done.failed, done.without_image) == ({"pictured": 0}, {"pictured": 60})
        assert values(session, "pictured")["a"] == 1

    def test_their_column_tells_them_apart_too(self, session, folder, read):
        folder.picture("red.png", "red")
        folder.write(record("t", "Text."), record("a", "A red thing.", "red.png"))
        dataset = read().dataset
        score(session, dataset, ScoreRequest([Choice("scorer", "pictured", {})]))
        (column,) = list_columns(session, dataset)
        assert (column.values, column.failures, column.without_image) == (1, 0, 1)
        assert column.missing == 0

    def test_one_without_a_value_for_anything_has_failed_on_all(self, session, folder, read):
        folder.write(record("t", "Text."), record("e", " "))
        done = score(session, read().dataset, ScoreRequest([Choice("scorer", "pictured", {})]))
        assert (done.failed, done.without_image) == ({"pictured": 2}, {"pictured": 0})

    def test_where_there_is_no_image_at_all_everything_failed(
        self, session, folder, read, on_images
    ):
        folder.write(record("a", "A red thing."), record("b", "A blue thing."))
        done = score(session, read().dataset, on_images)
        assert done.failed == {"clip": 2, "own-picture": 2}
        assert not any(done.without_image.values())


def test_a_pool_scorer_that_cannot_work_takes_no_check_up_from_the_others(session, folder, read):
    folder.write(*(record(f"s{n}", "word " * n) for n in range(1, 12)))
    dataset = read().dataset
    lost = Choice("scorer", "prototypicality", {"space": "letters", "groups": "clusters"})
    with pytest.raises(UsageError):
        score(session, dataset, ScoreRequest([counted(), lost], check=CheckRequest()))
    with session.store.reading() as connection:
        assert connection.execute(text("SELECT name FROM checkups")).all() == [("counted",)]
