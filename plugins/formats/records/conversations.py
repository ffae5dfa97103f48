"""Reads conversations in the forms that data sets have, and makes records of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ig4.core.records import JSON, Record, Turn
from ig4.plugins.formats.records.imagefields import (
    IMAGE_KEYS,
    NO_IMAGES,
    ImageField,
    ImageRef,
    has_tags,
    read_images,
    shown,
    split_tags,
)
from ig4.plugins.formats.records.marks import (
    IMAGE,
    SLOT,
    Passage,
    Piece,
    Place,
    assemble,
    count_marks,
    shows_media,
    usual_marks,
    usual_places,
)

ROLES: Mapping[str, str] = {
    "human": "user",
    "user": "user",
    "prompter": "user",
    "question": "user",
    "instruction": "user",
    "gpt": "assistant",
    "assistant": "assistant",
    "model": "assistant",
    "bot": "assistant",
    "chatgpt": "assistant",
    "bing": "assistant",
    "bard": "assistant",
    "claude": "assistant",
    "gemini": "assistant",
    "ai": "assistant",
    "answer": "assistant",
    "system": "system",
    "developer": "system",
    "observation": "tool",
    "observations": "tool",
    "function": "tool",
    "function_call": "tool",
    "function_response": "tool",
    "tool": "tool",
    "tools": "tool",
    "tool_call": "tool",
    "tool_response": "tool",
    "ipython": "tool",
    "environment": "tool",
}
"""The roles by data sets' names of the speakers; case does not matter."""

_ROLE_KEYS = ("from", "role", "speaker", "author")
_TEXT_KEYS = ("value", "content", "text", "message")
_PAIRS = (
    ("user", "assistant"), ("human", "gpt"), ("human", "assistant"), ("question", "answer"),
    ("instruction", "output"), ("instruction", "response"), ("prompt", "response"),
    ("prompt", "completion"), ("query", "response"), ("input", "output"), ("q", "a"),
)  # fmt: skip
_TEXT_TYPES = ("text", "input_text", "output_text")
_IMAGE_TYPES = ("image", "image_url", "input_image", "img", "image_file")
MEDIA_KEYS = ("video", "videos", "audio", "audios")
"""The keys under which a record or a part holds videos or sounds."""
_MEDIA_TYPES = ("video", "video_url", "input_video", "audio", "audio_url", "input_audio")

NO_CONVERSATION = "the record is not a conversation: no instruction and no answer can be read in it"
MEDIA = "the record shows a video or sound, and ig4 reads images alone"
UNMARKED = "no <image> mark shows their images, which then stand before the first question"
_DIFFERENT = "other images are named between the texts than beside them"
OPEN_END = "they end with a question that nobody answers"
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


@dataclass(frozen=True, slots=True)
class SpeakerNames:
    """What messages call the speaker and the text, and the roles by the speakers' names.

    A key that is None is found by its usual names.
    """

    role: str | None = None
    text: str | None = None
    roles: Mapping[str, str] = field(default_factory=lambda: ROLES)


USUAL_SPEAKERS = SpeakerNames()


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
                Passage("user", _text_pieces(message[0])),
                Passage("assistant", _text_pieces(message[1])),
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
        return any(isinstance(value.get(key), list) for key in _ROLE_KEYS)
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)


def text_passage(role: str, text: str) -> Passage:
    """Return a passage of one text, in which marks and tags of images may stand."""
    return Passage(role, _text_pieces(text))


