"""Conversations as alternating questions and answers."""

from __future__ import annotations

from collections.abc import Sequence

from ig4.core.records import Turn


def question_answer_pairs(turns: Sequence[Turn]) -> list[tuple[str, str]]:
    """Return (question, answer) pairs; system, user and tool turns before an answer are joined.

    The last answer is "" if the conversation ends without one, as in a prompt.
    """
    pairs: list[tuple[str, str]] = []
    question_parts: list[str] = []
    for turn in turns:
        if turn.role != "assistant":
            question_parts.append(turn.text)
        elif not question_parts and pairs:
            question, answer = pairs[-1]
            pairs[-1] = (question, f"{answer}\n{turn.text}")
        else:
            pairs.append(("\n".join(question_parts), turn.text))
            question_parts = []
    if question_parts:
        pairs.append(("\n".join(question_parts), ""))
    return pairs
