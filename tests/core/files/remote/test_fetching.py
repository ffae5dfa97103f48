"""Fetching over HTTP: what servers may do wrong, and what becomes of it."""

import gzip
import os
import socket
import threading
import time
import zlib

import pytest

from ig4.core.files.opening import LargeFileError, RefusedFileError
from ig4.core.files.remote import web
from ig4.core.files.remote.errors import RemoteFileError, TransientError
from ig4.core.files.remote.fetching import (
    TRIES,
    fetched_file,
    fetched_image,
    fetched_part,
    fetchers,
    open_fetched,
    open_named,
    tried,
)
from ig4.core.files.remote.images import open_remote_image, permission

from ....file_server import serving

LIMIT = 1 << 20


def fetched_bytes(address, limit, **how):
    return fetched_image(address, limit, **how)[0]


PNG = b"\x89PNG\r\n\x1a\n" + bytes(2000)


@pytest.fixture
def server(tmp_path):
    home = tmp_path / "served"
    home.mkdir()
    (home / "a.png").write_bytes(PNG)
    (home / "big.bin").write_bytes(os.urandom(3_000_000))
    with serving(home) as running:
        yield running


def test_a_file_is_fetched_whole(server):
    assert fetched_bytes(f"{server.url}/a.png", LIMIT) == PNG


def test_parts_of_a_file_are_fetched_alone(server):
    assert fetched_part(f"{server.url}/a.png", 1, 4) == b"PNG"
    assert server.requests[-1][2]["Range"] == "bytes=1-3"


def test_a_server_that_knows_no_parts_is_asked_for_the_whole_file_once(server):
    server.ranges = False
    address, roots = f"{server.url}/a.png", (server.url,)
    for place in ("1+3", "0+4", "8+100"):
        with open_remote_image(address, roots, place, LIMIT) as file:
            assert len(file.read()) == int(place.partition("+")[2])
    asked = [headers for method, path, headers in server.requests if "Range" not in headers]
    assert len(asked) == 1


@pytest.mark.parametrize("status", [500, 502, 503, 504, 429, 408])
def test_a_busy_server_is_asked_again(server, status):
    left = [2]

    def busy(handler):
        left[0] -= 1
        if left[0] >= 0:
            return handler.simple(status, b"busy")
        return handler.simple(200, PNG, Content_Type="image/png")

    server.answers["/busy.png"] = busy
    assert fetched_bytes(f"{server.url}/busy.png", LIMIT) == PNG


def test_a_server_that_stays_busy_is_given_up(server):
    server.answers["/busy.png"] = lambda handler: handler.simple(503, b"busy")
    with pytest.raises(TransientError, match=r"answers 503 \(it is overloaded\), 5 times"):
        fetched_bytes(f"{server.url}/busy.png", LIMIT)
    assert len(server.requests) == TRIES


GONE = [(404, "not found"), (403, "forbidden"), (401, "it wants credentials"), (410, "gone")]


@pytest.mark.parametrize(("status", "words"), GONE)
def test_what_is_gone_is_asked_for_once(server, status, words):
    server.answers["/gone.png"] = lambda handler: handler.simple(status, b"no")
    with pytest.raises(RemoteFileError, match=f"answers {status} .{words}.") as caught:
        fetched_bytes(f"{server.url}/gone.png", LIMIT)
    assert not isinstance(caught.value, TransientError)
    assert len(server.requests) == 1


def test_a_connection_that_breaks_is_taken_up_where_it_broke(server):
    state = {"cuts": 2}
    whole = (server.folder / "big.bin").read_bytes()
    original = server.fault
    server.fault = lambda: "cut" if state["cuts"] and not state.update(
        cuts=state["cuts"] - 1
    ) else original()  # fmt: skip
    with open_fetched(f"{server.url}/big.bin") as file:
        assert file.read() == whole
    ranges = [headers.get("Range") for _, _, headers in server.requests]
    assert ranges[0] is None
    assert all(one.startswith("bytes=") for one in ranges[1:])
    assert len(ranges) == 3