def make_record(
    identity: str,
    conversation: Conversation,
    images: ImageField,
    raw: JSON,
    instruction: str,
    *,
    marked: bool = False,
    media: bool = False,
) -> Record:
    """Return the record of a conversation and the images that stand beside it.

    Without a question `instruction` becomes one. `marked` says that each image should have a mark,
    `media` that videos or sounds stand in the place of images. Turns are () where nobody answers.
    """
    passages = conversation.passages
    match = _match(passages, images.refs)
    turns: list[Turn] = []
    places: list[Place] = []
    for number, passage in enumerate(passages):
        turn, shows = assemble(passage, match.marks)
        turns.append(turn)
        places += [(number, at) for at, ref in shows if ref is None or not match.by_marks]
    problem = conversation.problem or images.problem or match.problem
    if problem is None and ((media and not match.refs) or shows_media(passages)):
        problem = MEDIA
    complete, inserted = complete_turns(turns, instruction)
    if not complete:
        problem = problem or _unanswered(turns)
        return Record(identity, (), match.refs, raw, problem, conversation.remarks)
    remarks = conversation.remarks
    if complete[-1].role == "user":
        remarks = (*remarks, OPEN_END)
    if not places:
        if marked and match.refs and problem is None:
            remarks = (*remarks, UNMARKED)
        return Record(identity, complete, match.refs, raw, problem, remarks)
    known = _places(complete, places, inserted) if len(places) == len(match.refs) else None
    return Record(identity, complete, match.refs, raw, problem, remarks, known)


def complete_turns(turns: Sequence[Turn], instruction: str) -> tuple[tuple[Turn, ...], int | None]:
    """Return the turns, and where `instruction` was put in as the question if there was none.

    Turns are () where nobody answers.
    """
    roles = [turn.role for turn in turns]
    if "assistant" not in roles:
        return (), None
    if "user" in roles:
        return tuple(turns), None
    at = roles.index("assistant")
    return (*turns[:at], Turn("user", instruction), *turns[at:]), at


@dataclass(frozen=True, slots=True)
class _Match:
    """Which marks are images ("all", "alone" or "none"), the images, and what does not fit.

    `by_marks` says that marks show the images also where they stand between the texts themselves.
    """

    marks: str
    refs: tuple[ImageRef, ...]
    problem: str | None = None
    by_marks: bool = False


def _match(passages: Sequence[Passage], beside: tuple[ImageRef, ...]) -> _Match:
    """Find out which marks stand for the images named beside the texts, and between them."""
    slots, inline = 0, ImageField()
    for passage in passages:
        if len(passage.pieces) == 1 and isinstance(passage.pieces[0], str):
            continue  # nearly always
        for piece in passage.pieces:
            if isinstance(piece, ImageField):
                inline = ImageField(inline.refs + piece.refs, inline.problem or piece.problem)
            elif not isinstance(piece, str):
                slots += 1
    marks = slots + count_marks(passages)
    if inline.refs and beside and sorted(map(str, inline.refs)) != sorted(map(str, beside)):
        return _Match("alone", beside + inline.refs, inline.problem or _DIFFERENT)
    refs = inline.refs or beside
    if marks == len(refs):
        return _Match("all", refs, inline.problem, by_marks=True)
    if marks == 0 or (slots == 0 and len(refs) == len(inline.refs) and not _alone(passages)):
        return _Match("none", refs, inline.problem)  # what looks like marks is text
    return _Match("alone", refs, inline.problem or _mismatch(marks, len(refs)))


def _alone(passages: Sequence[Passage]) -> int:
    return count_marks(passages, alone=True)


def _mismatch(marks: int, images: int) -> str:
    return (
        f"{marks:,} <image> mark{'' if marks == 1 else 's'} for {images:,} "
        f"image{'' if images == 1 else 's'}"
    )


def _places(
    turns: Sequence[Turn], places: Sequence[Place], inserted: int | None
) -> tuple[Place, ...] | None:
    """Return places among complete turns; None if they are before the first question."""
    if inserted is not None:
        places = [(turn + (turn >= inserted), at) for turn, at in places]
        if all(place == (inserted + 1, 0) for place in places):
            return None  # at the head of an answer to a question that was not there
    return usual_places(turns, places)


def _unanswered(turns: Sequence[Turn]) -> str:
    if not turns:
        return NO_CONVERSATION
    return f"nobody answers in it: its speakers are {', '.join(sorted({t.role for t in turns}))}"


