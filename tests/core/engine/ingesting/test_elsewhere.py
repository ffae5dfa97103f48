"""Data sets and images at addresses: read as local ones, and told of as what they are."""

import dataclasses
import gzip
import io
import json
import socket
import sqlite3
import tarfile
from pathlib import Path

import pytest
from sqlalchemy import text

from ig4.core.engine.exporting.export import ExportTarget, export
from ig4.core.engine.ingesting import files
from ig4.core.engine.ingesting.ingest import DatasetSource, ingest
from ig4.core.engine.scoring.plan import ScoreRequest
from ig4.core.engine.scoring.score import score
from ig4.core.errors import DatasetError, MissingExtraError, UsageError
from ig4.core.files.remote import fetching, web
from ig4.core.files.remote.cache import remote_cache
from ig4.core.files.remote.credentials import cleaned
from ig4.core.records import Choice
from ig4.storage import samples

from ....file_server import serving
from ...conftest import picture, record


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("IG4_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(web, "wait_seconds", lambda error, tries: 0.01)
    fetching._unreached.clear()
    return remote_cache()


@pytest.fixture
def home(tmp_path):
    """A LLaVA data set in the folder that the server serves."""
    folder = tmp_path / "served"
    for number, colour in enumerate(("red", "green", "blue")):
        picture(folder / "images" / f"{number} x.png", colour)
    records = [record(str(n), f"answer {n}", f"images/{n} x.png") for n in range(3)]
    (folder / "llava.json").write_text(json.dumps(records))
    return folder


@pytest.fixture
def server(home):
    with serving(home) as running:
        yield running


def rows(session, sql):
    with session.store.reading() as connection:
        return [tuple(row) for row in connection.execute(text(sql))]


def contents(session, name):
    return rows(
        session,
        "SELECT s.external_id, c.hash FROM samples s JOIN contents c ON c.id = s.content_id "
        f"JOIN datasets d ON d.id = s.dataset_id WHERE d.name = '{name}' ORDER BY s.ordinal",
    )


def failures(session, dataset):
    """Score what reads pixels; return how many samples failed."""
    request = ScoreRequest(scorers=(Choice("scorer", "pixels"),), retry_failed=True)
    return score(session, dataset, request).failed.get("pixels", 0)


def test_a_data_set_of_the_web_is_the_one_it_is_a_copy_of(session, home, server):
    ingest(session, DatasetSource(home / "llava.json", name="local"))
    far = ingest(session, DatasetSource(f"{server.url}/llava.json", name="far"))
    assert contents(session, "far") == contents(session, "local")
    assert far.dataset.path == f"{server.url}/llava.json"
    assert failures(session, far.dataset) == 0


def test_records_and_images_may_lie_apart(session, home, server, tmp_path):
    (tmp_path / "near").mkdir()
    (tmp_path / "near" / "llava.json").write_bytes((home / "llava.json").read_bytes())
    ingest(session, DatasetSource(home / "llava.json", name="local"))
    ingest(
        session,
        DatasetSource(tmp_path / "near" / "llava.json", name="apart", image_root=server.url),
    )
    assert contents(session, "apart") == contents(session, "local")
    assert not any("llava.json" in path for _, path, _ in server.requests)


def test_faults_of_the_server_change_nothing(session, home, server):
    ingest(session, DatasetSource(home / "llava.json", name="local"))
    server.faults = 0.4
    done = ingest(session, DatasetSource(f"{server.url}/llava.json", name="far"))
    assert done.unreadable_images == 0
    assert contents(session, "far") == contents(session, "local")
    assert server.spoiled.total() > 0


def test_what_did_not_change_is_asked_for_once(session, server):
    source = DatasetSource(f"{server.url}/llava.json", name="far")
    ingest(session, source)
    before = len(server.requests)
    assert ingest(session, source).unchanged
    assert [method for method, *_ in server.requests[before:]] == ["HEAD"]


def test_a_server_that_knows_no_head_is_asked_for_the_file(session, server):
    server.heads = False
    source = DatasetSource(f"{server.url}/llava.json", name="far")
    assert ingest(session, source).samples == 3
    assert ingest(session, source).unchanged


def test_changed_records_are_read_again(session, home, server):
    source = DatasetSource(f"{server.url}/llava.json", name="far")
    ingest(session, source)
    (home / "llava.json").write_text(json.dumps([record("9", "new", "images/0 x.png")]))
    done = ingest(session, source)
    assert (done.unchanged, done.samples, done.gone) == (False, 1, 3)


def test_the_cache_serves_what_the_server_has_no_more(session, server, home):
    dataset = ingest(session, DatasetSource(f"{server.url}/llava.json", name="far")).dataset
    for file in (home / "images").iterdir():
        file.unlink()
    assert failures(session, dataset) == 0


def test_an_image_that_is_fetched_again_and_differs_is_told(session, server, home, cache):
    source = DatasetSource(f"{server.url}/llava.json", name="far")
    dataset = ingest(session, source).dataset
    picture(home / "images" / "1 x.png", "white")
    for (digest,) in rows(session, "SELECT sha256 FROM images"):
        cache.drop(digest)
    assert failures(session, dataset) == 1
    ((error,),) = rows(session, "SELECT error FROM scores WHERE error IS NOT NULL")
    assert "the image changed since it was ingested: run `ig4 ingest` again" in error
    again = ingest(session, source)
    assert (again.unchanged, again.changed_images) == (True, 1)
    assert failures(session, dataset) == 0


def test_images_are_fetched_again_on_request(session, server, home):
    source = DatasetSource(f"{server.url}/llava.json", name="far")
    ingest(session, source)
    picture(home / "images" / "1 x.png", "white")
    assert ingest(session, source).changed_images == 0
    again = DatasetSource(f"{server.url}/llava.json", name="far", refetch=True)
    assert ingest(session, again).changed_images == 1


@pytest.mark.parametrize("date", [None, "Tue, 01 Dec 2026 00:00:00 GMT"])
def test_an_image_that_did_not_change_is_not_sent_again(session, server, home, date):
    server.modified = date
    far = f"{server.url}/llava.json"
    ingest(session, DatasetSource(far, name="far"))
    before = contents(session, "far")
    again = ingest(session, DatasetSource(far, name="far", refetch=True))
    asked = ["/images/0%20x.png", "/images/1%20x.png", "/images/2%20x.png"]
    assert sorted(server.unchanged) == asked
    assert (again.changed_images, again.fetched.files, again.fetched.unchanged) == (0, 0, 3)
    assert contents(session, "far") == before


def test_one_that_did_is_told_beside_those_that_did_not(session, server, home, notices):
    far = f"{server.url}/llava.json"
    ingest(session, DatasetSource(far, name="far"))
    picture(home / "images" / "1 x.png", "white")
    again = ingest(session, DatasetSource(far, name="far", refetch=True))
    assert (again.changed_images, again.fetched.files, again.fetched.unchanged) == (1, 1, 2)
    assert any("1 image of far changed" in one for one in notices())


@pytest.mark.parametrize("dated", [True, False])
def test_an_older_file_in_the_place_of_a_newer_one_is_another(session, server, home, dated):
    """A server that is asked what changed since a date says of an older file that it did not."""
    server.dated = dated
    server.modified = "Tue, 01 Dec 2026 00:00:00 GMT"
    far = f"{server.url}/llava.json"
    ingest(session, DatasetSource(far, name="far"))
    before = contents(session, "far")
    picture(home / "images" / "1 x.png", "white")
    server.modified = "Mon, 02 Nov 2026 00:00:00 GMT"
    again = ingest(session, DatasetSource(far, name="far", refetch=True))
    assert again.fetched.unchanged == 0
    assert len(set(contents(session, "far")) - set(before)) == 1


def test_a_server_that_sends_all_again_is_understood(session, server, home):
    server.conditional = False
    far = f"{server.url}/llava.json"
    ingest(session, DatasetSource(far, name="far"))
    again = ingest(session, DatasetSource(far, name="far", refetch=True))
    assert (again.changed_images, again.fetched.files, again.fetched.unchanged) == (0, 3, 0)


def test_what_the_cache_lost_is_sent_again(session, server, home, cache):
    far = f"{server.url}/llava.json"
    ingest(session, DatasetSource(far, name="far"))
    for (digest,) in rows(session, "SELECT sha256 FROM images"):
        cache.drop(digest)
    again = ingest(session, DatasetSource(far, name="far", refetch=True))
    assert (again.fetched.files, again.fetched.unchanged) == (3, 0)


def test_an_image_that_is_gone_when_it_is_asked_for_again_is_a_problem(session, server, home):
    far = f"{server.url}/llava.json"
    ingest(session, DatasetSource(far, name="far"))
    (home / "images" / "1 x.png").unlink()
    again = ingest(session, DatasetSource(far, name="far", refetch=True))
    assert (again.changed_images, again.unreadable_images) == (1, 1)


def test_records_of_a_server_without_head_are_not_sent_again(session, server):
    server.heads = False
    source = DatasetSource(f"{server.url}/llava.json", name="far")
    ingest(session, source)
    assert ingest(session, source).unchanged
    assert server.unchanged == ["/llava.json"]


def test_images_that_records_name_are_asked_for_again_likewise(session, server, home, tmp_path):
    near = tmp_path / "laion.json"
    near.write_text(json.dumps([record("0", "red", f"{server.url}/images/0%20x.png")]))
    source = DatasetSource(near, name="laion", fetch_images="any")
    ingest(session, source)
    again = ingest(session, dataclasses.replace(source, refetch=True))
    assert (again.fetched.files, again.fetched.unchanged) == (0, 1)
    picture(home / "images" / "0 x.png", "white")
    changed = ingest(session, dataclasses.replace(source, refetch=True))
    assert (changed.changed_images, changed.fetched.files) == (1, 1)


def test_a_missing_image_is_a_problem_of_its_sample(session, server, home):
    (home / "images" / "1 x.png").unlink()
    done = ingest(session, DatasetSource(f"{server.url}/llava.json", name="far"))
    assert (done.samples, done.unreadable_images) == (3, 1)
    ((problem,),) = rows(session, "SELECT problem FROM image_files WHERE problem IS NOT NULL")
    assert problem == (
        "images/1 x.png: the image cannot be read (the server answers 404 (not found))"
    )


def test_what_was_gone_is_not_asked_for_again_and_what_failed_is(session, server, home):
    (home / "images" / "1 x.png").unlink()
    server.answers["/images/2%20x.png"] = lambda handler: handler.simple(503, b"busy")
    source = DatasetSource(f"{server.url}/llava.json", name="far")
    ingest(session, source)
    server.answers.clear()
    before = len(server.requests)
    assert ingest(session, source).changed_images == 1
    asked = [path for method, path, _ in server.requests[before:] if method == "GET"]
    assert asked == ["/images/2%20x.png"]


def test_a_host_that_is_not_known_is_asked_for_once_a_command(session, home, server, monkeypatch):
    """A machine without a network knows no host: what it could not fetch it fetches later."""
    known, asked = socket.getaddrinfo, []

    def resolved(host, *rest, **more):
        if host != "photos.invalid":
            return known(host, *rest, **more)
        asked.append(host)
        if len(asked) == 1:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return known("127.0.0.1", *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", resolved)
    monkeypatch.setattr(files, "_FETCHING", 1)
    names = [f"http://photos.invalid:{server.port}/images/{n}%20x.png" for n in range(3)]
    path = of_web(home, *names)
    assert ingest(session, DatasetSource(path, fetch_images="any")).unreadable_images == 3
    assert len(asked) == 1
    fetching._unreached.clear()  # as another command begins
    done = ingest(session, DatasetSource(path, fetch_images="any"))
    assert (done.unreadable_images, done.changed_images) == (0, 3)


@pytest.mark.parametrize("name", ["../secret.png", "/etc/passwd", "%2e%2e/secret.png"])
def test_names_do_not_lead_out_of_the_folder(session, server, home, name):
    picture(home.parent / "secret.png", "red")
    (home / "llava.json").write_text(json.dumps([record("a", "one", name)]))
    ingest(session, DatasetSource(f"{server.url}/llava.json", name="far"))
    ((_, problem),) = rows(session, "SELECT path, problem FROM image_files")
    assert problem
    asked = {path for _, path, _ in server.requests} - {"/llava.json"}
    assert asked <= {"/%252e%252e/secret.png"}  # a file of that very name, below the folder


def test_a_file_that_is_not_there_is_an_error_of_one_line(session, server):
    with pytest.raises(DatasetError) as caught:
        ingest(session, DatasetSource(f"{server.url}/none.json"))
    assert str(caught.value) == (
        f"{server.url}/none.json cannot be read: the server answers 404 (not found)"
    )


def test_a_folder_of_the_web_cannot_be_listed(session, server):
    with pytest.raises(UsageError, match="whose files nobody lists: name a file, or a pattern"):
        ingest(session, DatasetSource(f"{server.url}/"))


def test_broken_records_are_told_by_their_address(session, server, home):
    (home / "llava.json").write_text('[{"id": 1,}]')
    with pytest.raises(DatasetError) as caught:
        ingest(session, DatasetSource(f"{server.url}/llava.json"))
    assert f"{server.url}/llava.json" in str(caught.value)
    assert "ig4-view" not in str(caught.value)


def test_compressed_records_are_read(session, server, home):
    data = (home / "llava.json").read_bytes()
    (home / "packed.json.gz").write_bytes(gzip.compress(data))
    done = ingest(session, DatasetSource(f"{server.url}/packed.json.gz"))
    assert (done.dataset.name, done.samples) == ("packed", 3)


def test_shards_that_a_pattern_names_are_one_data_set(session, server, home):
    lines = [json.dumps(record(str(n), "x", "images/0 x.png")) for n in range(6)]
    for n in range(3):
        (home / f"part-{n:03}.jsonl").write_text("\n".join(lines[2 * n : 2 * n + 2]))
    done = ingest(session, DatasetSource(f"{server.url}/part-{{000..002}}.jsonl", name="many"))
    assert done.samples == 6
    assert [one for one, _ in contents(session, "many")] == list("012345")


# WebDataset shards.


@pytest.fixture
def shards(home):
    for number in range(2):
        with tarfile.open(home / f"s-{number}.tar", "w") as tar:
            for n in range(3):
                data = {"id": f"{number}{n}", "question": "What?", "answer": f"{n}"}
                for ending, content in (
                    ("png", (home / "images" / f"{n} x.png").read_bytes()),
                    ("json", json.dumps(data).encode()),
                ):
                    member = tarfile.TarInfo(f"{n}.{ending}")
                    member.size = len(content)
                    tar.addfile(member, io.BytesIO(content))
    return home


def test_images_are_read_where_they_lie_in_a_shard(session, shards):
    dataset = ingest(session, DatasetSource(shards / "s-{0..1}.tar", name="near")).dataset
    assert failures(session, dataset) == 0
    assert not session.store.image_folder.exists()
    paths = rows(session, "SELECT DISTINCT path FROM image_files ORDER BY 1")
    assert paths == [(str(shards / "s-0.tar"),), (str(shards / "s-1.tar"),)]


def test_a_shard_that_was_written_anew_is_read_again(session, shards):
    source = DatasetSource(shards / "s-0.tar", name="near")
    ingest(session, source)
    data = bytearray((shards / "s-0.tar").read_bytes())
    at = data.index(b"IDAT") + 10
    data[at] ^= 1
    (shards / "s-0.tar").write_bytes(data)
    assert not ingest(session, source).unchanged


def test_a_shard_that_changed_is_not_read_as_what_it_was(session, shards):
    dataset = ingest(session, DatasetSource(shards / "s-0.tar", name="near")).dataset
    (shards / "s-0.tar").write_bytes(b"\0" * 700)
    assert failures(session, dataset) == 3


def test_shards_of_the_web_are_what_they_are_here(session, shards, server):
    ingest(session, DatasetSource(shards / "s-{0..1}.tar", name="near"))
    server.faults = 0.2
    far = ingest(session, DatasetSource(f"{server.url}/s-{{0..1}}.tar", name="far")).dataset
    assert contents(session, "far") == contents(session, "near")
    assert failures(session, far) == 0


def test_images_of_a_shard_are_fetched_by_their_place_where_the_cache_lost_it(
    session, shards, server, cache
):
    far = ingest(session, DatasetSource(f"{server.url}/s-0.tar", name="far")).dataset
    for file in (cache.folder / "data").rglob("*"):
        if file.is_file():
            file.unlink()
    before = len(server.requests)
    assert failures(session, far) == 0
    asked = server.requests[before:]
    assert len(asked) == 3
    assert all(headers["Range"].startswith("bytes=") for _, _, headers in asked)


def test_an_export_fetches_what_it_needs(session, server, tmp_path, cache):
    dataset = ingest(session, DatasetSource(f"{server.url}/llava.json", name="far")).dataset
    done = export(session, dataset, ExportTarget(tmp_path / "out" / "llava.json"))
    assert (done.samples, done.linked, done.copied) == (3, 0, 3)
    names = sorted(file.name for file in (tmp_path / "out" / "images").iterdir())
    assert names == ["0 x.png", "1 x.png", "2 x.png"]


# Addresses inside of records.


def of_web(home, *addresses):
    records = [record(str(n), "x", address) for n, address in enumerate(addresses)]
    (home.parent / "web.json").write_text(json.dumps(records))
    return home.parent / "web.json"


def test_nothing_is_fetched_unasked(session, home, server):
    path = of_web(home, f"{server.url}/images/0%20x.png")
    done = ingest(session, DatasetSource(path))
    assert done.unreadable_images == 1
    ((problem,),) = rows(session, "SELECT problem FROM image_files")
    assert "--fetch-images public" in problem
    assert server.requests == []


def test_hosts_that_are_not_public_are_not_asked(session, home, server):
    path = of_web(home, f"{server.url}/images/0%20x.png", "http://169.254.169.254/latest/a.png")
    done = ingest(session, DatasetSource(path, fetch_images="public"))
    assert done.unreadable_images == 2
    problems = rows(session, "SELECT problem FROM image_files")
    assert all("not public: allow that with --fetch-images any" in one for (one,) in problems)
    assert server.requests == []


def test_images_are_fetched_from_where_records_say(session, home, server):
    ingest(session, DatasetSource(home / "llava.json", name="near"))
    path = of_web(home, *(f"{server.url}/images/{n}%20x.png" for n in range(3)))
    far = ingest(session, DatasetSource(path, name="far", fetch_images="any")).dataset
    digests = "SELECT DISTINCT image_id FROM image_files WHERE dataset_id = {}"
    assert len(rows(session, "SELECT id FROM images")) == 3
    assert len(rows(session, digests.format(far.id))) == 3
    assert failures(session, far) == 0


def test_bad_links_are_problems_of_their_samples(session, home, server):
    server.answers["/page.png"] = lambda handler: handler.simple(
        200, b"<html>gone", Content_Type="text/html"
    )
    server.answers["/huge.png"] = lambda handler: handler.simple(
        200, b"", Content_Length=str(1 << 40)
    )
    server.answers["/empty.png"] = lambda handler: handler.simple(200, b"")
    server.answers["/junk.png"] = lambda handler: handler.simple(
        200, b"\xff\xd8\xff", Content_Type="image/png"
    )
    names = ["dead", "page", "huge", "empty", "junk"]
    good = f"{server.url}/images/0%20x.png"
    bad = [f"{server.url}/{name}.png" for name in names]
    other = ["https://host.invalid/a.png", "https://[broken/a.png"]
    path = of_web(home, good, *bad, *other)
    done = ingest(session, DatasetSource(path, fetch_images="any"))
    assert (done.samples, done.unreadable_images) == (8, 7)
    told = dict(rows(session, "SELECT name, problem FROM image_files"))
    assert told[good] is None
    for name, words in zip(bad, ("404", "text/html", "larger than", "empty", ""), strict=True):
        assert words in told[name]
    assert "host is not known" in told["https://host.invalid/a.png"]
    assert "missing" in told["https://[broken/a.png"]


def test_consent_is_stored_with_the_data_set_and_can_be_taken_back(session, home, server, cache):
    path = of_web(home, f"{server.url}/images/0%20x.png")
    far = ingest(session, DatasetSource(path, name="far", fetch_images="any")).dataset
    for (digest,) in rows(session, "SELECT sha256 FROM images"):
        cache.drop(digest)
    assert failures(session, far) == 0  # fetched again
    done = ingest(session, DatasetSource(path, name="far"))
    assert done.unreadable_images == 1


# Secrets.


def all_bytes(session, *folders):
    """Return what is in the database's files and in folders."""
    found = [Path(session.store.location).parent, *folders]
    return b"".join(
        file.read_bytes() for folder in found for file in folder.rglob("*") if file.is_file()
    )


def test_credentials_of_an_address_are_nowhere(session, home, server, cache, caplog):
    token, password = "t0ken-of-mine-41", "passw0rd-of-mine"
    host = server.url.removeprefix("http://")
    address = cleaned(f"http://me:{password}@{host}/llava.json?token={token}&x=1")
    root = cleaned(f"http://me:{password}@{host}/images?token={token}")
    records = [record("0", "x", "0 x.png"), record("1", "x", "none.png")]
    (home / "llava.json").write_text(json.dumps(records))
    ingest(session, DatasetSource(address, name="far", image_root=root))
    for _, path, headers in server.requests:
        assert f"token={token}" in path
        assert headers["Authorization"].startswith("Basic ")
    stored = Path(session.store.location)
    sqlite3.connect(stored).execute("PRAGMA wal_checkpoint")
    everything = all_bytes(session) if stored.parent != home.parent else stored.read_bytes()
    everything += b"".join(f.read_bytes() for f in cache.folder.rglob("*") if f.is_file())
    everything += caplog.text.encode()
    assert token.encode() not in everything
    assert password.encode() not in everything
    assert rows(session, "SELECT path, image_root FROM datasets") == [
        (f"{server.url}/llava.json?x=1", f"{server.url}/images")
    ]


def test_a_token_in_a_records_address_is_used_and_not_kept_as_its_name(session, home, server):
    path = of_web(home, f"{server.url}/images/0%20x.png?sig=s1gnature-0000")
    ingest(session, DatasetSource(path, fetch_images="any"))
    assert "sig=s1gnature-0000" in server.requests[-1][1]
    ((name, where, problem),) = rows(session, "SELECT name, path, problem FROM image_files")
    assert problem is None
    assert "s1gnature" not in name + where


def test_samples_know_no_path_of_an_image_elsewhere(session, server):
    from ig4.core.engine.scoring.samples import sample_of

    dataset = ingest(session, DatasetSource(f"{server.url}/llava.json", name="far")).dataset
    with session.store.reading() as connection:
        first = sample_of(next(iter(samples.stream(connection, dataset.id))))
    (image,) = first.images
    assert (image.path, image.name) == (None, "0%20x.png")
    assert image.source == f"{server.url}/images/0%20x.png"
    assert image.pixels().size == (8, 8)


# Parquet with images inside.


def test_images_in_a_parquet_file_are_read_where_they_lie(session, home, server):
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    images = [(home / "images" / f"{n} x.png").read_bytes() for n in range(3)]
    table = pa.table({"id": ["0", "1", "2"], "image": images, "answer": ["a", "b", "c"]})
    pq.write_table(table, home / "set.parquet", row_group_size=2)
    copied = DatasetSource(home / "set.parquet", name="copied", options={"inside": False})
    ingest(session, copied)
    kept = sorted(session.store.image_folder.rglob("*"))
    near = ingest(session, DatasetSource(home / "set.parquet", name="near")).dataset
    far = ingest(session, DatasetSource(f"{server.url}/set.parquet", name="far")).dataset
    assert contents(session, "near") == contents(session, "far") == contents(session, "copied")
    assert sorted(session.store.image_folder.rglob("*")) == kept
    assert failures(session, near) == 0
    assert failures(session, far) == 0
    (part, *_) = rows(session, f"SELECT part FROM image_files WHERE dataset_id = {near.id}")
    assert part == ("cell:0:0:image",)


# The command line.


def test_the_command_line_says_what_was_fetched(server, tmp_path, monkeypatch):
    from click.testing import CliRunner

    from ig4.cli.main import cli

    monkeypatch.chdir(tmp_path)
    address = f"{server.url}/llava.json?token=canary-0123456789"
    done = CliRunner().invoke(cli, ["ingest", address, "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert (told["dataset"], told["samples"]) == ("llava", 3)
    assert told["fetched"] == {"files": 4, "bytes": told["fetched"]["bytes"], "cached": 0,
                               "repeated": 0, "unchanged": 0}  # fmt: skip
    assert "4 files" in done.stderr
    assert "canary" not in done.output
    again = json.loads(CliRunner().invoke(cli, ["ingest", address, "--json"]).stdout)
    assert again["unchanged"]


def test_a_library_that_is_missing_is_told_in_one_line(session, server, monkeypatch):
    import builtins

    real = builtins.__import__

    def without(name, *rest):
        if name.partition(".")[0] in ("fsspec", "aiohttp"):
            raise ImportError(name=name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtraError, match=r'pip install "ig4\[remote\]"'):
        ingest(session, DatasetSource(f"{server.url}/llava.json"))
    with pytest.raises(MissingExtraError, match=r'pip install "ig4\[remote\]"'):
        ingest(session, DatasetSource("s3://bucket/llava.json"))
