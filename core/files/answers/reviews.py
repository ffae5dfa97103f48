"""Reads the two scores from a judge's review, and refuses a review that has none."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from ig4.core.contracts.evaluation import Verdict
from ig4.core.files.answers.thoughts import UnreadableThoughtsError, answer_of, whole_object
from ig4.core.files.reading.repeatedkeys import refuse_repeated
from ig4.core.records import JSON

LONGEST = 4000
"""How many characters of an explanation are stored."""

_LINE = 400  # characters of a line that are read
_LOW, _HIGH = 1.0, 10.0
_DECODER = json.JSONDecoder(object_pairs_hook=refuse_repeated)

_NUMBER = r"(\d{1,3}(?:\.\d{1,10})?)(?!\.?\d)"
_OF = r"(?:\s*/\s*10(?:\.0+)?(?![\d.]*\d)|\s+out\s+of\s+10(?![\d.]*\d)|\s+points?\b)?"
_SCORE = rf"{_NUMBER}{_OF}"
_THE = r"(?:(?:the\s+)?(?:scores?|ratings?)\s*(?:(?:for|of)\s+)?)?"
_WHOSE = r"(?:\s*(?:'s|\u2019s))?(?:\s+(?:scores?|ratings?))?\s*(?:\((?:scores?|ratings?)\))?"
_IS = r"\s*(?:[:=\uff1a\u2013\u2014-]|\bis\b|\bgets\b|\bscores\b)?\s*"


def _of(place: str) -> str:
    """The words before the score of an assistant: "Score for Assistant 1's answer: "."""
    kind = r"(?:the\s+)?(?:ai\s+)?(?:assistant|answer|response|model)s?"
    return rf"{_THE}{kind}\s*#?\s*(?:{place}){_WHOSE}(?:\s+(?:answer|response))?{_IS}"


_FIRST, _SECOND = _of("1|one|a"), _of("2|two|b")
_BETWEEN = r"\s*(?:[,;|&]|\band\b|\bvs\.?)?\s*"
_PROSE = r"(?:\s*[.;:(\u2013\u2014-]\D*)?$"  # may follow, as long as it holds no further number
_HEAD = rf"(?:{_THE}[:=\uff1a]?\s*)"
_PAIR = re.compile(
    rf"^{_HEAD}[(\[]?\s*{_SCORE}(?:\s*[,;|&]\s*|\s+and\s+|\s+)[(\[]?{_SCORE}\s*[)\]]?{_PROSE}",
    re.IGNORECASE,
)
_NAMED = re.compile(rf"^{_FIRST}{_SCORE}{_BETWEEN}{_SECOND}{_SCORE}{_PROSE}", re.IGNORECASE)
_ALONE = (
    re.compile(rf"^{_FIRST}{_SCORE}\s*[.,;]?$", re.IGNORECASE),
    re.compile(rf"^{_SECOND}{_SCORE}\s*[.,;]?$", re.IGNORECASE),
)
_HEADING = re.compile(r"^(?:overall\s+|final\s+)?(?:scores?|ratings?|review)\s*[:\uff1a]?$", re.I)
_REFUSAL = re.compile(
    r"\b(?:i(?:'|\u2019)?m\s+sorry|i\s+(?:cannot|can(?:'|\u2019)?t|am\s+unable|won(?:'|\u2019)?t)|"
    r"as\s+an\s+ai|unable\s+to)\b",
    re.IGNORECASE,
)
_MAXIMUM_KEYS = ("max_score", "max_rating", "maximum", "max", "out_of", "scale")
_FIRST_KEYS = ("assistant_1", "assistant1", "score_1", "score1", "first", "answer_1")
_SECOND_KEYS = ("assistant_2", "assistant2", "score_2", "score2", "second", "answer_2")


class UnreadableReviewError(Exception):
    """A review does not give two scores; its text is the reason."""


class Reader(Protocol):
    """Reads a review's text, after its thoughts."""

    def __call__(self, text: str, /, *, asked: str = "", cut: bool = False) -> Verdict:
        """Return its scores; `asked` is the prompt, which the text may quote.

        Of a text that was `cut`, the line of the last score must be whole: an 8 at its end may be
        the start of 8.5 or of 8/100.

        Raises:
            UnreadableReviewError: it gives no two scores.
        """


