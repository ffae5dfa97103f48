"""What a result belongs to: equal things have equal hashes, and others do not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ig4.core.contracts import Options, Scorer
from ig4.core.host.discovery import RegisteredComponent
from ig4.core.host.fingerprint import canonical, digest_of, of_component, of_content, sha256_of
from ig4.core.host.host import Host
from ig4.core.records import Choice, Turn

turns = st.lists(st.builds(Turn, st.sampled_from(["user", "assistant"]), st.text()), max_size=4)
names = st.lists(st.text(), max_size=3)


@given(turns, names, turns, names)
def test_contents_have_one_hash_exactly_if_they_are_equal(said, shown, other, others):
    same = (said, shown) == (other, others)
    assert (of_content(said, shown) == of_content(other, others)) is same


def test_what_stands_in_one_turn_is_not_what_stands_in_two():
    one = [Turn("user", "a', 'b")]
    two = [Turn("user", "a"), Turn("user", "b")]
    assert of_content(one, []) != of_content(two, [])
    assert of_content([], ["ab"]) != of_content([], ["a", "b"])


def test_the_hash_is_what_it_always_was():
    # Another value would make every stored score of every user worthless.
    said = [Turn("user", "Wh\u00e4t?"), Turn("assistant", "This.")]
    assert of_content(said, ["00ff"]) == "78f578e3075302d0261d9f2712bfa4aa"
    assert digest_of({"b": [1, 2.5, None], "a": "\u00e4"}) == "f5558f2ea3b2ef0c1016fe001765e9b2"


@given(st.dictionaries(st.text(), st.integers() | st.text() | st.none()))
def test_the_order_of_keys_says_nothing(value):
    assert canonical(value) == canonical(dict(reversed(value.items())))


@pytest.fixture
def registered() -> RegisteredComponent:
    return Host.discover().find("scorer", "length")


class One(Scorer):
    def score(self, batch):
        raise NotImplementedError

    def identity(self, digest):
        return {"option": 1}


class Raised(One):
    version = "2"


class Other(One):
    def identity(self, digest):
        return {"option": 2}


def test_a_version_or_an_option_makes_another_component(registered):
    values = {
        of_component(registered, scorer(Options()), sha256_of).value
        for scorer in (One, Raised, Other, One)
    }
    assert len(values) == 3


class KeyedOptions(Options):
    """Options with a key."""

    api_key: str = ""
    max_tokens: int = 1


def test_a_key_is_no_part_of_a_component_and_what_only_sounds_like_one_is(registered):
    def made(**options):
        class Keyed(One):
            Options = KeyedOptions

            def identity(self, digest):
                return self.options.model_dump(mode="json")

        return of_component(registered, Keyed(KeyedOptions(**options)), sha256_of)

    assert made(api_key="one").value == made(api_key="other").value
    assert "one" not in str(made(api_key="one").identity)
    assert made(max_tokens=2).value != made(max_tokens=3).value


def test_an_option_that_changes_no_result_changes_nothing():
    host = Host.discover()

    def value(**options):
        choice = Choice("scorer", "clip", {"model": "ig4-tiny", "precision": "fp32", **options})
        component = host.build(choice, runnable=False)
        return of_component(host.find("scorer", "clip"), component, sha256_of).value

    assert value() == value(image_batch_size=3)
    assert value() != value(text="whole")


def test_a_folder_is_known_by_its_files_and_their_names(tmp_path):
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a").write_text("x")
    assert sha256_of(tmp_path / "one") == sha256_of(tmp_path / "other")
    (tmp_path / "other" / "a").rename(tmp_path / "other" / "b")
    assert sha256_of(tmp_path / "one") != sha256_of(tmp_path / "other")
