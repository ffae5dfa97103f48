"""Relative scores from files of reviews in the form of LLaVA-Bench's, made elsewhere."""

from __future__ import annotations

import json
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from ig4.core.errors import DatasetError
from ig4.core.files.answers.questions import question_key
from ig4.core.files.answers.reviews import READERS, Reader, UnreadableReviewError
from ig4.core.files.reading import jsonstream
from ig4.core.files.reading.tables import require_file
from ig4.core.files.repeats import Repeats
from ig4.core.records import JSON
from ig4.core.statistics.verdicts import RelativeScore, relative

PREFIX = "llava_bench_"
"""LLaVA-Bench's prefix of category names, in its reviews but not in its questions."""

_TUPLES = ("tuple", "scores", "score")
_TEXTS = ("content", "review", "text")
_QUESTIONS = ("question_id", "id", "sample_id")
_SIDES = ("answer1_id", "answer2_id", "answer1", "answer2", "model_1", "model_2", "swapped")
_REVIEWERS = ("reviewer", "reviewer_id", "annotator", "annotator_id", "rater", "judge", "user",
              "worker_id", "run")  # fmt: skip
_MAX_SCORE = 1e6  # no scale of scores goes so far


@dataclass(frozen=True, slots=True)
class ReviewRun:
    """Relative scores of a file of reviews; `failed` ones have no scores, and count nowhere.

    `repeated` counts the reviews that the file has more than once; each counts once.
    """

    path: Path
    overall: RelativeScore
    categories: Mapping[str, RelativeScore]
    failed: int
    repeated: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return the fields, JSON-able."""
        return {
            "file": str(self.path),
            "overall": asdict(self.overall),
            "categories": {name: asdict(one) for name, one in self.categories.items()},
            "failed": self.failed,
            "repeated": self.repeated,
        }


def category_name(name: JSON) -> str:
    """Return a category's name without LLaVA-Bench's prefix."""
    return str(name or "").strip().removeprefix(PREFIX)


def summarise_file(path: Path, reader: str | None = None, *, seed: int = 42) -> ReviewRun:
    """Return the relative scores of a file of reviews, overall and by category.

    A review has its scores under "tuple" (or "scores", "score"), or in its text under "content"
    (or "review", "text"). Scores that are there are taken; where there are none, or -1 as LLaVA
    writes for a review it could not read, the text is read. With a `reader` the text alone counts,
    where there is one. A review is known by its question ("question_id", or else "id"), by the two
    answers and by whose review it is ("reviewer", "annotator", …), as far as it names these.

    Raises:
        DatasetError: the file cannot be read, holds something other than reviews, or two reviews of
            one question that contradict.
    """
    require_file(path)
    read = READERS[reader or "robust"]
    scores: dict[str, list[tuple[float, float]]] = {}
    failures: dict[Hashable, int] = {}
    repeats: Repeats[JSON] = Repeats(path, "review")
    number = 0
    for number, record in enumerate(jsonstream.rows(path, jsonstream.records(path)), 1):
        where = f"{path}, record {number}"
        if not isinstance(record, dict):
            raise DatasetError(f"{where} is not a JSON object")
        pair = _scores(record, read, where, text_first=reader is not None)
        category = category_name(record.get("category"))
        key = _identity(record) or (number,)
        if pair is None:
            repeats.count += key in failures
            failures[key] = number
        elif repeats.is_new(key, [*pair, category], number):
            scores.setdefault(category, []).append(pair)
    if not number:
        raise DatasetError(f"{path} has no reviews")
    read_elsewhere = sum(repeats.is_known(key) for key in failures)
    all_pairs = [pair for pairs in scores.values() for pair in pairs]
    return ReviewRun(
        path,
        relative(all_pairs, seed=seed),
        {name: relative(pairs, seed=seed) for name, pairs in sorted(scores.items()) if name},
        len(failures) - read_elsewhere,
        repeats.count + read_elsewhere,
    )


def mean_scores(runs: Sequence[ReviewRun]) -> dict[str, Any]:
    """Return the mean relative scores of several runs, in the form of one; `n` is their sum.

    A category that a run lacks does not count in that run.
    """
    names = dict.fromkeys(name for run in runs for name in run.categories)
    return {
        "overall": _mean([run.overall for run in runs]),
        "categories": {
            name: _mean([run.categories[name] for run in runs if name in run.categories])
            for name in names
        },
        "failed": sum(run.failed for run in runs),
        "repeated": sum(run.repeated for run in runs),
    }


def _mean(parts: Sequence[RelativeScore]) -> dict[str, Any]:
    known = [one.relative for one in parts if one.relative is not None]
    return {
        "n": sum(one.n for one in parts),
        "relative": fmean(known) if known else None,
        "runs": [one.relative for one in parts],
    }


def _identity(record: Mapping[str, JSON]) -> Hashable | None:
    """Return what tells a review from others; None where it names no question."""
    question = next((record[name] for name in _QUESTIONS if record.get(name) is not None), None)
    if question is None:
        return None
    more = (record.get(name) for name in (*_SIDES, *_REVIEWERS))
    return question_key(question), *map(json.dumps, more)


def _scores(
    record: Mapping[str, JSON], read: Reader, where: str, *, text_first: bool
) -> tuple[float, float] | None:
    """Return the two scores of a review, None where it has none that can be read."""
    if not any(name in record for name in (*_TUPLES, *_TEXTS)):
        raise DatasetError(
            f"{where} is not a review: it has neither scores ({' or '.join(_TUPLES)}) nor a text "
            f"({' or '.join(_TEXTS)})"
        )
    text = next((record[name] for name in _TEXTS if isinstance(record.get(name), str)), None)
    given_pair = next((pair for name in _TUPLES if (pair := _numbers(record.get(name)))), None)
    if text is None or (given_pair is not None and not text_first):
        return given_pair
    try:
        verdict = read(text)
    except UnreadableReviewError:
        return None
    return _numbers([verdict.first, verdict.second])


def _numbers(pair: JSON) -> tuple[float, float] | None:
    """Return two scores, None for anything else: -1, as LLaVA writes for none, is not a score."""
    if not isinstance(pair, list) or len(pair) != 2:
        return None
    numbers = [one for one in pair if isinstance(one, (int, float)) and not isinstance(one, bool)]
    # Compared before conversion: an integer of hundreds of digits does not fit a float.
    if len(numbers) != 2 or not all(0 <= one <= _MAX_SCORE for one in numbers):
        return None
    return float(numbers[0]), float(numbers[1])
