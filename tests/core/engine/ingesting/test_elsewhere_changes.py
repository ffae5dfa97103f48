"""Data that changes where it lies, and servers that tell little of it."""

import io
import json
import tarfile
from collections import Counter

import pytest
from PIL import Image
from sqlalchemy import text

from ig4.core.engine.exporting.export import ExportTarget, export
from ig4.core.engine.ingesting.ingest import DatasetSource, ingest
from ig4.core.engine.scoring.plan import ScoreRequest
from ig4.core.engine.scoring.score import score
from ig4.core.errors import DatasetError
from ig4.core.files.remote import fetching, web
from ig4.core.files.remote.credentials import cleaned
from ig4.core.records import Choice

from ....file_server import serving
from ...conftest import picture, record


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("IG4_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(web, "wait_seconds", lambda error, tries: 0.01)
    fetching._unreached.clear()
    return tmp_path / "cache"


@pytest.fixture
def home(tmp_path):
    folder = tmp_path / "served"
    folder.mkdir()
    return folder


@pytest.fixture
def server(home):
    with serving(home) as running:
        yield running


def pixels(colour):
    """Return an image; those of all colours have as many bytes."""
    out = io.BytesIO()
    Image.new("RGB", (16, 16), colour).save(out, "BMP")
    return out.getvalue()


def write_shard(home, *colours):
    with tarfile.open(home / "s.tar", "w") as tar:
        for n, colour in enumerate(colours):
            data = json.dumps({"id": f"{n}", "question": "What?", "answer": f"{n}"}).encode()
            for ending, content in (("bmp", pixels(colour)), ("json", data)):
                member = tarfile.TarInfo(f"{n}.{ending}")
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))


def write_parquet(home, *colours):
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    rows = [
        {"id": str(n), "instruction": "What?", "answer": f"{n}",
         "image": {"bytes": pixels(colour), "path": None}}
        for n, colour in enumerate(colours)
    ]  # fmt: skip
    pq.write_table(pa.Table.from_pylist(rows), home / "p.parquet")


def shown(session, name):
    """Return the sha256 of each sample's image."""
    sql = (
        "SELECT s.external_id, i.sha256 FROM samples s JOIN datasets d ON d.id = s.dataset_id "
        "JOIN sample_images m ON m.sample_id = s.id JOIN image_files f ON f.id = m.file_id "
        f"LEFT JOIN images i ON i.id = f.image_id WHERE d.name = '{name}' ORDER BY 1"
    )
    with session.store.reading() as connection:
        return [tuple(row) for row in connection.execute(text(sql))]


def lose_contents(cache):
    for file in (cache / "data").rglob("*"):
        if file.is_file():
            file.unlink()


@pytest.mark.parametrize(("write", "name"), [(write_shard, "s.tar"), (write_parquet, "p.parquet")])
def test_a_file_that_changed_has_other_images(session, server, home, tmp_path, write, name):
    source = DatasetSource(f"{server.url}/{name}", name="far")
    write(home, "red", "blue")
    ingest(session, source)
    write(home, "green", "white")
    dataset = ingest(session, source).dataset
    ingest(session, DatasetSource(home / name, name="near"))
    assert shown(session, "far") == shown(session, "near")
    done = export(session, dataset, ExportTarget(tmp_path / "out" / "a.jsonl"))
    assert (done.samples, done.copied) == (2, 2)
    assert ingest(session, source).changed_images == 0


def test_parts_of_an_older_shard_are_not_those_of_a_newer_one(session, server, home, cache):
    """They were fetched by their place, which is that of other images now."""
    source = DatasetSource(f"{server.url}/s.tar", name="far")
    write_shard(home, "red", "blue")
    dataset = ingest(session, source).dataset
    lose_contents(cache)
    score(session, dataset, ScoreRequest(scorers=(Choice("scorer", "pixels"),)))
    write_shard(home, "green", "white", "red")
    ingest(session, source)
    ingest(session, DatasetSource(home / "s.tar", name="near"))
    assert shown(session, "far") == shown(session, "near")


def plain(home, name, **headers):
    """Answer with a file of the folder, and no more headers than these."""
    return lambda handler: handler.simple(200, (home / name).read_bytes(), **headers)


def lines(*texts):
    return "".join(json.dumps({"id": t, "instruction": "x", "answer": t}) + "\n" for t in texts)


def gets(server):
    return sum(method == "GET" for method, *_ in server.requests)