def test_a_file_that_changed_meanwhile_is_begun_anew(server):
    file = server.folder / "big.bin"
    newer = os.urandom(2_000_000)
    state = {"cut": True}
    # The second answer is of the older bytes' time still: it decides when the file is read.
    server.fault = lambda: (file.write_bytes(newer), None)[1] if not state.pop("cut", 0) else "cut"
    with open_fetched(f"{server.url}/big.bin") as opened:
        assert opened.read() == newer


def test_a_file_whose_version_says_little_is_begun_anew(server):
    """A weak tag stays what it is though bytes change."""
    file = server.folder / "big.bin"
    newer = os.urandom(3_000_000)
    state = {"cut": True}
    server.etag = 'W/"same"'
    server.fault = lambda: (file.write_bytes(newer), None)[1] if not state.pop("cut", 0) else "cut"
    with open_fetched(f"{server.url}/big.bin") as opened:
        assert opened.read() == newer


def test_what_came_of_an_older_version_is_not_mixed_with_a_newer_one(server):
    """The server sends the rest of another file, and does not heed that it was asked not to."""
    older, newer = b"OLD" * 20_000, b"NEW" * 20_000
    asked = []

    def careless(handler):
        asked.append(handler.headers.get("Range"))
        data, tag = (newer, '"2"') if len(asked) > 1 else (older, '"1"')
        start = int((asked[-1] or "bytes=0-").removeprefix("bytes=")[:-1])
        told = {"Content_Range": f"bytes {start}-{len(data) - 1}/{len(data)}"} if start else {}
        handler.send_response(206 if start else 200)
        handler.send_header("ETag", tag)
        handler.send_header("Content-Length", str(len(data) - start))
        for name, value in told.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(data[start:] if len(asked) > 1 else data[:30_000])
        if len(asked) == 1:
            handler.wfile.flush()
            handler.connection.shutdown(socket.SHUT_RDWR)
            handler.close_connection = True

    server.answers["/careless.bin"] = careless
    with open_fetched(f"{server.url}/careless.bin") as file:
        assert file.read() == newer
    assert asked[1:] == ["bytes=30000-", None]


def shortened(data, piece, *, tag='"1"'):
    """Answer every request with 206 and no more than a piece, also where no part was asked for."""

    def answer(handler):
        asked = handler.headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")[0]
        part = data[int(asked) : int(asked) + piece]
        told = f"bytes {asked}-{int(asked) + len(part) - 1}/{len(data)}"
        handler.simple(206, part, Content_Range=told, **({"ETag": tag} if tag else {}))

    return answer


def test_a_part_that_nobody_asked_for_is_not_the_file(server):
    whole = (server.folder / "big.bin").read_bytes()
    server.answers["/piece.bin"] = shortened(whole, 1_000_000)
    with open_fetched(f"{server.url}/piece.bin") as file:
        assert file.read() == whole


def test_a_server_that_gives_the_first_part_alone_is_given_up(server):
    server.answers["/piece.bin"] = shortened(PNG, 500, tag=None)
    for fetched in (open_fetched, lambda address: fetched_bytes(address, LIMIT)):
        with pytest.raises(TransientError, match=r"sends 500 of 2,008 bytes, 5 times"):
            fetched(f"{server.url}/piece.bin")


def test_a_file_without_a_length_that_breaks_off_is_fetched_again(server):
    """Its end is that of the connection; how long it is the server said before."""
    left = [1]

    def breaking(handler):
        handler.send_response(200)
        handler.send_header("Connection", "close")
        handler.end_headers()
        handler.close_connection = True
        left[0] -= 1
        handler.wfile.write(PNG[:700] if left[0] == 0 else PNG)

    server.answers["/breaks.png"] = breaking
    assert fetched_file(f"{server.url}/breaks.png", None, len(PNG)).size == len(PNG)
    assert len(server.requests) == 2


def test_a_file_without_a_version_is_fetched_anew_and_one_with_it_is_not(server):
    address = f"{server.url}/a.png"
    first = fetched_file(address)
    assert fetched_file(address, first.version) == first
    assert len(server.requests) == 1
    (server.folder / "a.png").write_bytes(PNG * 2)
    assert fetched_file(address).size == 2 * len(PNG)


