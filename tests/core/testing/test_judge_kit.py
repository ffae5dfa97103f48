"""The conformance kit finds judges that break their contract, and says how."""

from __future__ import annotations

import random

import pytest

from ig4.core.contracts import Judge, Options
from ig4.core.contracts.evaluation import Verdict
from ig4.core.files.images.decode import ImageError
from ig4.core.records import Failure
from ig4.core.testing import ConformanceError, judge_checks


def failing(make):
    said = {}
    for check in judge_checks(make):
        try:
            check()
        except ConformanceError as error:
            said[check.name] = str(error)
        except Exception as error:  # noqa: BLE001 - a bad component may crash as well
            said[check.name] = repr(error)
    return said


class Longer(Judge):
    """The longer answer is better."""

    def compare(self, batch):
        return [Verdict(self._score(pair.first), self._score(pair.second)) for pair in batch]

    def _score(self, answer):
        return min(10.0, 1 + len(answer) / 40)


class Looking(Longer):
    """Looks at the images, too."""

    sees_images = True

    def compare(self, batch):
        return [self._one(pair, verdict) for pair, verdict in
                zip(batch, super().compare(batch), strict=True)]  # fmt: skip

    def _one(self, pair, verdict):
        try:
            for image in pair.images:
                image.pixels()
        except ImageError as error:
            return Failure(str(error))
        return verdict


class Sorted(Longer):
    def compare(self, batch):
        return sorted(super().compare(batch), key=lambda verdict: verdict.first)


class Dicey(Longer):
    def _score(self, answer):
        return random.uniform(1, 10)


class Unbounded(Longer):
    def _score(self, answer):
        return float(len(answer))


class NotANumber(Longer):
    def _score(self, answer):
        return float("nan")


class Short(Longer):
    def compare(self, batch):
        return super().compare(batch)[1:]


class Relative(Longer):
    def compare(self, batch):
        longest = max(len(pair.first) for pair in batch) or 1
        return [Verdict(1 + 9 * len(pair.first) / longest, 5.0) for pair in batch]


class Wordy(Longer):
    def compare(self, batch):
        return [Verdict(one.first, one.second, ["why"]) for one in super().compare(batch)]


class NeedsContext(Longer):
    def compare(self, batch):
        if not all(pair.context for pair in batch):
            raise ValueError("no context")
        return super().compare(batch)


class Brittle(Looking):
    def _one(self, pair, verdict):
        pair.images[0].pixels()
        return verdict


class Painter(Looking):
    def _one(self, pair, verdict):
        verdict = super()._one(pair, verdict)
        if isinstance(verdict, Verdict) and pair.images:
            pixels = pair.images[0].pixels()
            pixels.putpixel((0, 0), tuple(255 - value for value in pixels.getpixel((0, 0))))
        return verdict


class FirstOnly(Longer):
    """Cannot take the longer answer in second place."""

    def compare(self, batch):
        return [
            Verdict(5.0, 4.0) if len(pair.first) >= len(pair.second) else Failure("odd")
            for pair in batch
        ]


@pytest.mark.parametrize("judge", [Longer, Looking])
def test_a_good_judge_passes_all_checks(judge):
    assert failing(lambda: judge(Options())) == {}


@pytest.mark.parametrize(
    ("judge", "check"),
    [
        (Sorted, "order_of_pairs_is_kept"),
        (Dicey, "is_deterministic"),
        (Dicey, "leaves_global_random_state_alone"),
        (Unbounded, "scores_are_from_1_to_10"),
        (NotANumber, "scores_are_from_1_to_10"),
        (Short, "gives_one_result_for_each_pair"),
        (Relative, "does_not_depend_on_the_batch"),
        (Wordy, "explanations_are_text"),
        (NeedsContext, "survives_a_bare_pair"),
        (Brittle, "bad_image_costs_the_others_nothing"),
        (Painter, "leaves_images_alone"),
        (FirstOnly, "judges_pairs_in_the_other_order"),
        (Unbounded, "survives_strange_text"),
    ],
)
def test_a_bad_judge_is_found_out(judge, check):
    assert check in failing(lambda: judge(Options()))
