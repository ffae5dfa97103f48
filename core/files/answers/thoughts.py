"""Tells a model's thoughts from its answer, whatever marks stand between the two."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ig4.core.files.reading.repeatedkeys import refuse_repeated

_SPACE = r"\s{0,20}"  # bounded, so that no text takes long
_WORD = (
    r"think(?:ing)?|thoughts?|thought_process|reason(?:ing)?|reflect(?:ions?)?|analysis|scratchpad"
    r"|cot|chain_of_thought|inner_(?:monologue|thoughts?)|deliberation|ant_?thinking"
    r"|\w{1,20}_think(?:ing)?"
)
_OPENS, _CLOSES = r"begin(?:ning)?(?:_of)?_|start(?:_of)?_", r"/|end(?:_of)?_|stop_"
_MARKS = re.compile(
    # <think>, </think >, <seed:think>, &lt;/thinking&gt;
    rf"(?:<|&lt;){_SPACE}(?P<tag_end>/)?{_SPACE}(?:\w{{1,20}}:)?(?P<tag>{_WORD})"
    rf"(?:\s[^<>&]{{0,200}})?{_SPACE}(?:>|&gt;)"
    # <|begin_of_thought|>, <|end_of_thought|>, <|START_THINKING|>, <|/think|>, <|thought_end|>
    rf"|<{_SPACE}[|\uff5c]{_SPACE}(?:(?P<bar_end>{_CLOSES})|{_OPENS})?(?P<bar>{_WORD})"
    rf"(?:_(?:(?P<bar_end_after>end|stop)|begin|start))?{_SPACE}[|\uff5c]{_SPACE}>"
    # [THINK], [/THINK]
    rf"|\[{_SPACE}(?P<bracket_end>{_CLOSES})?(?:{_OPENS})?"
    rf"(?P<bracket>think(?:ing)?){_SPACE}\]"
    # Kimi, MedGemma, Gemma
    rf"|\u25c1{_SPACE}(?P<kimi_end>/)?{_SPACE}(?P<kimi>think(?:ing)?){_SPACE}\u25b7"
    r"|<(?P<unused>unused94|(?P<unused_end>unused95))>"
    rf"|(?P<gemma><\|channel>{_SPACE}thought\b|(?P<gemma_end><channel\|>))",
    re.IGNORECASE,
)

_CHANNEL = re.compile(
    r"<\|channel\|>\s{0,20}(?P<name>\w{1,40})[^<>]{0,200}(?:<\|constrain\|>[^<>]{0,200})?<\|message\|>",
    re.IGNORECASE,
)
_CHANNEL_MARK = re.compile(r"<\|(?:channel|message|start)\|>", re.IGNORECASE)
_CHANNEL_END = re.compile(r"\s*<\|(?:return|end|call)\|>\s*$", re.IGNORECASE)

# Words in place of marks: Granite's, and those of gpt-oss where a server drops its marks.
_WORDED = (
    (
        re.compile(r"\s*here(?:'|\u2019)?(?:s| is) my thought process\s?:", re.IGNORECASE),
        re.compile(r"here(?:'|\u2019)?(?:s| is) my response\s?:", re.IGNORECASE),
    ),
    (re.compile(r"\s*analysis"), re.compile(r"assistant\s?final")),
)
_WRAPPERS = re.compile(
    r"\s*(?:<(answer|response|output|solution)>|<\|begin_of_(solution|box|answer)\|>)",
    re.IGNORECASE,
)


class UnreadableThoughtsError(Exception):
    """Where a model's thoughts end cannot be told; its text is the reason."""


@dataclass(frozen=True, slots=True)
class _Mark:
    """A mark in a text; `family` tells apart marks of different kinds."""

    start: int
    end: int
    closes: bool
    family: str


