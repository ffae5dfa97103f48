"""Addresses: what they are, how they join, and what patterns stand for."""

import time
from pathlib import Path

import pytest

from ig4.core.errors import UsageError
from ig4.core.files.remote.addresses import (
    expanded,
    folder_of,
    is_address,
    is_beneath,
    joined,
    name_of,
)
from ig4.core.files.remote.credentials import place_of


@pytest.mark.parametrize("text", ["https://a.b/c", "s3://bucket/x", "HF://datasets/a/b", "gs://b"])
def test_addresses_are_known_by_their_scheme(text):
    assert is_address(text)


@pytest.mark.parametrize("text", ["data/a.json", "C:\\a", "s3:/b", "ftp://a/b", "javascript://x"])
def test_other_texts_are_no_addresses(text):
    assert not is_address(text)


def test_a_place_is_an_address_or_a_path():
    assert place_of("s3://bucket/a.json") == "s3://bucket/a.json"
    assert place_of("data/a.json") == Path("data/a.json")
    assert place_of("file:///data/a%20b.json") == Path("/data/a b.json")
    assert place_of(None) is None


def test_an_address_of_another_kind_is_refused_and_not_taken_for_a_path():
    with pytest.raises(UsageError, match=r"ftp://… is no address that ig4 reads"):
        place_of("ftp://host/a.json")


def test_names_join_below_a_folder_as_its_scheme_writes_them():
    assert joined("https://h/x", "a b#1.jpg") == "https://h/x/a%20b%231.jpg"
    assert joined("s3://b/x/", "a b#1.jpg") == "s3://b/x/a b#1.jpg"


@pytest.mark.parametrize(
    "address",
    ["https://h/data/../secret", "https://h/data/%2e%2e/secret", "https://h/database/x",
     "http://h/data/x", "https://h:8443/data/x", "https://h/data\\..\\..\\x"],
)  # fmt: skip
def test_an_address_that_climbs_or_is_another_ones_is_not_beneath(address):
    assert is_beneath("https://h/data/a/b.jpg", "https://h/data")
    assert not is_beneath(address, "https://h/data")


def test_names_and_folders_of_addresses():
    assert name_of("https://h/a/b%20c.json?x=/d") == "b c.json"
    assert name_of("s3://bucket/a/what?.json") == "what?.json"
    assert name_of("s3://bucket") == "bucket"
    assert folder_of("https://h/a/b.json?x=1") == "https://h/a"


def test_braces_stand_for_numbers_and_words():
    assert expanded("s-{008..011}.tar") == ["s-008.tar", "s-009.tar", "s-010.tar", "s-011.tar"]
    assert expanded("{a,b}/{0..1}") == ["a/0", "a/1", "b/0", "b/1"]
    assert expanded("{x}.tar") == ["{x}.tar"]


def test_a_pattern_of_too_many_files_is_refused():
    with pytest.raises(UsageError, match="more than 100,000 files"):
        expanded("{0..9999999999}.tar")
    with pytest.raises(UsageError, match="more than 100,000 files"):
        expanded("{0..999}{0..999}")


def test_it_is_refused_before_all_its_names_are_made():
    began = time.monotonic()
    with pytest.raises(UsageError, match="more than 100,000 files"):
        expanded("{0..9999}{0..9999}{0..9999}")
    assert time.monotonic() - began < 5
