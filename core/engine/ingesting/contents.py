"""What a sample holds: its turns as they are stored, and the hash that its scores belong to."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NamedTuple

from ig4.core.host.fingerprint import of_content
from ig4.core.records import Turn
from ig4.core.texts import sanitize
from ig4.storage.samples import SampleRow

_JOIN = "\n"


class StoredTexts(NamedTuple):
    """The texts of a sample as the database holds them.

    `turns` are all turns as JSON where instruction and answer do not say them all, else None;
    `repaired` tells whether a text held what no database can.
    """

    instruction: str
    answer: str
    turns: str | None
    repaired: bool


def stored_texts(turns: Sequence[Turn]) -> StoredTexts:
    """Return the texts of turns: what the user says, and what the assistant says."""
    if len(turns) == 2 and turns[0].role == "user" and turns[1].role == "assistant":
        instruction, answer = sanitize(turns[0].text), sanitize(turns[1].text)
        repaired = instruction is not turns[0].text or answer is not turns[1].text
        if (instruction or answer) and not repaired:
            return StoredTexts(instruction, answer, None, repaired=False)  # nearly always
    else:
        instruction, answer = (
            sanitize(_joined(turns, "user")),
            sanitize(_joined(turns, "assistant")),
        )
        repaired = any(sanitize(turn.text) is not turn.text for turn in turns)
    if turns_in(instruction, answer) == turns:
        return StoredTexts(instruction, answer, None, repaired)
    listed = json.dumps([[turn.role, turn.text] for turn in turns])
    return StoredTexts(instruction, answer, listed, repaired)


def content_hash(row: SampleRow) -> str:
    """Return the hash of a stored sample's content, which its scores belong to."""
    return of_content(turns_of(row), [image_token(i.sha256, i.name) for i in row.images])


def turns_of(row: SampleRow) -> tuple[Turn, ...]:
    """Return the turns of a stored sample."""
    if row.turns is not None:
        return tuple(Turn(role, text) for role, text in json.loads(row.turns))
    return turns_in(row.instruction, row.answer)


def places_of(row: SampleRow) -> tuple[tuple[int, int], ...] | None:
    """Return where the images of a stored sample stand; None before the first question."""
    if row.places is None:
        return None
    return tuple((turn, at) for turn, at in json.loads(row.places))


def turns_in(instruction: str, answer: str) -> tuple[Turn, ...]:
    """Return the turns that need not be stored beside an instruction and an answer."""
    if not instruction and not answer:
        return ()
    return (Turn("user", instruction), Turn("assistant", answer))


def image_token(sha256: str | None, name: str) -> str:
    """Return what stands for an image in the hash of a content; see `of_content`."""
    return sha256 or f"unreadable:{name}"


def _joined(turns: Sequence[Turn], role: str) -> str:
    return _JOIN.join(turn.text for turn in turns if turn.role == role)
