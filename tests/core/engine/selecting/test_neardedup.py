"""A stage that drops near-duplicates by hashes of images, on a data set that was read."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from ig4.core.config import build
from ig4.core.engine.requests import selection_request
from ig4.core.engine.scoring.plan import ScoreRequest
from ig4.core.engine.scoring.score import score
from ig4.core.engine.selecting.candidates import SelectionRequest
from ig4.core.engine.selecting.explain import explain, explain_last
from ig4.core.engine.selecting.funnel import Stage
from ig4.core.engine.selecting.pins import PinRequest, PinSource
from ig4.core.engine.selecting.select import select
from ig4.core.errors import UsageError
from ig4.core.events import Notice
from ig4.core.records import Choice

from ...conftest import record

pytest.importorskip("imagehash")

PHASH = Choice("embedder", "phash")
RANDOM = Choice("selector", "random")
PICTURES = Stage("dedup", spaces=("phash",), bits=6)
BOTH = Stage("dedup", spaces=("phash", "text"), bits=6)


def scene(path, seed, **options):
    """Write a picture of soft light; the same seed and other options make a copy of it."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 255, (6, 8, 3), dtype=np.uint8))
    size = options.pop("size", (160, 120))
    coarse.resize((160, 120), Image.Resampling.BICUBIC).resize(size).save(path, **options)


@pytest.fixture
def read_with_hashes(session, folder, read):
    """Ingest records about the pictures 1, 1-small, 1-poor and 2, and hash these."""
    home = folder.path.parent
    scene(home / "1.png", 1)
    scene(home / "1-small.png", 1, size=(80, 60))
    scene(home / "1-poor.jpg", 1, quality=40)
    scene(home / "2.png", 2)

    def _read(*records):
        folder.write(*records)
        dataset = read().dataset
        score(session, dataset, ScoreRequest((), spaces=[PHASH]))
        return dataset

    return _read


@pytest.fixture
def told(session):
    heard = []
    session.listeners = [*session.listeners, heard.append]
    return lambda: [event.text for event in heard if isinstance(event, Notice)]


def kept(session, dataset, stage, size=1):
    request = SelectionRequest(size=size, selector=RANDOM, stages=(stage,))
    return select(session, dataset, request)


def several(name, answer, *images):
    made = record(name, answer, instruction="<image>\n" * len(images) + "What is this?")
    return made | {"image": list(images)}


def test_copies_of_a_picture_fall_out_and_it_is_told_for_which_sample(
    session, read_with_hashes, told
):
    dataset = read_with_hashes(
        record("a", "A red bus waits.", "1.png"),
        record("b", "A red bus waits.", "1-small.png"),
        record("c", "A red bus waits.", "1-poor.jpg"),
        record("d", "A red bus waits.", "2.png"),
        record("e", "Without any picture."),
    )
    result = kept(session, dataset, BOTH, size=3)
    assert sorted(result.ids) == ["a", "d", "e"]
    assert result.report["stages"] == [
        {"do": "dedup", "spaces": ["phash", "text"], "alike": 0.95, "bits": 6,
         "before": 5, "after": 3}
    ]  # fmt: skip
    assert "stage 1 (dedup) left out 2 samples of 5" in told()
    assert any("1 sample has no vector in phash or text" in text for text in told())
    why = explain_last(session, dataset, SelectionRequest(), "c").reason
    assert why.startswith("stage 1 (dedup): it is alike to a in phash (")
    assert "of 64 bits differ), text" in why


