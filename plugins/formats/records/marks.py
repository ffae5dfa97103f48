"""The marks that stand in texts for images: which of them are marks, and where they stand."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from ig4.core.records import Record, Turn
from ig4.plugins.formats.records.imagefields import ImageField, ImageRef

IMAGE = "<image>"
"""The mark of an image in a turn's text."""

Place: TypeAlias = tuple[int, int]
"""Where an image stands: the number of the turn, and a position in its text, without the marks."""

_OTHER_MARKS = {"<__dj__image>": IMAGE, "<__dj__video>": "<video>", "<__dj__audio>": "<audio>"}
_CHUNK_END = "<|__dj__eoc|>"
_MARK = re.compile(re.escape(IMAGE))
_MEDIA = re.compile(r"<(?:video|audio)>")


class Slot:
    """A part of a content that is an image without saying which: the record's next one."""


SLOT = Slot()

Piece: TypeAlias = str | ImageField | Slot


@dataclass(slots=True)
class Passage:
    """One turn as it was read: its texts, with the images that stand between them.

    `joint` stands between the texts: a line break where they are parts of a content.
    """

    role: str
    pieces: list[Piece] = field(default_factory=list)
    joint: str = ""

    @property
    def texts(self) -> list[str]:
        """The texts without what stands between them."""
        return [piece for piece in self.pieces if isinstance(piece, str)]


def usual_marks(text: str) -> str:
    """Return a text with Data-Juicer's marks written as everybody's.

    The ends of its chunks become line breaks.
    """
    if "__dj__" not in text:
        return text
    for mark, usual in _OTHER_MARKS.items():
        text = text.replace(mark, usual)
    first, *others = text.split(_CHUNK_END)
    lines = [other.lstrip(" \t").removeprefix("\n") for other in others]
    return "\n".join(line.rstrip(" \t") for line in (first, *lines)).rstrip("\n")


def count_marks(passages: Sequence[Passage], *, alone: bool = False) -> int:
    """Return the number of marks in texts; with `alone`, of those that no sentence is around."""
    count = 0
    for passage in passages:
        for text in passage.texts:
            if IMAGE in text:
                count += len(_standing(text)) if alone else text.count(IMAGE)
    return count


def shows_media(passages: Sequence[Passage]) -> bool:
    """Return whether a mark of a video or of sound stands alone in a text."""
    return any(
        _MEDIA.search(text) and _standing(text, _MEDIA)
        for passage in passages
        for text in passage.texts
        if "<video>" in text or "<audio>" in text
    )


def assemble(passage: Passage, which: str) -> tuple[Turn, list[tuple[int, ImageRef | None]]]:
    """Return a passage's turn, and (position, image or None for the next one) of what it shows.

    `which` marks are taken out of the text: "all" of them, those that stand "alone", or "none".
    """
    if len(passage.pieces) == 1 and isinstance(passage.pieces[0], str):
        text = passage.pieces[0]
        if which == "none" or IMAGE not in text:
            return Turn(passage.role, text), []
        if which == "all" and text.startswith(IMAGE) and text.count(IMAGE) == 1:
            return Turn(passage.role, text[len(IMAGE) :].strip()), [(0, None)]  # nearly always
    return _Assembly(passage.joint).turn(passage, which)


class _Assembly:
    """A text that grows piece by piece, and the images at their places in it."""

    def __init__(self, joint: str) -> None:
        self.joint = joint
        self.chunks: list[str] = []
        self.length = 0
        self.images: list[tuple[int, ImageRef | None]] = []
        self.trimmed = False

    def turn(self, passage: Passage, which: str) -> tuple[Turn, list[tuple[int, ImageRef | None]]]:
        for piece in passage.pieces:
            if isinstance(piece, str):
                self._add_text(piece, which)
            elif isinstance(piece, ImageField):
                self.trimmed |= not self.joint  # a tag in the text, which line breaks surround
                self.images += [(self.length, ref) for ref in piece.refs]
            else:
                self.images.append((self.length, None))
        text = "".join(self.chunks)
        if not self.trimmed:
            return Turn(passage.role, text), self.images
        before = len(text) - len(text.lstrip())
        text = text.strip()
        moved = [(min(max(at - before, 0), len(text)), ref) for at, ref in self.images]
        return Turn(passage.role, text), moved

    def _add_text(self, text: str, which: str) -> None:
        if not text:
            return
        if self.joint and self.length:
            self._add_joint()
        at = 0
        if which != "none" and IMAGE in text:
            for start in _standing(text) if which == "alone" else _all(text):
                self.trimmed = True
                self._add(text[at:start])
                self.images.append((self.length, None))
                at = start + len(IMAGE)
        self._add(text[at:])

    def _add_joint(self) -> None:
        """Images that stand behind one text stand before the next, not between it and the joint."""
        last = len(self.images)
        while last and self.images[last - 1][0] == self.length:
            last -= 1
        self._add(self.joint)
        self.images[last:] = [(self.length, ref) for _, ref in self.images[last:]]

    def _add(self, text: str) -> None:
        self.chunks.append(text)
        self.length += len(text)


def _all(text: str) -> list[int]:
    return [found.start() for found in _MARK.finditer(text)]


def _standing(text: str, mark: re.Pattern[str] = _MARK) -> list[int]:
    """Return where marks begin a text, end it, or fill a line: where nobody writes about them."""
    rest = mark.sub(lambda found: " " * len(found[0]), text)
    first, last = len(rest) - len(rest.lstrip()), len(rest.rstrip())
    starts, line_start = [], 0
    for line in text.split("\n"):
        blank = not rest[line_start : line_start + len(line)].strip()
        for found in mark.finditer(line):
            at = line_start + found.start()
            if blank or at < first or at >= last:
                starts.append(at)
        line_start += len(line) + 1
    return starts


def usual_places(turns: Sequence[Turn], places: Sequence[Place]) -> tuple[Place, ...] | None:
    """Return places, or None if all are where images usually are: before the first question."""
    first = next((n for n, turn in enumerate(turns) if turn.role == "user"), None)
    return None if all(place == (first, 0) for place in places) else tuple(places)


def with_image_marks(record: Record, separator: str) -> list[Turn]:
    """Return the turns with a mark for each image where it stands.

    `separator` stands between a mark and a text that it begins or ends. Images whose places are
    not known stand before the first question.
    """
    turns = list(record.turns)
    places = record.places
    if places is None or len(places) != len(record.images):
        marks = (IMAGE + separator) * len(record.images)
        at = next((i for i, turn in enumerate(turns) if turn.role == "user"), None)
        if at is not None:
            turns[at] = Turn("user", marks + turns[at].text)
        return turns
    for (number, at), count in sorted(Counter(places).items(), reverse=True):
        if number < len(turns):
            turns[number] = _marked(turns[number], at, count, separator)
    return turns


def _marked(turn: Turn, at: int, count: int, separator: str) -> Turn:
    before, after = turn.text[:at], turn.text[at:]
    if not before:
        return Turn(turn.role, (IMAGE + separator) * count + after)
    if not after:
        return Turn(turn.role, before + (separator + IMAGE) * count)
    return Turn(turn.role, before + IMAGE * count + after)
