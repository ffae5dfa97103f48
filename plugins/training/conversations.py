"""Conversations as trainers want them: questions and answers in turn."""

from __future__ import annotations

from collections.abc import Sequence

from ig4.core.records import Turn


def exchanges(turns: Sequence[Turn]) -> list[tuple[str, str]]:
    """Return (question, answer) pairs; what system, user and tools say before an answer is joined.

    The last answer is "" where the user has the last word, as in a prompt.
    """
    found: list[tuple[str, str]] = []
    asked: list[str] = []
    for turn in turns:
        if turn.role != "assistant":
            asked.append(turn.text)
        elif not asked and found:
            question, answer = found[-1]
            found[-1] = (question, f"{answer}\n{turn.text}")
        else:
            found.append(("\n".join(asked), turn.text))
            asked = []
    if asked:
        found.append(("\n".join(asked), ""))
    return found
