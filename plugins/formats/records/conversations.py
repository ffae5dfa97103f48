"""Reads conversations in the forms that data sets have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ig4.core.records import JSON, Turn
from ig4.plugins.formats.records.imagefields import ImageField, shown
from ig4.plugins.formats.records.marks import IMAGE, Passage
from ig4.plugins.formats.records.parts import content_passage, text_passage
from ig4.plugins.formats.records.speakers import (
    PAIRS,
    ROLE_KEYS,
    TEXT_KEYS,
    USUAL_SPEAKERS,
    SpeakerNames,
)

TOOL_CALLS = "calls of tools stand beside their texts, and are kept in the record alone"


@dataclass(slots=True)
class Conversation:
    """What was read of a conversation: its passages, and what could not be read in it."""

    passages: list[Passage] = field(default_factory=list)
    problem: str | None = None
    remarks: tuple[str, ...] = ()

    @property
    def shows_images(self) -> bool:
        """Whether images are named between the texts."""
        return any(isinstance(p, ImageField) for one in self.passages for p in one.pieces)

    def refuse(self, problem: str) -> None:
        """Note a problem; the first one counts."""
        self.problem = self.problem or problem


def read_conversation(value: JSON, names: SpeakerNames = USUAL_SPEAKERS) -> Conversation:
    """Return a conversation: a list of messages, their columns, or pairs of question and answer."""
    found = Conversation()
    messages = _as_messages(value, names, found)
    first: Any = messages[0] if messages else None
    keys = first if isinstance(first, dict) else {}
    role_key = names.role or ("from" if "from" in keys else "role")
    text_key = names.text or ("value" if "value" in keys else "content")
    for message in messages:
        if isinstance(message, dict):
            role, text = message.get(role_key), message.get(text_key)
            if isinstance(role, str) and isinstance(text, str):
                known = names.roles.get(role)
                if known is not None and "<" not in text:
                    found.passages.append(Passage(known, [text]))
                    continue
            _read_message(message, role_key, text_key, names, found)
        elif _is_text_pair(message):
            found.passages += [
                text_passage("user", message[0]),
                text_passage("assistant", message[1]),
            ]
        else:
            found.refuse(f"a message is {shown(message)}, which is no object with a speaker")
    return found


def usual_turns(
    value: JSON, images: int, names: SpeakerNames = USUAL_SPEAKERS
) -> tuple[Turn, ...] | None:
    """Return the turns of a conversation of the most usual kind, in a fraction of the time.

    That is a list of messages of texts by known speakers, from a question to an answer, with no
    mark but one before the first question for the one image. None for all others.
    """
    if not isinstance(value, list) or not value or not isinstance(value[0], dict):
        return None
    first = value[0]
    role_key = names.role or ("from" if "from" in first else "role")
    text_key = names.text or ("value" if "value" in first else "content")
    roles, marked = names.roles, 0
    turns: list[Turn] = []
    try:
        for message in value:
            role, text = roles[message[role_key]], message[text_key]
            if "<" in text:
                if turns or role != "user" or not text.startswith(IMAGE) or text.count("<") > 1:
                    return None
                text, marked = text[len(IMAGE) :].strip(), 1
            turns.append(Turn(role, text + ""))  # what is no text raises
            if "tool_calls" in message:
                return None
    except (KeyError, TypeError, AttributeError):
        return None
    spoken = [turn.role for turn in turns]
    if marked != images or spoken[-1] != "assistant" or "user" not in spoken:
        return None
    return tuple(turns)


def looks_like_messages(value: JSON) -> bool:
    """Tell whether a value is a list of messages, or of the columns of messages."""
    if isinstance(value, dict):
        return any(isinstance(value.get(key), list) for key in ROLE_KEYS)
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)


def _as_messages(value: JSON, names: SpeakerNames, found: Conversation) -> Sequence[JSON]:
    """Return messages one by one, also where each column of them is a list."""
    if isinstance(value, dict):
        lists = {key: column for key, column in value.items() if isinstance(column, list)}
        if not any(key in lists for key in (names.role, *ROLE_KEYS, *sum(PAIRS, ()))):
            return [value]  # one message, or one pair
        if len({len(column) for column in lists.values()}) > 1:
            found.refuse("the columns of the conversation are not of one length")
        return [dict(zip(lists, row, strict=True)) for row in zip(*lists.values(), strict=False)]
    if isinstance(value, list):
        return value
    if value is not None:
        found.refuse(f"the conversation is {shown(value)}, which is no list of messages")
    return ()


def _read_message(
    message: Mapping[str, JSON],
    role_key: str,
    text_key: str,
    names: SpeakerNames,
    found: Conversation,
) -> None:
    role_key = _present(message, role_key, ROLE_KEYS if names.role is None else ())
    if role_key not in message:
        _read_pair(message, found)
        return
    text_key = _present(message, text_key, TEXT_KEYS if names.text is None else ())
    speaker = message[role_key]
    role = _role(speaker, names, found)
    if text_key not in message and "tool_calls" not in message:
        found.refuse(f"what {shown(speaker)} says stands under none of {', '.join(TEXT_KEYS)}")
    if message.get("tool_calls") and TOOL_CALLS not in found.remarks:
        found.remarks = (*found.remarks, TOOL_CALLS)
    found.passages.append(content_passage(role, message.get(text_key), found.refuse))


def _role(speaker: JSON, names: SpeakerNames, found: Conversation) -> str:
    if isinstance(speaker, str):
        role = names.roles.get(speaker) or names.roles.get(speaker.strip().lower())
        if role is not None:
            return role
    found.refuse(f"the speaker {shown(speaker)} is not known")
    return "tool"


def _present(message: Mapping[str, JSON], key: str, others: Sequence[str]) -> str:
    if key in message:
        return key
    return next((other for other in others if other in message), key)


def _read_pair(message: Mapping[str, JSON], found: Conversation) -> None:
    """Read {"user": question, "assistant": answer}, in any of the usual names."""
    lower = {key.lower(): key for key in message if isinstance(key, str)}
    for question, answer in PAIRS:
        if question in lower and answer in lower:
            for role, key in (("user", question), ("assistant", answer)):
                found.passages.append(content_passage(role, message[lower[key]], found.refuse))
            return
    keys = ", ".join(shown(key) for key in list(message)[:4])
    found.refuse(f"a message names no speaker: its keys are {keys}")


def _is_text_pair(message: JSON) -> bool:
    return (
        isinstance(message, list)
        and len(message) == 2
        and all(isinstance(text, str) for text in message)
    )
