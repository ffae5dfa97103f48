"""Estimates: what a run would take is told before, and nothing is computed or recorded for it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from PIL import Image
from sqlalchemy import delete, func, select, update

from ig4.cli.estimating import print_score_estimate
from ig4.core.engine.estimating.measuring import measure
from ig4.core.engine.estimating.survey import estimate_unstored, stored, survey
from ig4.core.engine.estimating.workload import Workload
from ig4.core.engine.ingesting.ingest import DatasetSource, ingest
from ig4.core.engine.scoring.estimate import estimate
from ig4.core.engine.scoring.plan import ScoreRequest
from ig4.core.engine.scoring.score import score
from ig4.core.engine.scoring.sharing.shards import Shard
from ig4.core.engine.session import Session
from ig4.core.errors import UsageError
from ig4.core.host.host import Host
from ig4.core.records import Choice
from ig4.storage.schema import Base, Component, Embedding, Run, Score
from ig4.storage.store import Store

from ....harbour import N, write_data

REQUEST = ScoreRequest([Choice("scorer", "length")], spaces=[Choice("embedder", "phash")])
EMBEDDER = "embedder phash"


@pytest.fixture
def data(tmp_path):
    return write_data(tmp_path / "data")


@pytest.fixture
def session(tmp_path):
    with Store.open(tmp_path / "ig4.db") as store:
        yield Session(store, Host.discover(), [])


@pytest.fixture
def dataset(session, data):
    return ingest(session, DatasetSource(data, name="harbour")).dataset


def named_pictures(tmp_path) -> set[str]:
    """Return the names of the pictures that records show; one is not there."""
    found = set()
    for record in json.loads((tmp_path / "data" / "llava.json").read_text()):
        images = record.get("image", [])
        found |= {images} if isinstance(images, str) else set(images)
    return found


def rows(store) -> dict[str, int]:
    with store.reading() as connection:
        return {
            table.name: connection.scalar(select(func.count()).select_from(table))
            for table in Base.metadata.sorted_tables
        }


def test_samples_images_and_bytes_are_those_of_the_files(session, dataset, tmp_path):
    found = estimate(session, dataset, REQUEST)
    pictures = [tmp_path / "data" / name for name in named_pictures(tmp_path)]
    distinct = {path.read_bytes() for path in pictures if path.exists()}
    assert found.samples == N
    assert found.data.images == len(distinct)
    assert found.data.image_bytes == sum(map(len, distinct))
    assert (found.data.read_images, found.data.read_bytes) == (
        found.data.images, found.data.image_bytes,
    )  # fmt: skip


def test_nothing_is_recorded(session, dataset):
    before = rows(session.store)
    estimate(session, dataset, REQUEST)
    assert rows(session.store) == before


def test_a_speed_that_nobody_measured_is_not_made_up(session, dataset):
    found = estimate(session, dataset, REQUEST)
    assert found.seconds == {"length": None, EMBEDDER: None}
    assert set(found.unknown) == {"length", EMBEDDER}
    assert found.data.vectors == {EMBEDDER: None}


def forget(session, *, content=10, image=10):
    with session.store.writing() as connection:
        connection.execute(delete(Score).where(Score.content_id > content))
        connection.execute(delete(Embedding).where(Embedding.image_id > image))


def set_speed(session, units, seconds, device="cpu (2 cores)"):
    """Let the newest run have measured this for every component."""
    with session.store.writing() as connection:
        prints = connection.scalars(select(Component.fingerprint)).all()
        newest = connection.scalar(select(func.max(Run.id)))
        summary = {
            "speeds": {one: [units, seconds] for one in prints},
            "devices": dict.fromkeys(prints, device),
        }
        connection.execute(update(Run).where(Run.id == newest).values(summary=summary))


def test_hours_follow_from_the_measured_speed_and_the_devices(session, dataset):
    score(session, dataset, REQUEST)
    forget(session)
    set_speed(session, 1000, 500.0)
    one = estimate(session, dataset, REQUEST)
    left = one.calls["length"]
    assert left == 79 - 10
    assert one.seconds["length"] == pytest.approx(left * 0.5)
    assert one.measured_on["length"] == "cpu (2 cores)"
    assert one.unknown == []
    eight = estimate(session, dataset, REQUEST, devices=8)
    assert eight.hours["length"] == pytest.approx(left * 0.5 / 3600 / 8)
    total = sum(eight.calls.values()) * 0.5 / 3600 / 8
    assert eight.to_dict()["total_hours"] == pytest.approx(total)


def test_a_run_measures_its_components_and_says_on_what(session, dataset):
    score(session, dataset, REQUEST)
    forget(session)
    found = estimate(session, dataset, REQUEST)
    assert found.seconds["length"] > 0
    assert found.measured_on["length"].startswith("cpu (")


def test_devices_are_the_actors_of_the_executor_by_default(session, dataset):
    ray = replace(REQUEST, executor=Choice("executor", "ray", {"actors": "4"}))
    assert estimate(session, dataset, ray).devices == 4


def test_vectors_take_what_those_that_are_there_take(session, dataset):
    score(session, dataset, REQUEST)
    with session.store.reading() as connection:
        length = len(connection.scalar(select(Embedding.vector).limit(1)))
    forget(session)
    found = estimate(session, dataset, REQUEST)
    assert found.data.vectors == {EMBEDDER: length * found.calls[EMBEDDER]}
    assert found.data.read_images == found.calls[EMBEDDER]
    assert 0 < found.data.read_bytes < found.data.image_bytes


def test_nothing_to_do_takes_nothing(session, dataset):
    score(session, dataset, REQUEST)
    found = estimate(session, dataset, REQUEST)
    assert found.calls == {"length": 0, EMBEDDER: 0}
    assert (found.data.read_bytes, found.data.vectors) == (0, {EMBEDDER: 0})
    assert found.to_dict()["total_hours"] == 0


def test_failures_count_where_they_are_to_be_tried_again_and_stay(session, dataset):
    score(session, dataset, REQUEST)
    with session.store.writing() as connection:
        connection.execute(
            update(Score).where(Score.content_id < 6).values(value=None, error="failed", crc=None)
        )
    before = rows(session.store)
    assert estimate(session, dataset, REQUEST).calls["length"] == 0
    again = estimate(session, dataset, replace(REQUEST, retry_failed=True))
    assert again.calls["length"] == 5
    with session.store.reading() as connection:
        failed = select(func.count()).select_from(Score).where(Score.error == "failed")
        assert connection.scalar(failed) == 5
    assert rows(session.store) == before


def test_a_data_set_that_is_not_stored_is_looked_through(session, data, tmp_path):
    source = DatasetSource(data, name="harbour")
    before = rows(session.store)
    assert stored(session, source) is None
    found = estimate_unstored(session, source, REQUEST)
    assert rows(session.store) == before
    assert (found.samples, found.stored) == (N, False)
    assert found.data.images == len(named_pictures(tmp_path))
    dataset = ingest(session, source).dataset
    assert found.calls == estimate(session, dataset, REQUEST).calls
    assert stored(session, source).id == dataset.id


def test_of_many_records_the_first_tell_of_the_others(session, tmp_path, monkeypatch):
    folder = tmp_path / "many"
    folder.mkdir()
    records = []
    for n in range(400):
        if n % 4 == 0:
            Image.new("RGB", (8, 8), (n % 256, n // 256, 0)).save(folder / f"{n}.png")
        turns = [{"from": "human", "value": "<image>\nq"}, {"from": "gpt", "value": f"answer {n}"}]
        records.append({"id": f"r{n}", "image": f"{n // 4 * 4}.png", "conversations": turns})
    (folder / "llava.json").write_text(json.dumps(records))
    source = DatasetSource(folder / "llava.json", name="many")
    monkeypatch.setattr("ig4.core.engine.estimating.survey.ESTIMATED_FROM", 40)
    found = estimate_unstored(session, source, REQUEST)
    assert found.samples == 400
    assert found.data.images == 100
    assert found.calls == {"length": 400, EMBEDDER: 100}
    assert found.data.image_bytes == sum(p.stat().st_size for p in folder.glob("*.png"))


def test_speeds_of_another_data_set_tell_of_one_that_is_not_stored(session, dataset, data):
    score(session, dataset, REQUEST)
    set_speed(session, 1000, 500.0)
    found = estimate_unstored(session, DatasetSource(data, name="new"), REQUEST)
    assert found.seconds["length"] == pytest.approx(79 * 0.5)
    assert found.data.vectors[EMBEDDER] > 0


def test_a_survey_counts_missing_images(session, data):
    heard = []
    session.listeners = [heard.append]
    seen = survey(session, DatasetSource(data, name="harbour"))
    assert (seen.samples, seen.missing) == (N, 1)
    assert any("1 image of harbour is not where" in str(getattr(e, "text", "")) for e in heard)


@pytest.mark.parametrize(
    "more", [{"scorers": [Choice("scorer", "given-again")]}, {"retry_failed": True}]
)
def test_what_a_shard_cannot_do_is_refused_before_anything_is_measured(session, dataset, more):
    before = rows(session.store)
    with pytest.raises(UsageError, match=r"--shard|--retry-failed"):
        measure(session, dataset, replace(REQUEST, shard=Shard(1, 3), **more), 4)
    assert rows(session.store) == before


CLIP = ScoreRequest([Choice("scorer", "clip", {"model": "ig4-tiny", "batch_size": 8})])


@pytest.mark.slow
def test_measuring_begins_the_run_and_keeps_what_it_computes(session, dataset):
    pytest.importorskip("open_clip")
    measure(session, dataset, CLIP, 16)
    found = estimate(session, dataset, CLIP)
    assert found.unknown == []
    assert found.calls["embedder clip"] == 62 - 32
    assert 0 < found.calls["clip"] < 79
    with session.store.reading() as connection:
        # Each sample was measured with the vectors of its own images.
        errors = connection.scalars(select(Score.error).where(Score.error.is_not(None))).all()
    assert "the image was not embedded" not in errors
    assert score(session, dataset, CLIP).embedded == 62 - 32


@pytest.mark.slow
def test_what_is_measured_is_what_a_whole_run_computes(session, dataset, tmp_path, data):
    pytest.importorskip("open_clip")
    measure(session, dataset, CLIP, 16)
    score(session, dataset, CLIP)
    with Store.open(tmp_path / "whole.db") as store:
        whole = Session(store, Host.discover(), [])
        score(whole, ingest(whole, DatasetSource(data, name="harbour")).dataset, CLIP)
        query = select(Score.content_id, Score.value, Score.error).order_by(Score.content_id)
        with store.reading() as one, session.store.reading() as other:
            assert one.execute(query).all() == other.execute(query).all()


@pytest.mark.slow
def test_what_asks_a_service_is_not_measured(session, dataset, llm_server):
    pytest.importorskip("openai")
    measure(session, dataset, ScoreRequest([Choice("scorer", "gpt")]), 16)
    with session.store.reading() as connection:
        assert connection.scalar(select(func.count()).select_from(Score)) == 0


@pytest.mark.slow
def test_money_is_told_of_a_data_set_that_is_not_stored(session, data, llm_server):
    pytest.importorskip("openai")
    request = ScoreRequest([Choice("scorer", "gpt", {"model": "gpt-4o-mini"})])
    found = estimate_unstored(session, DatasetSource(data, name="harbour"), request)
    assert found.asking["gpt"].requests == 79
    assert found.cost > 0
    dataset = ingest(session, DatasetSource(data, name="harbour")).dataset
    assert found.cost == pytest.approx(estimate(session, dataset, request).cost)


def unstored(session, tmp_path, *images):
    turns = [{"from": "human", "value": "<image>\nq"}, {"from": "gpt", "value": "answer"}]
    records = [
        {"id": str(n), "image": name, "conversations": turns} for n, name in enumerate(images)
    ]
    (tmp_path / "far.json").write_text(json.dumps(records))
    return DatasetSource(tmp_path / "far.json", name="far", fetch_images="any")


ADDRESSES = ("http://127.0.0.1:9/a.png", "http://127.0.0.1:9/b.png")


def test_bytes_of_images_at_addresses_are_unknown_and_not_none(session, tmp_path):
    seen = survey(session, unstored(session, tmp_path, *ADDRESSES))
    assert (seen.images, seen.image_bytes, seen.unsized, seen.missing) == (2, None, 2, 0)


def test_a_sum_with_an_unknown_part_is_unknown_and_tells_the_known_part(session, tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "here.png")
    seen = survey(session, unstored(session, tmp_path, "here.png", *ADDRESSES))
    size = (tmp_path / "here.png").stat().st_size
    assert (seen.image_bytes, seen.known_bytes, seen.unsized) == (None, size, 2)


@pytest.mark.parametrize(
    ("known", "told"),
    [(0, "2 images, of unknown size"), (1500, "3 images, 1.5 kB and 2 images of unknown size")],
)
def test_unknown_bytes_are_null_and_told_in_words(session, data, capsys, known, told):
    images = 3 if known else 2
    work = Workload(images, None, images, None, {}, 2, known)
    found = estimate_unstored(session, DatasetSource(data, name="harbour"), REQUEST)
    print_score_estimate(replace(found, data=work))
    assert told in capsys.readouterr().out
    assert (work.to_dict()["image_bytes"], work.to_dict()["read_bytes"]) == (None, None)