def test_a_file_that_the_cache_lost_is_fetched_again_if_it_is_the_same(server, cache):
    address = f"{server.url}/a.png"
    first = fetched_file(address)
    (cache / "data" / first.sha256[:2] / first.sha256).unlink()
    with open_named(address, first) as file:
        assert file.read() == PNG
    (cache / "data" / first.sha256[:2] / first.sha256).unlink()
    (server.folder / "a.png").write_bytes(PNG * 2)
    with pytest.raises(RemoteFileError, match="it changed while it was read"):
        open_named(address, first)


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("100% sure.png", "/100%25%20sure.png"),
        ("caf\u00e9 %41.png", "/caf%C3%A9%20%41.png"),
        ("a%2Fb.png", "/a%2Fb.png"),
        ("a%20b.png?x=1 2%", "/a%20b.png?x=1%202%25"),
        ("a+b(1).png?x=%26", "/a+b(1).png?x=%26"),
    ],
)
def test_what_an_address_may_not_hold_is_encoded_and_the_rest_stays(server, name, asked):
    server.answers[asked.partition("?")[0]] = lambda handler: handler.simple(200, PNG)
    assert fetched_bytes(f"{server.url}/{name}", LIMIT) == PNG
    assert server.requests[-1][1] == asked


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1:99999/x", "http://127.0.0.1:x/x", f"http://{'a' * 300}.de/x"]
)
def test_an_address_that_is_none_is_not_tried_again(server, address):
    for asked in (address, f"{server.url}/to.png"):
        server.answers["/to.png"] = redirect(address)
        with pytest.raises(RemoteFileError, match=r"no valid address|host is not known") as caught:
            fetched_bytes(asked, LIMIT, hosts="any")
        assert not isinstance(caught.value, TransientError)
    assert len(server.requests) == 1


def test_netrc_is_for_hosts_that_the_user_named(server, tmp_path, monkeypatch):
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password mine\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    for hosts, count in (("any", 0), ("named", 1)):
        server.requests.clear()
        fetched_bytes(f"{server.url}/a.png", LIMIT, hosts=hosts)
        assert ["Authorization" in one for _, _, one in server.requests].count(True) == count


def test_answers_without_end_are_cut_at_the_limit(server):
    def endless(handler):
        handler.send_response(200)
        handler.send_header("Content-Type", "image/png")
        handler.end_headers()
        handler.close_connection = True
        sent = 0
        while sent < 50 << 20:
            handler.wfile.write(PNG * 32)
            sent += len(PNG) * 32

    server.answers["/endless.png"] = endless
    with pytest.raises(RemoteFileError, match="larger than 1,048,576 bytes"):
        fetched_bytes(f"{server.url}/endless.png", LIMIT)


def test_a_length_above_the_limit_is_refused_before_a_byte_is_read(server):
    def huge(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", str(1 << 40))
        handler.end_headers()
        time.sleep(0.2)
        handler.cut()

    server.answers["/huge.png"] = huge
    with pytest.raises(RemoteFileError, match="larger than"):
        fetched_bytes(f"{server.url}/huge.png", LIMIT)


def test_a_page_in_the_place_of_an_image_is_told_as_such(server):
    server.answers["/x.jpg"] = lambda handler: handler.simple(
        200, b"<html>Not found", Content_Type="text/html; charset=utf-8"
    )
    with pytest.raises(RemoteFileError, match="sends text/html, which is no image"):
        fetched_bytes(f"{server.url}/x.jpg", LIMIT)


def test_an_image_with_a_wrong_type_is_an_image(server):
    server.answers["/x"] = lambda handler: handler.simple(200, PNG, Content_Type="text/plain")
    assert fetched_bytes(f"{server.url}/x", LIMIT) == PNG


def sent_packed(data, coding="gzip"):
    told = {"Content_Type": "image/png", "Content_Encoding": coding}
    return lambda handler: handler.simple(200, data, **told)


def test_an_image_that_is_sent_compressed_is_unpacked(server):
    """Stores have files that were uploaded so, and send them so whatever is asked for."""
    server.answers["/a.gz.png"] = sent_packed(gzip.compress(PNG))
    server.answers["/a.z.png"] = sent_packed(zlib.compress(PNG), "deflate")
    for name in ("a.gz.png", "a.z.png"):
        assert fetched_bytes(f"{server.url}/{name}", LIMIT) == PNG


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (gzip.compress(bytes(50 << 20)), "larger than 1,048,576 bytes"),
        (gzip.compress(PNG)[:-9], "connection broke"),
        (PNG, "says that it is compressed"),
    ],
    ids=["large", "cut", "plain"],
)
def test_what_is_sent_compressed_is_bounded_and_whole(server, data, words):
    server.answers["/a.png"] = sent_packed(data)
    with pytest.raises(RemoteFileError, match=words):
        fetched_bytes(f"{server.url}/a.png", LIMIT)


