"""The demonstration's data set: drawn from a seed, spoilt in known ways, telling nothing."""

from __future__ import annotations

import json
import re
from collections import Counter

import pytest
from PIL import Image

from ig4.plugins.demo.dataset import SPOILT, VAGUE, write
from ig4.plugins.demo.words import SETTINGS, join_phrases, object_phrase

KINDS = ("ball", "box", "house", "tree", "car", "boat", "star", "fish", "flower", "umbrella")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    return write(folder, 80, seed=3, spoilt_share=0.4)


def answers(made):
    """The answers of each sample, by its id."""
    records = json.loads(made.path.read_text(encoding="utf-8"))
    return {r["id"]: [m["value"] for m in r["conversations"][1::2]] for r in records}


def of_kind(made, kind):
    told = answers(made)
    return [(made.scenes[name], told[name]) for name, spoilt in made.key.items() if spoilt == kind]


def gist(scene):
    """What every whole answer about a scene says somewhere."""
    objects = join_phrases([object_phrase(thing) for thing in scene.things])
    return f"{objects} {SETTINGS[scene.background][0]}"


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


def test_the_number_of_turns_does_not_tell_either(made):
    told = answers(made)
    for spoilt in (True, False):
        turns = {len(told[name]) for name, kind in made.key.items() if (kind is not None) == spoilt}
        assert turns == {1, 2}


def test_good_answers_are_whole_and_say_what_the_image_shows(made):
    for scene, told in of_kind(made, None):
        assert gist(scene) in " ".join(told)
        assert all(answer.endswith(".") for answer in told)


def test_swapped_answers_are_whole_and_say_what_another_image_shows(made):
    gists = {gist(scene) for scene in made.scenes.values()}
    for scene, told in of_kind(made, "swapped"):
        assert gist(scene) not in " ".join(told)
        assert any(other in " ".join(told) for other in gists)


@pytest.mark.parametrize("seed", range(4))
def test_truncated_answers_break_off_inside_a_word(made, tmp_path, seed):
    good = " ".join(" ".join(told) for _, told in of_kind(made, None))
    for _, told in of_kind(write(tmp_path, 40, seed=seed, spoilt_share=1), "truncated"):
        for answer in told:
            fragment = answer.split()[-1]
            assert re.search(rf"\b{fragment}[a-z]", good, re.IGNORECASE)


def test_vague_answers_say_nothing(made):
    assert all(set(told) <= set(VAGUE) for _, told in of_kind(made, "vague"))


def test_repeated_answers_say_one_true_sentence_again_and_again(made):
    for scene, told in of_kind(made, "repeated"):
        for answer in told:
            parts = answer.removesuffix(".").split(". ")
            assert 3 <= len(parts) <= 6
            assert len(set(parts)) == 1
            shown = {thing.kind for thing in scene.things}
            assert {kind for kind in KINDS if re.search(rf"\b{kind}\b", parts[0])} <= shown


@pytest.mark.parametrize(("n", "share"), [(1, 0.4), (10, 1.5), (10, -0.1)])
def test_impossible_wishes_are_refused(tmp_path, n, share):
    with pytest.raises(ValueError, match="at least two"):
        write(tmp_path, n, spoilt_share=share)
