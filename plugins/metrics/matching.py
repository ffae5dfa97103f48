"""Rules that decide whether an answer is right, for question benchmarks."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Literal, TypeAlias

from ig4.plugins.metrics.contractions import CONTRACTIONS

Rule: TypeAlias = Literal["lvlm-ehub", "strict", "exact", "vqa"]
"""The names of the rules; each gives an answer a value from 0 to 1."""

NUMBERS = {
    "none": "0", "zero": "0", "one": "1", "two": "2", "three": "3", "four": "4", "five": "5",
    "six": "6", "seven": "7", "eight": "8", "nine": "9", "ten": "10",
}  # fmt: skip
ARTICLES = frozenset(("a", "an", "the"))
MIN_VQA_ANSWERS = 4
"""The minimum of answers to a question: with fewer, no answer can reach 1."""

_PUNCTUATION = (
    ";", "/", "[", "]", '"', "{", "}", "(", ")", "=", "+", "\\", "_", "-", ">", "<", "@", "`", ",",
    "?", "!",
)  # fmt: skip
_PERIOD = re.compile(r"(?!<=\d)(\.)(?!\d)")
_COMMA = re.compile(r"(\d)(\,)(\d)")
_PERIODS_REMOVED = 32
_TOKEN = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]+(?:['\N{RIGHT SINGLE QUOTATION MARK}][^\W\d_]+)*|\w")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")


def normalise(text: str) -> str:
    """Return a text as VQA's evaluation normalises it, with all of its mistakes.

    White space, punctuation, periods, lower case, numbers in words, articles, contractions
    (Antol et al. 2015, arXiv 1505.00468; the code at github.com/GT-Vision-Lab/VQA, as LVLM-eHub
    has it). Mistakes that change numbers are kept: a punctuation mark is dropped, not replaced by
    a space, if the text has it beside a space or has a comma between digits anywhere; only the
    first 32 periods are removed; a number with a period stays whole, but its parts match it.
    """
    return _words(_punctuation(_normalise_space(text)))


def _normalise_space(text: str) -> str:
    return text.replace("\n", " ").replace("\t", " ").strip()


def _punctuation(text: str) -> str:
    comma = _COMMA.search(text) is not None
    done = text
    for mark in _PUNCTUATION:
        dropped = comma or f"{mark} " in text or f" {mark}" in text
        done = done.replace(mark, "" if dropped else " ")
    # The original passes a flag, re.UNICODE = 32, as the number of replacements.
    return _PERIOD.sub("", done, count=_PERIODS_REMOVED)


def _words(text: str) -> str:
    numbered = (NUMBERS.get(word, word) for word in text.lower().split())
    kept = (word for word in numbered if word not in ARTICLES)
    return " ".join(CONTRACTIONS.get(word, word) for word in kept)


def lvlm_ehub(answer: str, truths: Sequence[str]) -> float:
    r"""Return 1 if the answer contains any truth between word boundaries, else 0.

    LVLM-eHub's rule (Multi-Modality-Arena, `VQAEval.evaluate`). It follows that an answer with
    both "yes" and "no" is right whichever is asked for, that the truth "a", being an article, is
    found in every answer with a word in it, and that 3 is found in 3.5.
    """
    text = normalise(answer)
    return float(any(_whole_words(truth).search(text) is not None for truth in truths))


@lru_cache(maxsize=65536)
def _whole_words(truth: str) -> re.Pattern[str]:
    return re.compile(rf"\b{re.escape(normalise(truth))}\b")


def strict(answer: str, truths: Sequence[str]) -> float:
    """Return 1 if the words of any truth are consecutive in the answer, else 0.

    Unlike LVLM-eHub's rule: numbers are whole (3 is not in 3.5, 1,000 is 1000), an article at the
    end is a word ("Solution A" is not in "solution b"), a truth of nothing but an article or a
    mark is looked for as it is written, letters count in any script, and an answer that says both
    yes and no is neither.
    """
    words = _tokens(answer)
    undecided = {"yes", "no"} <= set(words)
    return float(
        any(_contains_truth(answer, words, truth, undecided=undecided) for truth in truths)
    )


def _contains_truth(answer: str, words: tuple[str, ...], truth: str, *, undecided: bool) -> bool:
    truth_words = _tokens(truth)
    bare = _without_articles(truth_words)
    if undecided and truth_words in (("yes",), ("no",)):
        return False
    if not bare:
        written = truth.strip()
        edges = (r"(?<!\w)", r"(?!\w)") if truth_words else ("", "")
        return bool(written) and bool(re.search(re.escape(written).join(edges), answer))
    if _contains_run(truth_words, words):
        return True
    return truth_words[-1] not in ARTICLES and _contains_run(bare, _without_articles(words))


def exact(answer: str, truths: Sequence[str]) -> float:
    """Return 1 if the answer is a truth, apart from case, punctuation and articles, else 0."""
    words = _tokens(answer)
    bare = _without_articles(words) or words
    return float(
        bool(words) and any(bare == (_without_articles(one) or one) for one in map(_tokens, truths))
    )


def _tokens(text: str) -> tuple[str, ...]:
    plain = _THOUSANDS.sub("", text.casefold().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'"))
    numbered = (NUMBERS.get(token, token) for token in _TOKEN.findall(plain))
    return tuple(CONTRACTIONS.get(token, token) for token in numbered)


def _without_articles(tokens: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(token for token in tokens if token not in ARTICLES)


def _contains_run(run: tuple[str, ...], words: tuple[str, ...]) -> bool:
    size = len(run)
    return any(words[at : at + size] == run for at in range(len(words) - size + 1))


def vqa(answer: str, truths: Sequence[str]) -> float:
    """Return VQA's soft accuracy, 0-1: the degree to which people gave the same answer.

    The mean over all ways to leave one of the people's answers out of min(1, equal ones / 3)
    (Antol et al. 2015). As in the original, nothing is normalised where all people agree, and of
    people's answers only the punctuation otherwise.

    Raises:
        ValueError: there are fewer than ANSWERS_OF_VQA answers.
    """
    if len(truths) < MIN_VQA_ANSWERS:
        raise ValueError(f"{len(truths)} answers are too few")
    text, people = _normalise_space(answer), [_normalise_space(truth) for truth in truths]
    if len(set(people)) > 1:
        text, people = normalise(text), [_punctuation(truth) for truth in people]
    equal = sum(one == text for one in people)
    total = equal * min(1.0, (equal - 1) / 3) + (len(people) - equal) * min(1.0, equal / 3)
    return total / len(people)


RULES: Mapping[str, Callable[[str, Sequence[str]], float]] = {
    "lvlm-ehub": lvlm_ehub,
    "strict": strict,
    "exact": exact,
    "vqa": vqa,
}
"""The function of each rule, of an answer and the truths."""