def _as_messages(value: JSON, names: SpeakerNames, found: Conversation) -> Sequence[JSON]:
    """Return messages one by one, also where each column of them is a list."""
    if isinstance(value, dict):
        lists = {key: column for key, column in value.items() if isinstance(column, list)}
        if not any(key in lists for key in (names.role, *_ROLE_KEYS, *sum(_PAIRS, ()))):
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
    role_key = _present(message, role_key, _ROLE_KEYS if names.role is None else ())
    if role_key not in message:
        _read_pair(message, found)
        return
    text_key = _present(message, text_key, _TEXT_KEYS if names.text is None else ())
    speaker = message[role_key]
    role = _role(speaker, names, found)
    if text_key not in message and "tool_calls" not in message:
        found.refuse(f"what {shown(speaker)} says stands under none of {', '.join(_TEXT_KEYS)}")
    if message.get("tool_calls") and TOOL_CALLS not in found.remarks:
        found.remarks = (*found.remarks, TOOL_CALLS)
    found.passages.append(_passage(role, message.get(text_key), found))


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
    for question, answer in _PAIRS:
        if question in lower and answer in lower:
            found.passages.append(_passage("user", message[lower[question]], found))
            found.passages.append(_passage("assistant", message[lower[answer]], found))
            return
    keys = ", ".join(shown(key) for key in list(message)[:4])
    found.refuse(f"a message names no speaker: its keys are {keys}")


def _is_text_pair(message: JSON) -> bool:
    return (
        isinstance(message, list)
        and len(message) == 2
        and all(isinstance(text, str) for text in message)
    )


def _passage(role: str, content: JSON, found: Conversation) -> Passage:
    """Return the passage of a message's content: a text, or parts with images between texts."""
    if isinstance(content, str):
        return Passage(role, _text_pieces(content))
    if isinstance(content, (list, dict)):
        pieces: list[Piece] = []
        for part in content if isinstance(content, list) else [content]:
            pieces += _part_pieces(part, found)
        return Passage(role, pieces, "\n")
    return Passage(role, ["" if content is None else str(content)])


def _part_pieces(part: JSON, found: Conversation) -> list[Piece]:
    if isinstance(part, str):
        return _text_pieces(part)
    if not isinstance(part, dict):
        found.refuse(f"a part of a content is {shown(part)}, which is no object")
        return []
    kind = part.get("type")
    if kind in _TEXT_TYPES or (kind is None and not _image_key(part)):
        text = next((part[key] for key in ("text", *_TEXT_KEYS) if key in part), None)
        if isinstance(text, str) or (text is None and kind is not None):
            return _text_pieces(text or "")
    elif kind in _IMAGE_TYPES or kind is None:
        return [_part_image(part)]
    if kind in _MEDIA_TYPES or (kind is None and any(part.get(key) for key in MEDIA_KEYS)):
        found.refuse(MEDIA)
    elif kind is None:
        keys = ", ".join(shown(key) for key in list(part)[:4])
        found.refuse(f"a part of a content has no type, and the keys {keys}")
    else:
        found.refuse(f"a part of a content is of the type {shown(kind)}, which is not read")
    return []


def _image_key(part: Mapping[str, JSON]) -> bool:
    """Tell whether a part without a type is an image; {"text": …, "image": null} is a text."""
    keys = ("image", "image_url", "input_image", "bytes", "images", "file_name", "path", "url")
    named = any(part.get(key) is not None for key in keys)
    return named and not isinstance(part.get("text"), str)


def _part_image(part: Mapping[str, JSON]) -> Piece:
    """Return the images that a part names, or SLOT if it names none."""
    kind = part.get("type")
    if isinstance(kind, str) and part.get(kind) is not None:
        read = read_images(part[kind])
    else:
        named = {key: part[key] for key in part if key in IMAGE_KEYS}
        read = read_images(named) if named else NO_IMAGES
    return SLOT if not read.refs and read.problem is None else read


def _text_pieces(text: str) -> list[Piece]:
    if "<" not in text:
        return [text]
    text = usual_marks(text)
    if not has_tags(text):
        return [text]
    pieces: list[Piece] = [piece for piece in split_tags(text) if piece != ""]
    return pieces or [text]