def test_a_near_duplicate_names_all_that_have_to_go_before_it_stays(session, read_with_hashes):
    dataset = read_with_hashes(
        record("a", "A red bus waits.", "1.png"),
        record("b", "A red bus waits.", "1-small.png"),
        record("c", "A red bus waits.", "2.png"),
        record("d", "A red bus waits.", "1-poor.jpg"),
        record("e", "A red bus waits.", "1-small.png"),
        record("f", "A red bus waits.", "1.png"),
    )
    request = SelectionRequest(size=1, selector=RANDOM, stages=(BOTH,))
    told = explain(session, dataset, request, "e").changes
    assert told.repeats == ("a", "b", "d")
    assert told.told[0].startswith(
        "all that it repeats have to go (a, b, d), or stage 1 (dedup): it has the texts and images "
        "of b"
    )

    def reason_without(*names):
        pins = PinRequest(drop=(PinSource(ids=names),))
        asked = SelectionRequest(size=1, selector=RANDOM, stages=(BOTH,), pins=pins)
        return explain(session, dataset, asked, "e").reason

    assert reason_without(*told.repeats) is None
    for names in (("a", "b"), ("a", "d"), ("b", "d")):
        assert reason_without(*names).startswith("stage 1 (dedup)")


def test_different_conversations_about_one_picture_stay_unless_pictures_alone_are_compared(
    session, read_with_hashes, told
):
    dataset = read_with_hashes(
        record("a", "A red bus waits.", "1.png"),
        record("b", "There are two of them.", "1-small.png", "How many people are here?"),
    )
    assert sorted(kept(session, dataset, BOTH, size=2).ids) == ["a", "b"]
    assert not any("images alone" in text for text in told())
    assert kept(session, dataset, PICTURES).ids == ["a"]
    assert any("different conversations about one picture count as duplicates" in t for t in told())


def test_of_samples_with_several_images_all_must_be_alike(session, read_with_hashes):
    dataset = read_with_hashes(
        several("a", "Two pictures.", "1.png", "2.png"),
        several("b", "Two pictures.", "1-small.png", "2.png"),
        several("c", "Two pictures.", "1-poor.jpg", "1.png"),
        several("d", "Two pictures.", "1-poor.jpg"),
    )
    assert sorted(kept(session, dataset, PICTURES, size=3).ids) == ["a", "c", "d"]


def test_bits_alone_compare_pictures_and_texts():
    given = build({"select": {"stages": [{"do": "dedup", "bits": 4}], "size": 1}}, {})
    (stage,) = selection_request(given).stages
    assert stage == Stage("dedup", spaces=("phash", "text"), bits=4)


def test_bits_of_vectors_that_are_no_hashes_are_refused(session, read_with_hashes):
    dataset = read_with_hashes(record("a", "One.", "1.png"), record("b", "Two words.", "2.png"))
    with pytest.raises(UsageError, match="name the space phash"):
        kept(session, dataset, Stage("dedup", spaces=("text",), bits=6))


def test_without_hashes_the_command_that_makes_them_is_named(session, folder, read):
    folder.write(record("a", "One."), record("b", "Two."))
    with pytest.raises(UsageError, match="ig4 score --spaces phash"):
        kept(session, read().dataset, BOTH)


def test_the_report_finds_copies_by_their_hashes(session, read_with_hashes):
    dataset = read_with_hashes(
        record("a", "A red bus waits.", "1.png"),
        record("b", "A red bus waits.", "1-poor.jpg"),
        record("c", "A red bus waits.", "2.png"),
    )
    found = kept(session, dataset, Stage("dedup"), size=3).report["duplicates"]
    assert (found["same"], found["near"]) == (0, 1)
    assert set(found["pairs"][0]) == {"a", "b"}
    assert found["by_hashes"]


def test_the_report_compares_all_images_of_a_sample(session, read_with_hashes):
    dataset = read_with_hashes(
        several("a", "Two pictures.", "1.png", "2.png"),
        several("b", "Two pictures.", "1.png", "1-poor.jpg"),
        several("c", "Two pictures.", "1-small.png", "2.png"),
    )
    found = kept(session, dataset, Stage("dedup"), size=3).report["duplicates"]
    assert found["near"] == 1
    assert set(found["pairs"][0]) == {"a", "c"}
