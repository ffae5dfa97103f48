"""Data sets in an object store: S3 as moto has it, on this machine."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pytest
from sqlalchemy import text

from ig4.core.engine.ingesting.ingest import DatasetSource, ingest
from ig4.core.engine.scoring.plan import ScoreRequest
from ig4.core.engine.scoring.score import score
from ig4.core.errors import DatasetError
from ig4.core.records import Choice, Record, Turn
from ig4.plugins.formats.hf import HuggingFace

from ...conftest import picture, record

pytestmark = pytest.mark.slow

KEY, SECRET = "canary-access-key-0123", "canary-secret-key-0123"


@pytest.fixture(scope="module")
def endpoint():
    pytest.importorskip("s3fs")
    server = pytest.importorskip("moto.server").ThreadedMotoServer(port=0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    yield f"http://127.0.0.1:{port}"
    server.stop()


@pytest.fixture
def bucket(endpoint, tmp_path, monkeypatch):
    """An S3 file system with a bucket `data`, as the environment names it."""
    import s3fs

    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("IG4_CACHE_DIR", str(tmp_path / "cache"))
    s3fs.S3FileSystem.clear_instance_cache()
    store = s3fs.S3FileSystem()
    if store.exists("data"):
        store.rm("data", recursive=True)
    store.mkdir("data")
    yield store
    s3fs.S3FileSystem.clear_instance_cache()


@pytest.fixture
def home(tmp_path, bucket):
    """A LLaVA data set here and, the same, in the bucket."""
    folder = tmp_path / "here"
    for number, colour in enumerate(("red", "green", "blue")):
        picture(folder / "images" / f"{number} #x.png", colour)
    records = [record(str(n), f"answer {n}", f"images/{n} #x.png") for n in range(3)]
    (folder / "llava.json").write_text(json.dumps(records))
    for file in folder.rglob("*"):
        if file.is_file():
            bucket.put_file(str(file), f"data/set/{file.relative_to(folder).as_posix()}")
    return folder


def contents(session, name):
    sql = (
        "SELECT s.external_id, c.hash FROM samples s JOIN contents c ON c.id = s.content_id "
        f"JOIN datasets d ON d.id = s.dataset_id WHERE d.name = '{name}' ORDER BY s.ordinal"
    )
    with session.store.reading() as connection:
        return [tuple(row) for row in connection.execute(text(sql))]


@pytest.mark.parametrize("where", ["s3://data/set", "s3://data/set/llava.json"])
def test_a_data_set_in_a_bucket_is_the_one_it_is_a_copy_of(session, home, where):
    ingest(session, DatasetSource(home / "llava.json", name="near"))
    far = ingest(session, DatasetSource(where, name="far"))
    assert far.unreadable_images == 0
    assert contents(session, "far") == contents(session, "near")
    done = score(session, far.dataset, ScoreRequest(scorers=(Choice("scorer", "pixels"),)))
    assert done.failed.get("pixels", 0) == 0
    assert ingest(session, DatasetSource(where, name="far")).unchanged


def test_images_may_be_in_a_bucket_and_records_here(session, home, tmp_path):
    (tmp_path / "near").mkdir()
    path = tmp_path / "near" / "llava.json"
    path.write_bytes((home / "llava.json").read_bytes())
    ingest(session, DatasetSource(home / "llava.json", name="near"))
    ingest(session, DatasetSource(path, name="apart", image_root="s3://data/set"))
    assert contents(session, "apart") == contents(session, "near")


@pytest.mark.parametrize("pattern", ["s3://data/shards/s-{0..1}.tar", "s3://data/shards/*.tar"])
def test_shards_in_a_bucket_are_read_where_they_lie(session, home, bucket, tmp_path, pattern):
    for number in range(2):
        with tarfile.open(tmp_path / f"s-{number}.tar", "w") as tar:
            (tmp_path / "k.json").write_text(json.dumps({"question": "?", "answer": f"{number}"}))
            tar.add(home / "images" / f"{number} #x.png", f"{number}.png")
            tar.add(tmp_path / "k.json", f"{number}.json")
        bucket.put_file(str(tmp_path / f"s-{number}.tar"), f"data/shards/s-{number}.tar")
    ingest(session, DatasetSource(tmp_path / "s-{0..1}.tar", name="near"))
    far = ingest(session, DatasetSource(pattern, name="far"))
    assert contents(session, "far") == contents(session, "near")
    for file in (tmp_path / "cache" / "data").rglob("*"):
        if file.is_file():
            file.unlink()
    done = score(session, far.dataset, ScoreRequest(scorers=(Choice("scorer", "pixels"),)))
    assert done.failed.get("pixels", 0) == 0


def test_what_is_not_in_a_bucket_is_told_in_one_line(session, bucket):
    for where in ("s3://data/none.json", "s3://data/none", "s3://no-such-bucket/a.json"):
        with pytest.raises(DatasetError, match="nothing is there"):
            ingest(session, DatasetSource(where))


def test_records_may_not_name_other_buckets(session, home, bucket):
    (home / "other.json").write_text(json.dumps([record("0", "x", "s3://private/a.png")]))
    bucket.put_file(str(home / "other.json"), "data/set/other.json")
    done = ingest(session, DatasetSource("s3://data/set/other.json", fetch_images="any"))
    assert done.unreadable_images == 1
    with session.store.reading() as connection:
        problem = connection.scalar(text("SELECT problem FROM image_files"))
    assert "allow its folder with --image-root" in problem


def test_keys_of_the_environment_are_nowhere(session, home, tmp_path):
    ingest(session, DatasetSource("s3://data/set", name="far"))
    with pytest.raises(DatasetError) as caught:
        ingest(session, DatasetSource("s3://data/none.json"))
    folders = [tmp_path / "cache", Path(session.store.location).parent]
    kept = b"".join(
        file.read_bytes() for folder in folders for file in folder.rglob("*") if file.is_file()
    )
    for secret in (KEY, SECRET):
        assert secret.encode() not in kept
        assert secret not in str(caught.value)


def put_folder(bucket, folder, name):
    for file in folder.rglob("*"):
        if file.is_file():
            bucket.put_file(str(file), f"data/{name}/{file.relative_to(folder).as_posix()}")


def test_a_folder_that_datasets_saved_is_read_in_a_bucket(session, bucket, tmp_path):
    saved = tmp_path / "saved"
    turns = (Turn("user", "What?"), Turn("assistant", "One."))
    HuggingFace(HuggingFace.Options()).write([Record(str(n), turns) for n in range(3)], saved)
    put_folder(bucket, saved, "saved")
    ingest(session, DatasetSource(saved, name="near"))
    far = ingest(session, DatasetSource("s3://data/saved", name="far"))
    assert (far.dataset.format, far.samples) == ("hf", 3)
    assert contents(session, "far") == contents(session, "near")


def test_what_a_dataset_info_says_counts_in_a_bucket(session, bucket, tmp_path):
    """Without it, nobody knows these speakers."""
    here = tmp_path / "factory"
    here.mkdir()
    talk = [{"who": "asker", "says": "What?"}, {"who": "teller", "says": "One."}]
    (here / "talks.json").write_text(json.dumps([{"id": "1", "talk": talk, "images": []}]))
    tags = {"role_tag": "who", "content_tag": "says", "user_tag": "asker"}
    entry = {
        "file_name": "talks.json", "formatting": "sharegpt",
        "columns": {"messages": "talk"}, "tags": {**tags, "assistant_tag": "teller"},
    }  # fmt: skip
    (here / "dataset_info.json").write_text(json.dumps({"talks": entry}))
    put_folder(bucket, here, "factory")
    ingest(session, DatasetSource(here, name="near"))
    far = ingest(session, DatasetSource("s3://data/factory", name="far"))
    assert (far.dataset.format, far.problems) == ("sharegpt", {})
    assert contents(session, "far") == contents(session, "near")


def test_an_image_without_a_byte_is_empty_and_asked_for_once(session, home, bucket):
    bucket.pipe_file("data/set/images/1 #x.png", b"")
    source = DatasetSource(home / "llava.json", name="empty", image_root="s3://data/set")
    (home / "images" / "1 #x.png").unlink()
    ingest(session, source)
    with session.store.reading() as connection:
        problems = "SELECT problem, mtime_ns FROM image_files WHERE problem IS NOT NULL"
        ((problem, time),) = connection.execute(text(problems))
    assert problem == "images/1 #x.png: the image file is empty"
    assert time is not None