def read_robust(text: str, /, *, asked: str = "", cut: bool = False) -> Verdict:
    """Return the scores that a review gives at its start: as JSON, or on its first line.

    "8 9", "8, 9", "8/10 9/10", "**8** **9**" and "Assistant 1: 8 Assistant 2: 9" (on two lines,
    too) are read. Only the start is read, so that a score in the explanation, or in an answer
    quoted there, never becomes the verdict.

    Raises:
        UnreadableReviewError: there are no two scores, or they are not from 1 to 10.
    """
    whole = whole_object(text)
    if whole is not None:
        return _verdict_in(whole)
    body = _without_fence(_after_thoughts(text, asked, cut=cut).lstrip())
    if not body.strip():
        raise UnreadableReviewError("the review is empty")
    if body.startswith("{"):
        return _read_json(body)
    lines = body.split("\n")
    if len(lines) > 1 and _HEADING.match(_plain_text(lines[0])):
        lines = "\n".join(lines[1:]).lstrip().split("\n")
    line = _plain_text(lines[0])
    both = _PAIR.match(line) or _NAMED.match(line)
    if both:
        return _ended(_verdict(both[1], both[2], "\n".join(lines[1:])), lines, cut=cut)
    first = _ALONE[0].match(line)
    if first:
        rest = "\n".join(lines[1:]).lstrip().split("\n")
        second = _ALONE[1].match(_plain_text(rest[0]))
        if second:
            return _ended(_verdict(first[1], second[1], "\n".join(rest[1:])), rest, cut=cut)
    if _REFUSAL.search(line):
        raise UnreadableReviewError("the model refused to judge")
    raise UnreadableReviewError("its first line holds no two scores")


def _ended(verdict: Verdict, lines: Sequence[str], *, cut: bool) -> Verdict:
    """Return a verdict if the line of its last score, the first of `lines`, is whole."""
    if cut and len(lines) == 1:
        raise UnreadableReviewError("its scores are the last thing in it, and may go on")
    return verdict


def read_llava(text: str, /, *, asked: str = "", cut: bool = False) -> Verdict:
    """Return the scores as LLaVA's own evaluation reads them (`parse_score`, haotian-liu/LLaVA).

    The first line, as it is, must be two numbers around one space or comma; any numbers will do.
    Thoughts are no part of a review, here neither.

    Raises:
        UnreadableReviewError: it is anything else.
    """
    line, ended, rest = _after_thoughts(text, asked, cut=cut).partition("\n")
    parts = line.replace(",", " ").split(" ")
    try:
        first, second = map(float, parts)
    except ValueError:
        raise UnreadableReviewError("its first line is not two numbers around one space") from None
    if not (math.isfinite(first) and math.isfinite(second)):
        raise UnreadableReviewError("its scores are not numbers")
    verdict = Verdict(first, second, rest.strip()[:LONGEST])
    return _ended(verdict, [line, rest] if ended else [line], cut=cut)


READERS: Mapping[str, Reader] = {"robust": read_robust, "llava": read_llava}
"""The ways to read a review, by name."""


def _after_thoughts(text: str, asked: str, *, cut: bool) -> str:
    try:
        return answer_of(text, asked=asked, cut=cut)
    except UnreadableThoughtsError as error:
        raise UnreadableReviewError(str(error)) from None


def _without_fence(text: str) -> str:
    if not text.startswith("```"):
        return text
    _, _, inside = text.partition("\n")
    return inside.partition("```")[0].lstrip()


def _plain_text(line: str) -> str:
    """Return a line without Markdown, with single spaces."""
    return " ".join(re.sub(r"[*_`#\"]+", " ", line[:_LINE]).split())


def _read_json(text: str) -> Verdict:
    try:
        review, _ = _DECODER.raw_decode(text)
    except (ValueError, RecursionError):
        raise UnreadableReviewError("the review is JSON that cannot be read") from None
    return _verdict_in(review)


def _verdict_in(review: Any) -> Verdict:
    first, second = _value(review, _FIRST_KEYS), _value(review, _SECOND_KEYS)
    both = review.get("scores")
    if isinstance(both, list) and len(both) == 2:
        if first is not None or second is not None:
            raise UnreadableReviewError("it holds its scores twice")
        first, second = both
    for key in _MAXIMUM_KEYS:
        numbers = re.findall(r"\d+(?:\.\d+)?", str(review.get(key, ""))[:_LINE])
        if numbers and float(numbers[-1]) != _HIGH:
            raise UnreadableReviewError("its scores are on another scale than 1 to 10")
    return _verdict(first, second, str(review.get("explanation", "")))


def _value(review: Mapping[str, JSON], keys: tuple[str, ...]) -> JSON:
    values = [review[key] for key in keys if key in review]
    if any(value != values[0] for value in values):
        raise UnreadableReviewError("it holds two scores for one answer")
    return values[0] if values else None


def _verdict(first: JSON, second: JSON, explanation: str) -> Verdict:
    return Verdict(_score(first), _score(second), explanation.strip()[:LONGEST])


def _score(value: JSON) -> float:
    if isinstance(value, str) and (match := re.fullmatch(_SCORE, value.strip(), re.IGNORECASE)):
        value = float(match[1])
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise UnreadableReviewError("it holds no two scores")
    if not _LOW <= value <= _HIGH:  # true for NaN, too
        raise UnreadableReviewError(f"its score {str(value)[:20]} is not from 1 to 10")
    return float(value)