@pytest.mark.parametrize("status", [403, 405, 501])
def test_a_file_whose_head_is_refused_is_fetched_once_a_command(session, server, home, status):
    served = plain(home, "a.jsonl", ETag='"1"')
    server.answers["/x.jsonl"] = lambda handler: (
        handler.simple(status, b"") if handler.command == "HEAD" else served(handler)
    )
    source = DatasetSource(f"{server.url}/x.jsonl", name="far")
    (home / "a.jsonl").write_text(lines("1"))
    ingest(session, source)
    assert gets(server) == 1
    assert ingest(session, source).unchanged
    (home / "a.jsonl").write_text(lines("1", "2"))
    served = plain(home, "a.jsonl", ETag='"2"')
    assert ingest(session, source).samples == 2
    assert gets(server) == 3


def test_a_file_whose_version_is_another_one_when_it_is_sent_is_fetched_once(session, server, home):
    (home / "a.jsonl").write_text(lines("1"))
    numbers = Counter()

    def answer(handler):
        numbers[handler.command] += 1
        plain(home, "a.jsonl", ETag=f'"{handler.command}"')(handler)

    server.answers["/x.jsonl"] = answer
    assert ingest(session, DatasetSource(f"{server.url}/x.jsonl", name="far")).samples == 1
    assert numbers["GET"] == 1


def test_changed_records_are_seen_without_a_version(session, server, home):
    server.answers["/x.jsonl"] = plain(home, "a.jsonl")
    source = DatasetSource(f"{server.url}/x.jsonl", name="far")
    (home / "a.jsonl").write_text(lines("1"))
    ingest(session, source)
    assert ingest(session, source).unchanged
    (home / "a.jsonl").write_text(lines("2"))
    assert (ingest(session, source).gone, gets(server)) == (1, 3)


def test_a_file_that_is_shorter_than_the_server_said_is_refused(session, server, home):
    (home / "a.jsonl").write_text(lines("1"))
    server.answers["/x.jsonl"] = lambda handler: (
        handler.simple(200, b"", Content_Length="1000")
        if handler.command == "HEAD"
        else plain(home, "a.jsonl")(handler)
    )
    with pytest.raises(DatasetError, match="and had 1,000 a moment before"):
        ingest(session, DatasetSource(f"{server.url}/x.jsonl"))


@pytest.mark.parametrize("length", ["9" * 18, "9" * 19])
def test_a_length_beyond_all_measure_is_told_by_the_address(session, server, length):
    server.answers["/x.jsonl"] = lambda handler: handler.simple(
        200, b"", Content_Length=length, ETag='"1"'
    )
    with pytest.raises(
        DatasetError, match=r"/x\.jsonl cannot be read: it says that it has"
    ) as told:
        ingest(session, DatasetSource(f"{server.url}/x.jsonl"))
    assert "ig4-view" not in str(told.value)


def by_query(home):
    def answer(handler):
        name = handler.path.partition("=")[2].partition("&")[0]
        plain(home, f"{name}.jsonl" if "." not in name else name)(handler)

    return answer


@pytest.mark.parametrize("pattern", ["get?f=k-{000..002}.jsonl", "get.jsonl?f=k-{000..002}"])
def test_a_pattern_in_a_query_names_all_its_files(session, server, home, pattern):
    for n in range(3):
        (home / f"k-{n:03}.jsonl").write_text(lines(f"{n}a", f"{n}b"))
    server.answers["/get"] = server.answers["/get.jsonl"] = by_query(home)
    done = ingest(session, DatasetSource(f"{server.url}/{pattern}", name="far"))
    assert done.samples == 6
    assert [one for one, _ in external_ids(session)] == ["0a", "0b", "1a", "1b", "2a", "2b"]


def external_ids(session):
    with session.store.reading() as connection:
        found = connection.execute(text("SELECT external_id, id FROM samples ORDER BY ordinal"))
        return [tuple(row) for row in found]


def test_a_password_counts_for_a_pattern_and_for_images_beside_the_records(session, server, home):
    picture(home / "im.png", "red")
    for n in range(3):
        (home / f"k-{n:03}.jsonl").write_text(json.dumps(record(f"{n}", "x", "im.png")))
    host = server.url.removeprefix("http://")
    for name in ("k-{000..002}.jsonl", "k-000.jsonl"):
        server.requests.clear()
        address = cleaned(f"http://u:passw0rd@{host}/{name}")
        done = ingest(session, DatasetSource(address, name=f"far{len(name)}", refetch=True))
        assert done.unreadable_images == 0
        assert server.requests
        assert all("Authorization" in headers for _, _, headers in server.requests)
