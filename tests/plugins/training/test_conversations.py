"""Conversations become exchanges of a question and an answer."""

from __future__ import annotations

from ig4.core.records import Turn
from ig4.plugins.training.conversations import question_answer_pairs


def test_a_conversation_is_questions_and_answers_in_turn():
    turns = [
        Turn("system", "Be kind."), Turn("user", "Who?"), Turn("assistant", "I."),
        Turn("assistant", "Me."), Turn("user", "Why?"), Turn("tool", "42"),
    ]  # fmt: skip
    assert question_answer_pairs(turns) == [("Be kind.\nWho?", "I.\nMe."), ("Why?\n42", "")]
    assert question_answer_pairs([]) == []