def test_a_slow_server_is_given_up(server, monkeypatch):
    """All tries have to be done in the time that an image may take, not each."""
    monkeypatch.setattr(web, "IMAGE_SECONDS", 0.5)

    def slow(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", "100")
        handler.end_headers()
        for _ in range(20):
            handler.wfile.write(b"\x89")
            handler.wfile.flush()
            time.sleep(0.1)

    server.answers["/slow.png"] = slow
    began = time.monotonic()
    with pytest.raises(TransientError, match="the server is too slow"):
        fetched_bytes(f"{server.url}/slow.png", LIMIT)
    assert time.monotonic() - began < 1.2


def test_redirects_take_from_the_time_of_an_image(server, monkeypatch):
    monkeypatch.setattr(web, "IMAGE_SECONDS", 0.5)

    def slow(handler):
        time.sleep(0.3)
        redirect("/loop.png")(handler)

    server.answers["/loop.png"] = slow
    began = time.monotonic()
    with pytest.raises(TransientError, match="the server is too slow"):
        fetched_bytes(f"{server.url}/loop.png", LIMIT)
    assert time.monotonic() - began < 1.2


def redirect(to):
    return lambda handler: handler.simple(302, b"", Location=to)


def test_redirects_are_followed(server):
    server.answers["/old.png"] = redirect("/a.png")
    assert fetched_bytes(f"{server.url}/old.png", LIMIT) == PNG


def test_redirects_without_end_are_not(server):
    server.answers["/loop.png"] = redirect("/loop.png")
    with pytest.raises(RemoteFileError, match="leads on more than 5 times"):
        fetched_bytes(f"{server.url}/loop.png", LIMIT)


@pytest.mark.parametrize("to", ["file:///etc/passwd", "ftp://h/x", "gopher://h/x"])
def test_a_redirect_out_of_the_web_is_refused(server, to):
    server.answers["/odd.png"] = redirect(to)
    with pytest.raises(RemoteFileError, match="none of the web"):
        fetched_bytes(f"{server.url}/odd.png", LIMIT)


def test_a_redirect_to_another_host_has_to_lead_to_a_public_one(server, tmp_path):
    """The user named the first host, wherever it is; nobody named where it leads to."""
    with serving(server.folder) as inner:
        server.answers["/out.png"] = redirect(f"{inner.url}/a.png")
        with pytest.raises(RemoteFileError, match="not public: name the address that it leads to"):
            fetched_bytes(f"{server.url}/out.png", LIMIT)
        assert inner.requests == []
        assert fetched_bytes(f"{server.url}/out.png", LIMIT, hosts="any") == PNG


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "2130706433", "0x7f000001", "127.1", "[::ffff:127.0.0.1]"]
)
def test_what_data_names_is_not_fetched_from_this_machine(server, host):
    address = f"http://{host}:{server.port}/a.png"
    with pytest.raises(RemoteFileError, match=r"not public|not known|valid address"):
        fetched_bytes(address, LIMIT, hosts="public")
    assert server.requests == []


def test_credentials_are_not_sent_to_where_a_redirect_leads(server, monkeypatch):
    from ig4.core.files.remote.credentials import cleaned

    monkeypatch.setattr("ig4.core.files.remote.guard.is_public", lambda host: True)
    with serving(server.folder) as other:
        server.answers["/to.png"] = redirect(f"{other.url}/a.png")
        address = cleaned(f"http://me:passw0rd@127.0.0.1:{server.port}/to.png")
        assert fetched_bytes(address, LIMIT) == PNG
        assert server.requests[0][2]["Authorization"].startswith("Basic ")
        assert "Authorization" not in other.requests[0][2]


