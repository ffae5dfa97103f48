"""The cache: bounded, shared by processes, and never believed without a look."""

import hashlib
import os
import subprocess
import sys
import time

import pytest

from ig4.core.errors import ConfigError
from ig4.core.files.remote.cache import RemoteCache, remote_cache

from ....processes import environment


@pytest.fixture
def cache(tmp_path):
    return RemoteCache(tmp_path / "cache", 10_000)


def sizes(cache):
    files = (cache.folder / "data").rglob("*")
    return sum(file.stat().st_size for file in files if file.is_file())


def test_what_was_put_is_there_by_address_and_by_content(cache):
    found = cache.put("https://h/a", b"content", "v1")
    assert cache.named("https://h/a") == found
    assert cache.read(found.sha256, 100) == b"content"
    assert cache.open(found.sha256).read() == b"content"
    assert cache.named("https://h/b") is None


@pytest.mark.parametrize("way", ["open", "read"])
def test_a_damaged_content_is_deleted_and_not_given(cache, way):
    found = cache.put("https://h/a", b"content")
    path = next((cache.folder / "data").rglob(found.sha256))
    path.write_bytes(b"contenx")
    given = cache.open(found.sha256) if way == "open" else cache.read(found.sha256, 100)
    assert given is None
    assert not path.exists()
    assert cache.named("https://h/a") is None


def test_what_an_address_held_last_is_known_though_the_content_is_gone(cache):
    found = cache.put("https://h/a", b"content")
    cache.drop(found.sha256)
    assert cache.last("https://h/a") == found
    cache.forget("https://h/a")
    assert cache.last("https://h/a") is None


def test_a_file_nearly_as_large_as_the_cache_is_kept(cache):
    cache.put("https://h/small", bytes(2000))
    found = cache.put("https://h/large", b"1" * 9_500)
    assert cache.read(found.sha256, 10_000) is not None
    assert cache.named("https://h/small") is None


def test_a_content_without_an_address_is_found_by_its_sha256(cache):
    found = cache.put(None, b"a part")
    assert cache.read(found.sha256, 100) == b"a part"
    assert not (cache.folder / "names").exists()


def test_what_was_used_longest_ago_goes_first(cache):
    for number in range(9):
        found = cache.put(f"https://h/{number}", bytes([number]) * 1000)
        path = next((cache.folder / "data").rglob(found.sha256))
        os.utime(path, (time.time() - 1000 + number, path.stat().st_mtime))
    first = hashlib.sha256(bytes([0]) * 1000).hexdigest()
    assert cache.read(first, 10_000) is not None  # used now
    for number in range(9, 14):
        cache.put(f"https://h/{number}", bytes([number]) * 1000)
    cache.trim()
    assert sizes(cache) <= 10_000
    assert cache.named("https://h/0") is not None
    assert cache.named("https://h/1") is None
    assert cache.named("https://h/13") is not None


def test_the_size_stays_bounded_while_much_is_put(cache):
    for number in range(200):
        cache.put(f"https://h/{number}", number.to_bytes(2) * 300)
        assert sizes(cache) <= 10_000 + 600


def test_a_content_that_is_open_can_be_read_after_it_was_deleted(cache):
    found = cache.put("https://h/a", b"content")
    with cache.open(found.sha256) as file:
        cache.drop(found.sha256)
        assert file.read() == b"content"


def test_what_a_killed_process_left_is_deleted_in_time(cache):
    cache.put("https://h/a", b"content")
    left = cache.folder / "data" / "1-x.part"
    left.write_bytes(b"half")
    cache.trim()
    assert left.exists()  # it may be on its way
    os.utime(left, (1, 1))
    cache.trim()
    assert not left.exists()


def test_what_is_not_kept_leaves_nothing(cache):
    with cache.partial() as (_, file):
        file.write(b"half")
    assert sizes(cache) == 0


WRITER = """
import sys
from pathlib import Path
from ig4.core.files.remote.cache import RemoteCache
cache = RemoteCache(Path(sys.argv[1]), 20_000)
for number in range(150):
    data = b"%d" % (number % 40) * 200
    found = cache.put(f"https://h/{number % 40}", data)
    known = cache.named(f"https://h/{(number * 7) % 40}")
    if known is not None:
        cache.read(known.sha256, 10_000)
"""


def test_several_processes_share_it(tmp_path):
    command = [sys.executable, "-c", WRITER, str(tmp_path)]
    running = [subprocess.Popen(command, env=environment()) for _ in range(3)]
    assert [one.wait(60) for one in running] == [0, 0, 0]
    cache = RemoteCache(tmp_path, 20_000)
    cache.trim()
    assert sizes(cache) <= 20_000
    for number in range(40):
        known = cache.named(f"https://h/{number}")
        if known is not None:
            assert cache.read(known.sha256, 10_000) == b"%d" % number * 200


def test_others_may_not_look_into_it(cache):
    cache.put("https://h/a", b"content")
    assert (cache.folder / "data").stat().st_mode & 0o077 == 0


def test_its_place_and_size_are_the_users(tmp_path, monkeypatch):
    monkeypatch.setenv("IG4_CACHE_DIR", str(tmp_path / "own"))
    monkeypatch.setenv("IG4_CACHE_GIB", "0.5")
    assert (remote_cache().folder, remote_cache().limit) == (tmp_path / "own", 2**29)
    monkeypatch.setenv("IG4_CACHE_GIB", "much")
    with pytest.raises(ConfigError, match="IG4_CACHE_GIB=much"):
        remote_cache()
