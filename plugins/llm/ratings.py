"""Parses the rating in a reply, and refuses anything else: a score is never made up."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ig4.core.files.answers.thoughts import UnreadableThoughtsError, answer_of, whole_object
from ig4.core.files.reading.repeatedkeys import refuse_repeated

MAX_EXPLANATION = 4000
"""Maximum number of characters of an explanation."""

_DECODER = json.JSONDecoder(object_pairs_hook=refuse_repeated)
_MAXIMUM_KEYS = frozenset(
    (
        "maxscore", "maxrating", "maxpoints", "maxvalue", "maximum", "maximumscore", "max", "outof",
        "scale", "total", "totalpoints", "possible",
    )
)  # fmt: skip
"""Keys beside a score under which a model says what it is out of: 10, or "0-100"."""

_WORDS = {5: "five", 10: "ten", 20: "twenty"}
"""Usual scales in words."""

_USUAL = (5, 10, 20, 100)
"""What ratings are usually out of."""

_FIRST_LINE = 400  # characters; a rating is at the start of a line

# A comma before three digits may separate thousands, and dots between numbers mean a range.
_NUMBER = r"(?P<value>\d{1,3}(?:\.\d{1,20}|,(?!\d{3}(?!\d))\d{1,20})?)(?![.,\u2026]*\d)"
_END = r"(?:[.,;:)!(\u2013\u2014-].*)?$"
# Words that may precede the number; a line with any other word there is prose.
_WORD = (
    r"(?:the|my|an?|overall|final|total|quality|score[ds]?|rating|rated?|grade|points?|is|of|it|"
    r"this|that|would|will|be|give|assign|answer|response|sample|at|as|with|for|to|"
    r"i(?:['\u2019](?:d|ll))?|评分|分数|得分)"
)
_COLON = r"(?:[:\uff1a=\u2013\u2014]|-(?=\s))"  # a minus that touches the number is a minus
_BEFORE = rf"(?:{_WORD}(?:\s+{_COLON}?|{_COLON})\s*){{0,14}}"
_RANGE = re.compile(
    r"\d\s*%?\s*(?:-|~|\u2010|\u2011|\u2012|\u2013|\u2014|\bto\b|\band\b|\bor\b)\s*\d|between\s+\d",
    re.IGNORECASE,
)
_PART = re.compile(
    r"quality[^\d]*\d.*\b(?:variety|diversity|richness)[\s:=\uff1a]+\d", re.IGNORECASE
)
# "Sample 3: 85", where the first number only says which, and two ratings of a whole line.
_NUMBERED = re.compile(r"\D*\d[\d.,]{0,9}\s{0,9}[:=\uff1a]\s{0,9}[-+]?\d")
_CORRECTED = re.compile(
    r"\d\D*\b(?:revised|corrected|changed|updated|adjusted)\b\D*\d|\d\W+no\b\W+\d", re.IGNORECASE
)
_TWO = re.compile(r"^\d{1,3}\s*(?:,\s|;)\s*\d{1,3}$")
_ITEM = re.compile(r"^1[.)]\s+(?=.*\d)")  # not a rating, but the number of an item in a list
_NUMBERS = re.compile(r"[-+]?\d+(?:[.,]\d+)?(?:[eE][-+]?\d+)?")
_HEADING = re.compile(r"^[#*_\s]*(?:score|rating)[*_\s]*[:\uff1a]?[*_\s]*$", re.IGNORECASE)
_REFUSAL = re.compile(
    r"\b(?:i(?:'|\u2019)?m\s+sorry|i\s+(?:cannot|can(?:'|\u2019)?t|am\s+unable|won(?:'|\u2019)?t)|"
    r"as\s+an\s+ai|unable\s+to)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class _Scale:
    """The patterns of ratings from 0 to `maximum`, and of those that are out of something else.

    `small_words` are other scales in words.
    """

    maximum: int
    forms: tuple[re.Pattern[str], ...]
    own: re.Pattern[str]
    other: re.Pattern[str]
    twice: re.Pattern[str]
    small_words: re.Pattern[str]


@lru_cache
def _scale(maximum: int) -> _Scale:
    most = rf"{maximum}(?!\d)"
    others = "|".join(str(one) for one in _USUAL if one != maximum)
    words = "|".join(word for number, word in _WORDS.items() if number != maximum)
    of = (
        rf"(?:/\s*{maximum}(?:\.0+)?(?![\d.,]*\d|\s\d)"
        rf"|out\s+of\s+(?:a\s+possible\s+)?{maximum}(?![\d.,]*\d|\s\d))"
    )
    unit = rf"(?:{'%|' if maximum == 100 else ''}points?\b|\u5206)"
    other = (
        rf"\d(?:[.,]\d+)?\s*(?:/|out\s+of)\s*(?!{most})\d"
        r"|(?:/|\bout\s+of|\(\s*of|\bmax(?:imum|\.)?(?:\s+of)?|\bscale\s+(?:of|to))[\s:]*"
        rf"(?:(?:{others})(?![\d.,]*\d)|(?:{words})\b)"
        rf"|(?<![\d.,])(?:{others})\s{{0,9}}max"
        rf"|\bmax(?:imum)?\b[\s:=]{{0,9}}(?:is|of)?[\s:=]{{0,9}}(?!{most})\d"
        rf"|\b(?:{words}|(?!{maximum}[- ])\d{{1,3}})[- ]point\b"
        rf"|(?<!\d)(?!{most})\d{{1,3}}\s{{0,9}}(?:=|is|being)\s{{0,9}}(?:the\s)?"
        r"(?:best|highest|perfect)"
    )

    def compiled(pattern: str) -> re.Pattern[str]:
        return re.compile(pattern, re.IGNORECASE)

    return _Scale(
        maximum,
        (
            # 87, 87.5, 92 %, Score: 92, Rating - 85, I would give this a score of 70
            compiled(rf"^{_BEFORE}{_NUMBER}\s*{unit}?\s*{_END}"),
            # 80/100, 92 out of 100, I would rate this 85/100 because
            compiled(rf"^{_BEFORE}{_NUMBER}\s*{of}"),
        ),
        own=compiled(rf"\(\s*(?:from\s+)?0\s*(?:-|\u2013|to)\s*{maximum}\s*\)"),
        other=compiled(other),
        twice=compiled(rf"{of}.*{of}"),
        small_words=compiled(rf"\b(?:{words})\b"),
    )


@dataclass(frozen=True, slots=True)
class Rating:
    """A model's rating of a sample, from 0 to its scale's maximum, and its explanation."""

    score: float
    explanation: str = ""


class UnreadableRating(Exception):  # noqa: N818 - it is the reply that is unreadable
    """A reply has no rating; the message is the reason."""


def parse(text: str, *, asked: str = "", cut: bool = False, maximum: int = 100) -> Rating:
    """Return the rating from 0 to `maximum` in a reply: as JSON, or the number on its first line.

    Only the first non-blank line counts, so that a number in the explanation, or in a quotation
    of the answer there, never becomes the rating. Thoughts before it are passed over; `asked` is
    the prompt, which the reply may quote. Of a reply that was `cut` the first line must be whole:
    an 8 at its end may be the start of 85, of 8/10 or of 8 to 9.

    Raises:
        UnreadableRating: there is no number, it is not between 0 and 100, or the model refused.
    """
    scale = _scale(maximum)
    whole = whole_object(text)
    if whole is not None:
        return _rating_in(whole, scale)
    body = _body(text, asked=asked, cut=cut)
    if body.startswith("{"):
        return _rating_in(_parse_json(body), scale)
    first, ended, rest = body.partition("\n")
    if _HEADING.match(first[:_FIRST_LINE]):
        first, ended, rest = rest.lstrip().partition("\n")
    score = _parse_line(first[:_FIRST_LINE], scale)
    if cut and not ended:
        raise UnreadableRating("its rating is the last thing in it, and may go on")
    return Rating(score, rest.strip()[:MAX_EXPLANATION])


def parse_object(text: str, *, asked: str = "", cut: bool = False) -> dict[str, Any]:
    """Return the JSON object that a reply is, after its thoughts and without a fence around it.

    Raises:
        UnreadableRating: it is none, or names a key twice.
    """
    whole = whole_object(text)
    if whole is not None:
        return whole
    body = _body(text, asked=asked, cut=cut)
    if not body.startswith("{"):
        raise UnreadableRating(
            "the model refused to rate" if _REFUSAL.search(body) else "the reply is no JSON object"
        )
    found: dict[str, Any] = _parse_json(body)
    return found


def number_in(value: Any, maximum: int) -> float:
    """Return the rating from 0 to `maximum` that a field of a reply's JSON holds.

    Raises:
        UnreadableRating: it holds none, or one on another scale.
    """
    if isinstance(value, str):
        return _parse_line(value.strip()[:_FIRST_LINE], _scale(maximum))
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return _in_range(value, str(value), maximum)
    raise UnreadableRating("it is no number")


def _body(text: str, *, asked: str, cut: bool) -> str:
    """Return a reply after its thoughts, without a fence around it."""
    try:
        body = _without_fence(answer_of(text, asked=asked, cut=cut).lstrip())
    except UnreadableThoughtsError as error:
        raise UnreadableRating(str(error)) from None
    if not body.strip():
        raise UnreadableRating("the reply is empty")
    return body


def _without_fence(text: str) -> str:
    if not text.startswith("```"):
        return text
    _, _, inside = text.partition("\n")
    return inside.partition("```")[0].lstrip()


def _parse_json(text: str) -> Any:
    try:
        value, _ = _DECODER.raw_decode(text)
    except (ValueError, RecursionError):
        raise UnreadableRating("the reply is JSON that cannot be read") from None
    return value


def _rating_in(found: Any, scale: _Scale) -> Rating:
    if not isinstance(found, dict):
        raise UnreadableRating("the reply is JSON without a score")
    value = found.get("score", found.get("rating"))
    if isinstance(found.get("rating", ""), (int, float)) and found["rating"] != value:
        raise UnreadableRating("the reply is JSON with two ratings")
    if any(_is_other_maximum(key, one, scale) for key, one in found.items()):
        raise UnreadableRating(f"its rating is on another scale than 0 to {scale.maximum}")
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise UnreadableRating("the reply is JSON without a score")
    score = number_in(value, scale.maximum)
    return Rating(score, str(found.get("explanation", "")).strip()[:MAX_EXPLANATION])


def _is_other_maximum(key: str, value: Any, scale: _Scale) -> bool:
    """Tell whether a field says that the rating is out of something else than the scale."""
    if re.sub(r"[^a-z]", "", key.lower()) not in _MAXIMUM_KEYS:
        return False
    text = str(value)[:_FIRST_LINE]
    numbers = [float(number) for number in re.findall(r"\d+(?:\.\d+)?", text)]
    if not numbers:
        return scale.small_words.search(text) is not None
    return scale.maximum not in numbers or max(numbers) > scale.maximum


def _parse_line(line: str, scale: _Scale) -> float:
    plain = re.sub(r"[*_`#\"\[\]]+", " ", scale.own.sub(" ", line))
    plain = _ITEM.sub("", " ".join(plain.split()))
    if scale.other.search(plain):
        raise UnreadableRating(f"its rating is on another scale than 0 to {scale.maximum}")
    if _RANGE.search(plain):
        raise UnreadableRating("its first line names a range and not a rating")
    if any(form.match(plain) for form in (_PART, _TWO, _NUMBERED)) or any(
        form.search(plain) for form in (scale.twice, _CORRECTED)
    ):
        raise UnreadableRating("its first line names several ratings")
    for form in scale.forms:
        found = form.match(plain)
        if found:
            number = float(found["value"].replace(",", "."))
            return _in_range(number, found["value"], scale.maximum)
    raise UnreadableRating(_failure_reason(plain, scale.maximum))


def _failure_reason(line: str, maximum: int) -> str:
    if _REFUSAL.search(line):
        return "the model refused to rate"
    numbers = _NUMBERS.findall(line)
    if len(numbers) == 1 and not 0 <= float(numbers[0].replace(",", ".")) <= maximum:
        return f"its rating {numbers[0][:20]} is not between 0 and {maximum}"
    return "its first line holds no rating"


def _in_range(value: float, text: str, maximum: int) -> float:
    if not 0 <= value <= maximum:  # also NaN, and integers too large for a float
        raise UnreadableRating(f"its rating {text[:20]} is not between 0 and {maximum}")
    return float(value)