def test_a_host_that_does_not_answer_is_soon_left_alone():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{taken.getsockname()[1]}"  # bound, and nobody listens
        calls = []

        def work():
            calls.append(1)
            return web.fetch(web.WebRequest(f"{address}/x.png", LIMIT), len)

        for _ in range(5):
            with pytest.raises(TransientError, match=r"cannot be reached|did not answer"):
                tried(work, "127.0.0.1:x")
        assert len(calls) == 3 * TRIES


def test_what_may_be_read_is_what_the_user_named_or_allowed():
    roots = ("/data", "https://h.example/images")
    assert permission("https://h.example/images/a.jpg", roots) == "named"
    assert permission("https://h.example/other/a.jpg", roots) is None
    assert permission("https://x.example/a.jpg", (*roots, "web:public")) == "public"
    assert permission("https://x.example/a.jpg", (*roots, "web:any")) == "any"
    assert permission("s3://bucket/a.jpg", (*roots, "web:any")) is None


def test_what_may_not_be_read_is_not_asked_for(server):
    with pytest.raises(RefusedFileError, match="--image-root and --fetch-images"):
        open_remote_image(f"{server.url}/a.png", ("/data",), None, LIMIT)
    assert server.requests == []


def test_a_part_larger_than_the_limit_is_not_asked_for(server):
    with pytest.raises(LargeFileError):
        open_remote_image(f"{server.url}/a.png", (server.url,), f"0+{LIMIT + 1}", LIMIT)
    assert server.requests == []


def test_no_secret_is_in_what_goes_wrong(server):
    from ig4.core.files.remote.credentials import cleaned

    address = cleaned(f"{server.url}/none.png?token=verysecretone")
    with pytest.raises(RemoteFileError) as caught:
        fetched_bytes(address, LIMIT)
    assert "verysecret" not in f"{caught.value}{caught.value.strerror}{address}"
    assert "verysecretone" in server.requests[0][1]


def test_a_cache_that_cannot_be_written_is_told(server, monkeypatch):
    monkeypatch.setenv("IG4_CACHE_DIR", "/dev/null/cache")
    with pytest.raises(RemoteFileError, match="IG4_CACHE_DIR names another folder"):
        open_fetched(f"{server.url}/a.png")
    with open_remote_image(f"{server.url}/a.png", (server.url,), None, LIMIT) as file:
        assert file.read() == PNG  # an image is read without it


def test_a_file_that_is_larger_than_the_cache_is_refused(server, monkeypatch):
    monkeypatch.setenv("IG4_CACHE_GIB", "0.001")
    with pytest.raises(RemoteFileError, match="IG4_CACHE_GIB allows more"):
        fetched_file(f"{server.url}/big.bin", "v", 3_000_000)
    with pytest.raises(RemoteFileError, match="larger than"):
        open_fetched(f"{server.url}/big.bin")


def test_an_interrupt_gives_up_what_threads_are_fetching_or_about_to(server):
    """Its server does not answer, and would be waited for."""
    never = threading.Event()
    server.answers["/never.png"] = lambda handler: never.wait(60)
    waiting, told = threading.Event(), []

    def ask(begin):
        begin()
        try:
            fetched_bytes(f"{server.url}/never.png", LIMIT)
        except RemoteFileError as error:
            told.append(error.strerror)

    def later():
        waiting.set()
        while not web._given_up.is_set():
            time.sleep(0.01)

    def fetch_until_interrupted():
        with fetchers(2) as threads:
            threads.submit(ask, lambda: None)
            threads.submit(ask, later)
            while not (server.requests and waiting.is_set()):
                time.sleep(0.01)
            raise KeyboardInterrupt

    before = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        fetch_until_interrupted()
    assert time.monotonic() - before < 30
    never.set()
    assert told == ["the command was interrupted"] * 2
    assert fetched_bytes(f"{server.url}/a.png", LIMIT) == PNG
