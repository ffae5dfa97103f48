"""Ratings as a model's chances of each digit, rather than the one digit that it writes."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

MOST_LEVELS = 9
"""The most levels of a rating that is one digit."""

UNSURE = 0.05
"""Which share of the digits' chances may be hidden behind the tokens that a service lists."""

_MARKS = " \t\n\u2581\u0120\u010a"
"""What tokenizers put before a digit at the start of a word: spaces, and their signs for these."""


class UnreadableDigitsError(Exception):
    """The chances of the digits cannot be told; the text is the reason."""


@dataclass(frozen=True, slots=True)
class DigitChances:
    """The chances (k,) of the digits 1 to k among themselves, which sum to 1.

    `mass` is the chance that the model writes one of them at all.
    """

    chances: tuple[float, ...]
    mass: float

    @property
    def expectation(self) -> float:
        """The mean rating, from 1 to k (DEITA, section 3.1: sum of k x p_k)."""
        return sum(n * chance for n, chance in enumerate(self.chances, start=1))


def digit_chances(
    place: Sequence[tuple[str, float]], levels: int, least_mass: float
) -> DigitChances:
    """Return the chances of the digits 1 to `levels` from the likeliest tokens at a place.

    `place` has (token, natural log-probability) pairs. What a digit not listed could have at most
    is known from the least likely one that is; where that is too much, nothing is guessed.

    Raises:
        UnreadableDigitsError: the digits have less than `least_mass` of all chances, or too much
            of theirs may be hidden.
    """
    found = [0.0] * levels
    for token, logprob in place:
        digit = token.strip(_MARKS)
        if digit.isascii() and digit.isdigit() and len(digit) == 1 and 1 <= int(digit) <= levels:
            found[int(digit) - 1] += math.exp(logprob)
    mass = sum(found)
    if not mass or mass < least_mass:
        raise UnreadableDigitsError(
            f"the model begins its reply with a digit from 1 to {levels} with a chance of only "
            f"{100 * mass:.1f} %"
        )
    missing = [n for n, chance in enumerate(found, start=1) if not chance]
    listed = [math.exp(logprob) for _, logprob in place]
    hidden = min(len(missing) * min(listed), max(0.0, 1.0 - sum(listed)))
    if hidden > UNSURE * mass:
        raise UnreadableDigitsError(
            f"the digits {', '.join(map(str, missing))} are not among the {len(place)} likeliest "
            f"tokens, and may have a chance of {100 * hidden:.1f} %"
        )
    return DigitChances(tuple(chance / mass for chance in found), min(mass, 1.0))


def token_score(chances: Sequence[float], *, flatten: bool = True) -> float:
    """Return SelectIT's token-level score: the likeliest rating, by how far the others lie behind.

    That is r x sum over k of (p_r - p_k) / (K - 1), for the likeliest rating r of K (section 3.2);
    of equal ones the lowest. With `flatten` the chances are first made e^p / sum of e^p, as the
    published code does; the paper has no such step.
    """
    levels = len(chances)
    if flatten:
        raised = [math.exp(chance) for chance in chances]
        chances = [one / sum(raised) for one in raised]
    best = max(chances)
    lead = sum(best - chance for chance in chances) / (levels - 1)
    return (chances.index(best) + 1) * lead


def sentence_score(scores: Sequence[float], alpha: float) -> float:
    """Return SelectIT's score over several prompts: mean / (1 + alpha x std) (section 3.3).

    The standard deviation is the population's, as in the published code.
    """
    return statistics.fmean(scores) / (1 + alpha * statistics.pstdev(scores))
