"""The demonstration's data set: drawn from a seed, spoilt in known ways, telling nothing."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from PIL import Image

from ig4.plugins.demo.dataset import SPOILT, VAGUE, write


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    return write(folder, 80, seed=3, spoilt_share=0.4)


def answers(made):
    records = json.loads(made.path.read_text(encoding="utf-8"))
    return {r["id"]: r["conversations"][1]["value"] for r in records}


def test_the_same_seed_writes_the_same_bytes(made, tmp_path):
    again = write(tmp_path, 80, seed=3, spoilt_share=0.4)
    assert again.path.read_bytes() == made.path.read_bytes()
    for name in ("0000.jpg", "0079.jpg"):
        one, other = (m.path.parent / "images" / name for m in (made, again))
        assert one.read_bytes() == other.read_bytes()


def test_another_seed_writes_another_set(made, tmp_path):
    assert write(tmp_path, 80, seed=4).path.read_bytes() != made.path.read_bytes()


def test_the_stated_share_is_spoilt_in_equal_parts(made):
    assert made.spoilt == 32
    assert Counter(kind for kind in made.key.values() if kind) == dict.fromkeys(SPOILT, 8)


def test_every_record_shows_an_image_that_is_there(made):
    for record in json.loads(made.path.read_text(encoding="utf-8")):
        with Image.open(made.path.parent / record["image"]) as image:
            assert image.size == (160, 160)


def test_nothing_in_the_folder_tells_which_samples_are_spoilt(made):
    names = {path.name for path in made.path.parent.rglob("*") if path.is_file()}
    assert names == {"llava.json", *(f"{n:04d}.jpg" for n in range(80))}
    records = json.loads(made.path.read_text(encoding="utf-8"))
    assert {tuple(record) for record in records} == {("id", "image", "conversations")}


def test_spoilt_answers_are_spoilt_as_the_key_says(made):
    told = answers(made)
    for name, kind in made.key.items():
        answer = told[name]
        if kind == "vague":
            assert answer in VAGUE
        if kind == "truncated":
            assert not answer.endswith(".")
        if kind == "repeated":
            parts = answer.removesuffix(".").split(". ")
            assert len(parts) >= 3
            assert len(set(parts)) == 1
        if kind is None:
            assert answer.endswith(".")


@pytest.mark.parametrize(("n", "share"), [(1, 0.4), (10, 1.5), (10, -0.1)])
def test_impossible_wishes_are_refused(tmp_path, n, share):
    with pytest.raises(ValueError, match="at least two"):
        write(tmp_path, n, spoilt_share=share)
