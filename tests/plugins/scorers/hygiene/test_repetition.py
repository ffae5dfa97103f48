"""How much of an answer it has said before."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ig4.core.host.host import Host
from ig4.core.records import Choice, Failure, Sample, Turn
from ig4.plugins.scorers.hygiene.repetition import said_again

HOST = Host.discover()


def shares(*answers, **options):
    scorer = HOST.build(Choice("scorer", "ig4/repetition", options))
    return [result.value for result in scorer.score([Sample("x", "", a) for a in answers])]


@pytest.mark.parametrize(
    "answer",
    ["yes", "a dog and a cat", "The dog runs over the grass, and the cat sleeps under the tree.",
     "No. No.", "very, very good", "2, 3, 5, 7, 11", "一只狗在草地上跑。", "supercalifragilistic",
     "!!!",
     "The cup is red. The plate is blue. The spoon is green."],
)  # fmt: skip
def test_what_is_said_once_has_0(answer):
    assert shares(answer) == [0.0]


@pytest.mark.parametrize(
    ("answer", "share"),
    [
        ("a red bus waits. A red bus waits!", 0.5),  # case and punctuation do not matter
        ("no no no no", 0.5),  # from the third on
        ("aa bb cc dd ee aa bb cc dd", 8 / 18),
        ("一只狗在跑一只狗在跑", 0.5),  # each character is a word
        ("ha" * 20, 38 / 40),  # within a long word
        ("a" * 30 + " b", 29 / 31),
    ],
)
def test_what_is_said_again_counts_by_its_characters(answer, share):
    assert shares(answer) == pytest.approx([share])


def test_n_says_how_long_a_repetition_must_be():
    answer = "the red bus and the red car"
    assert shares(answer) == [0.0]
    assert shares(answer, n=2) == pytest.approx([6 / 21])


def test_turns_may_repeat_each_other():
    turns = (Turn("user", "Is it a red bus?"), Turn("assistant", "Yes, it is a bus.")) * 2
    sample = Sample("x", "", "Yes, it is a bus.\nYes, it is a bus.", turns)
    scorer = HOST.build(Choice("scorer", "ig4/repetition"))
    assert scorer.score([sample])[0].value == 0
    assert scorer.score([Sample("x", "", sample.answer)])[0].value == 0.5


def test_a_blank_answer_has_no_value():
    scorer = HOST.build(Choice("scorer", "ig4/repetition"))
    assert isinstance(scorer.score([Sample("x", "", "\t")])[0], Failure)


@given(st.lists(st.sampled_from("abc"), max_size=30), st.integers(2, 5))
def test_a_place_is_said_again_if_a_sequence_around_it_came_before(items, n):
    again = set()
    for end in range(n, len(items) + 1):
        sequence = items[end - n : end]
        if any(items[i : i + n] == sequence for i in range(end - n)):
            again |= set(range(end - n, end))
    assert said_again(items, n) == again
    assert said_again("".join(items), n) == again


@given(st.text(min_size=1, max_size=60))
def test_the_share_is_below_1(answer):
    if not answer.isspace():
        assert 0 <= shares(answer)[0] < 1 or shares(answer) == [0.0]


@given(st.lists(st.sampled_from(["the", "red", "bus", "waits", "here"]), min_size=5, max_size=12))
def test_twice_the_text_repeats_at_least_half(told):
    answer = " ".join(told)
    assert shares(f"{answer} {answer}")[0] >= 0.5
