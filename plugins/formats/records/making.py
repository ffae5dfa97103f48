"""Makes the record of a conversation and of the images that stand in it and beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ig4.core.records import JSON, Record, Turn
from ig4.plugins.formats.records.conversations import Conversation
from ig4.plugins.formats.records.imagefields import ImageField, ImageRef
from ig4.plugins.formats.records.marks import (
    Passage,
    Place,
    assemble,
    count_marks,
    shows_media,
    usual_places,
)
from ig4.plugins.formats.records.parts import MEDIA

NO_CONVERSATION = "the record is not a conversation: no instruction and no answer can be read in it"
UNMARKED = "no <image> mark shows their images, which then stand before the first question"
_DIFFERENT = "other images are named between the texts than beside them"
OPEN_END = "they end with a question that nobody answers"


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
