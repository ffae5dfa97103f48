"""A sample with another's answer keeps its image and question wherever that can be."""

from __future__ import annotations

from ig4.core.engine.checkups.shuffled import with_answer_of
from ig4.core.records import Image, Sample, Turn


def sample(name, *texts, system=None):
    turns = [Turn(("user", "assistant")[n % 2], text) for n, text in enumerate(texts)]
    return Sample(
        name,
        "\n".join(texts[::2]),
        "\n".join(texts[1::2]),
        ((Turn("system", system),) if system else ()) + tuple(turns),
        (Image(None, name),),
    )


def test_the_answer_changes_and_nothing_else():
    mixed = with_answer_of(sample("a", "What?", "A cat."), sample("b", "Where?", "At sea."))
    assert (mixed.id, mixed.instruction, mixed.answer) == ("a", "What?", "At sea.")
    assert mixed.turns == (Turn("user", "What?"), Turn("assistant", "At sea."))
    assert mixed.images[0].sha256 == "a"


def test_the_answers_of_a_dialogue_change_turn_by_turn():
    own = sample("a", "What?", "A cat.", "Where?", "Here.", system="Be short.")
    mixed = with_answer_of(own, sample("b", "Who?", "Ann.", "When?", "Now."))
    assert [turn.text for turn in mixed.turns] == ["Be short.", "What?", "Ann.", "Where?", "Now."]
    assert (mixed.instruction, mixed.answer) == ("What?\nWhere?", "Ann.\nNow.")


def test_dialogues_of_other_lengths_change_as_a_whole():
    mixed = with_answer_of(
        sample("a", "What?", "A cat."), sample("b", "Who?", "Ann.", "When?", "Now.")
    )
    assert mixed.instruction == "Who?\nWhen?"
    assert [turn.text for turn in mixed.turns] == ["Who?", "Ann.", "When?", "Now."]
    assert mixed.images[0].sha256 == "a"