def answer_of(text: str, *, asked: str = "", cut: bool = False) -> str:
    """Return what follows the thoughts in a model's text; all of it where it has no thoughts.

    Many servers send only the mark that closes thoughts. A model may also quote marks that are in
    the text it was `asked` about: then only thoughts that are whole, from the very beginning of a
    text that was not `cut`, can be told from a quotation.

    Raises:
        UnreadableThoughtsError: the marks are not those of one thought that begins and ends.
    """
    channels = bool(_CHANNEL_MARK.search(text))
    marks = [] if channels else _find_marks(text)
    if not channels and not marks:
        return text
    begins = bool(marks) and not marks[0].closes and not text[: marks[0].start].strip()
    if (cut or not begins) and has_thoughts(asked):
        raise UnreadableThoughtsError(
            "it holds marks of reasoning, and so does what it was asked about: a quotation cannot "
            "be told from the end of its reasoning"
        )
    return _last_channel(text) if channels else _unwrap(text[_end_of_thoughts(marks) :].lstrip())


def without_thoughts(answer: str) -> str:
    """Return the answer to a question without the thoughts before it.

    A mark that opens in the middle of an answer is part of it: the question may be about one.

    Raises:
        UnreadableThoughtsError: as `answer_of`.
    """
    marks = [] if _CHANNEL_MARK.search(answer) else _find_marks(answer)
    if marks and not marks[0].closes and answer[: marks[0].start].strip():
        return answer
    return answer_of(answer)


def whole_object(text: str) -> dict[str, Any] | None:
    """Return the JSON object that a text is as a whole; marks in its strings mean nothing.

    Such a reply has no thoughts before it.
    """
    if not text.lstrip().startswith("{"):
        return None
    try:
        value = json.loads(text, object_pairs_hook=refuse_repeated)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def has_thoughts(text: str) -> bool:
    """Tell whether a text holds any mark of thoughts."""
    return bool(_CHANNEL_MARK.search(text) or _find_marks(text))


def _find_marks(text: str) -> list[_Mark]:
    found = [_mark(match) for match in _MARKS.finditer(text)]
    for opening, closing in _WORDED:
        opened = opening.match(text)
        if opened and (ends := list(closing.finditer(text))):
            words = [_Mark(opened.start(), opened.end(), closes=False, family="words")]
            found += words + [_Mark(*one.span(), closes=True, family="words") for one in ends]
    return sorted(found, key=lambda mark: mark.start)


def _mark(match: re.Match[str]) -> _Mark:
    groups = match.groupdict()
    closes = any(value for name, value in groups.items() if "_end" in name)
    kind = next(name for name, value in groups.items() if value and "_end" not in name)
    fixed = kind in ("unused", "gemma")  # their two marks are two words
    return _Mark(*match.span(), closes, kind if fixed else f"{kind} {groups[kind].lower()}")


def _end_of_thoughts(marks: Sequence[_Mark]) -> int:
    closing = [mark for mark in marks if mark.closes]
    opening = [mark for mark in marks if not mark.closes]
    if len(closing) > 1:
        raise UnreadableThoughtsError("its reasoning seems to end more than once")
    if not closing or marks[-1] != closing[0]:
        raise UnreadableThoughtsError("its reasoning does not end")
    if len(opening) > 1:
        raise UnreadableThoughtsError("its reasoning begins more than once")
    if opening and opening[0].family != closing[0].family:
        raise UnreadableThoughtsError("its reasoning ends with another mark than it begins with")
    return closing[0].end


def _last_channel(text: str) -> str:
    """Return the final message of gpt-oss, whose messages name their channel."""
    channels = list(_CHANNEL.finditer(text))
    final = [one for one in channels if one["name"].lower() == "final"]
    if not final:
        raise UnreadableThoughtsError("its reasoning does not end")
    if len(final) > 1 or final[0] != channels[-1]:
        raise UnreadableThoughtsError("its reasoning seems to end more than once")
    answer = text[final[0].end() :].lstrip()
    answer = _CHANNEL_END.sub("", answer)
    if _CHANNEL_MARK.search(answer):
        raise UnreadableThoughtsError("its reasoning seems to end more than once")
    return answer


def _unwrap(answer: str) -> str:
    """Return an answer without the marks that some models put around it after their thoughts."""
    while opened := _WRAPPERS.match(answer):
        name = opened[1] or opened[2]
        closing = re.compile(rf"\s*<(?:/{name}>|\|end_of_{name}\|>)\s*$", re.IGNORECASE)
        answer = closing.sub("", answer[opened.end() :]).lstrip()
    return answer
