"""Batches: each component's own, the same after an interruption, and none after many failures."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from sqlalchemy import text

from ig4.core.calls.running.streaks import FailingError
from ig4.core.calls.settings import CallSettings
from ig4.core.engine.scoring.plan import ScoreRequest
from ig4.core.engine.scoring.score import score
from ig4.core.events import BatchScored, StageStarted
from ig4.core.records import Choice

from ...conftest import picture, record


def choice(name, log, batch, label=""):
    return Choice("scorer", name, {"log": str(log), "batch": batch}, label)


def batches(log: Path) -> list[list[str]]:
    return [line.split(",") for line in log.read_text().split()] if log.exists() else []


def sizes(log: Path) -> list[int]:
    return list(map(len, batches(log)))


@pytest.fixture
def dataset(folder, read):
    """Twenty samples; the image of every third is also that of the one before."""
    records = []
    for n in range(20):
        shown = n - 1 if n % 3 == 2 else n
        picture(folder.path.parent / f"{shown}.png", "red", (shown + 1, 8))
        records.append(record(f"s{n}", f"word {n}", f"{shown}.png"))
    folder.write(*records)
    return read().dataset


def test_every_scorer_gets_batches_of_its_own_size(session, dataset, tmp_path):
    wanted = {"small": 4, "middle": 7, "large": 1000}
    logs = {name: tmp_path / name for name in wanted}
    request = [choice("batched", logs[name], size, name) for name, size in wanted.items()]
    score(session, dataset, ScoreRequest(request))
    assert {name: sizes(log) for name, log in logs.items()} == {
        "small": [4, 4, 4, 4, 4],
        "middle": [7, 7, 6],
        "large": [20],
    }


def test_what_reads_pixels_does_not_shrink_the_batches_of_what_reads_text(
    session, dataset, tmp_path
):
    text, pixels = tmp_path / "text", tmp_path / "pixels"
    score(
        session,
        dataset,
        ScoreRequest([choice("batched", text, 20), choice("looking", pixels, 3)]),
    )
    assert sizes(text) == [20]
    assert sizes(pixels) == [3, 3, 3, 3, 3, 3, 2]


class Interrupt:
    """Interrupts a run when `after` batches are committed."""

    def __init__(self, session, after: int) -> None:
        self.left = after
        session.listeners = [*session.listeners, self]

    def __call__(self, event) -> None:
        if isinstance(event, BatchScored):
            self.left -= 1
            if self.left == 0:
                raise KeyboardInterrupt


@pytest.mark.parametrize("after", [1, 2, 4])
def test_an_interrupted_run_goes_on_with_the_batches_of_one_that_was_not(
    session, dataset, tmp_path, after
):
    log, whole = tmp_path / "log", tmp_path / "whole"
    request = ScoreRequest([choice("regrouped", log, 4)])
    listeners = session.listeners
    Interrupt(session, after)
    with pytest.raises(KeyboardInterrupt):
        score(session, dataset, request)
    session.listeners = listeners
    score(session, dataset, request)
    again = Choice("scorer", "regrouped", {"log": str(whole), "batch": 4, "shift": 1.0}, "again")
    score(session, dataset, ScoreRequest([again]))
    assert batches(log) == batches(whole)


def test_a_run_that_dies_in_an_embedding_goes_on_with_the_same_batches(session, dataset, tmp_path):
    images = tmp_path / "log-images"
    request = ScoreRequest([choice("regrouped", tmp_path / "log", 4)])
    stop = tmp_path / "log-images.stop"

    def stop_after_two(event) -> None:
        if sizes(images) == [3, 3]:
            stop.touch()

    listeners = session.listeners
    session.listeners = [*listeners, stop_after_two]
    with pytest.raises(KeyboardInterrupt):
        score(session, dataset, request)
    session.listeners = listeners
    stop.unlink()
    score(session, dataset, request)
    assert sizes(images) == [3, 3, 3, 3, 2]
    widths = [width for batch in batches(images) for width in batch]
    assert widths == [str(n + 1) for n in range(20) if n % 3 != 2]


def test_what_is_missing_in_the_middle_stays_in_the_batches_it_was_in(session, dataset, tmp_path):
    log = tmp_path / "log"
    request = ScoreRequest([choice("batched", log, 4)])
    score(session, dataset, request)
    log.unlink()
    with session.store.writing() as connection:
        connection.execute(
            text(
                "DELETE FROM scores WHERE content_id IN (SELECT content_id FROM samples "
                "WHERE external_id IN ('s3', 's4', 's5'))"
            )
        )
    score(session, dataset, request)
    assert batches(log) == [["s3"], ["s4", "s5"]]


def test_an_image_shown_twice_is_embedded_once_and_counted_once(session, dataset, tmp_path):
    score(session, dataset, ScoreRequest([choice("regrouped", tmp_path / "log", 4)]))
    started = [
        (event.stage, event.total, event.unit)
        for event in session.listeners[0].__self__
        if isinstance(event, StageStarted) and event.stage not in ("ingest", "loading")
    ]
    assert started == [("grouped images", 14, "images"), ("regrouped", 20, "samples")]


@pytest.fixture
def failing(folder, read):
    """Forty samples on which `batched` fails, from the second on."""
    folder.write(*(record(f"s{n}", f"fail {n}" if n else "well") for n in range(40)))
    return read().dataset


def stop_after(number: int) -> CallSettings:
    return CallSettings(stop_after=number)


def test_a_scorer_that_only_fails_is_stopped_and_the_others_are_not(session, failing, tmp_path):
    log, other = tmp_path / "log", tmp_path / "other"
    request = ScoreRequest(
        [choice("batched", log, 4), Choice("scorer", "length", {}, "length")],
        call_settings=stop_after(10),
    )
    with pytest.raises(FailingError, match=r"batched was stopped: it failed \d+ times in a row"):
        score(session, failing, request)
    assert sum(sizes(log)) < 20
    assert not other.exists()
    with session.store.reading() as connection:
        stored = connection.execute(text("SELECT count(*) FROM scores_long WHERE scorer='length'"))
        assert stored.scalar() == 40


def test_a_scorer_may_fail_on_everything_if_the_user_says_so(session, failing, tmp_path):
    request = ScoreRequest([choice("batched", tmp_path / "log", 4)], call_settings=stop_after(0))
    assert score(session, failing, request).failed == {"batched": 39}


def test_samples_without_what_a_scorer_reads_say_nothing_about_it(session, folder, read, tmp_path):
    folder.write(
        *(record(f"s{n}", "word") for n in range(20)), *(record(f"e{n}", " ") for n in range(20))
    )
    request = ScoreRequest(
        [choice("regrouped", tmp_path / "log", 4), Choice("scorer", "bright", {}, "bright")],
        call_settings=stop_after(5),
    )
    done = score(session, read().dataset, request)
    assert done.failed["bright"] == 40


def test_a_service_that_only_fails_is_asked_no_more(session, folder, read):
    session.host.load("scorer", "asking")
    world = sys.modules["counting.service"].world
    folder.write(*(record(f"s{n}", f"reject {n}") for n in range(200)))
    request = ScoreRequest(
        [Choice("scorer", "asking", {}, "asking")],
        call_settings=CallSettings(stop_after=10, concurrency=2),
    )
    with pytest.raises(FailingError, match="asking was stopped"):
        score(session, read().dataset, request)
    assert len(world.asked) < 40
