"""Caption metrics against references by people: CIDEr-D, BLEU, ROUGE-L.

All take captions whose words are separated by spaces; `ptb` tokenises them as COCO does.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ig4.core.errors import MissingExtraError
from ig4.plugins.metrics.ngrams import NGram, longest_common_subsequence, ngrams

_LONGEST = 4
_SIGMA = 6.0
_BETA = 1.2

Captions = Sequence[str]
References = Sequence[Sequence[str]]


def cider_d(captions: Captions, references: References) -> list[float]:
    """Return CIDEr-D of each caption, 0-10, against the references of its image.

    Vedantam et al. 2015 (arXiv 1411.5726), equation 7 with n = 1-4 and sigma = 6: the mean over n
    of the cosine of TF-IDF vectors, counts clipped, times a Gaussian of the difference in length
    (counted in bigrams, as in the authors' code), times 10. Document frequencies are counted in the
    references given: with one image, or n-grams that all images share, the vectors vanish and the
    value is 0.
    """
    counts = [[ngrams(one.split(), _LONGEST) for one in each] for each in references]
    frequency: Counter[NGram] = Counter()
    for each in counts:
        frequency.update(set().union(*each))
    images = math.log(len(references)) if references else 0.0
    rarity = {gram: images - math.log(count) for gram, count in frequency.items()}
    scores = []
    for caption, each in zip(captions, counts, strict=True):
        vector = _vector(ngrams(caption.split(), _LONGEST), rarity, images)
        total = sum(_similarity(vector, _vector(one, rarity, images)) for one in each)
        scores.append(10.0 * total / _LONGEST / len(each))
    return scores


@dataclass(frozen=True, slots=True)
class _Vector:
    """TF-IDF weights of the n-grams of each length, their norms, and the number of bigrams."""

    weights: Sequence[Mapping[NGram, float]]
    norms: Sequence[float]
    length: int


def _vector(counts: Counter[NGram], rarity: Mapping[NGram, float], unseen: float) -> _Vector:
    weights: list[dict[NGram, float]] = [{} for _ in range(_LONGEST)]
    squares = [0.0] * _LONGEST
    length = 0
    for gram, count in counts.items():
        n = len(gram)
        weight = count * rarity.get(gram, unseen)
        weights[n - 1][gram] = weight
        squares[n - 1] += weight * weight
        if n == 2:
            length += count
    return _Vector(weights, [math.sqrt(one) for one in squares], length)


def _similarity(candidate: _Vector, reference: _Vector) -> float:
    penalty = math.exp(-((candidate.length - reference.length) ** 2) / (2 * _SIGMA**2))
    total = 0.0
    for n in range(_LONGEST):
        norm = candidate.norms[n] * reference.norms[n]
        if norm:
            reference_weights = reference.weights[n]
            dot = 0.0
            for gram, weight in candidate.weights[n].items():
                other = reference_weights.get(gram)
                if other is not None:
                    dot += min(weight, other) * other
            total += dot / norm
    return total * penalty


def rouge_l(captions: Captions, references: References) -> list[float]:
    """Return ROUGE-L of each caption, 0-1, as COCO's evaluation computes it.

    Lin 2004, section 3, with beta = 1.2, of the best precision and the best recall of the longest
    common subsequence over all references.
    """
    scores = []
    for caption, each in zip(captions, references, strict=True):
        words = caption.split()
        if not words:
            scores.append(0.0)
            continue
        common = [(longest_common_subsequence(one, words), len(one))
                  for one in (reference.split() for reference in each) if one]  # fmt: skip
        precision = max((n / len(words) for n, _ in common), default=0.0)
        recall = max((n / of for n, of in common), default=0.0)
        denominator = recall + _BETA**2 * precision
        scores.append(
            (1 + _BETA**2) * precision * recall / denominator if precision * recall else 0.0
        )
    return scores


def bleu_4(captions: Captions, references: References) -> float:
    """Return BLEU-4 of all captions together, 0-1, not smoothed (Papineni et al. 2002).

    Computed by sacrebleu on the words as they are; the nearest reference gives the length.

    Raises:
        MissingExtraError: sacrebleu is not installed.
    """
    try:
        from sacrebleu.metrics.bleu import BLEU
    except ImportError:
        raise MissingExtraError('BLEU needs sacrebleu: pip install "ig4[eval]"') from None
    most = max(map(len, references), default=0)
    streams: Any = [
        [each[at] if at < len(each) else None for each in references] for at in range(most)
    ]  # fmt: skip
    metric = BLEU(tokenize="none", smooth_method="none", force=True)
    return float(metric.corpus_score(list(captions), streams).score) / 100
