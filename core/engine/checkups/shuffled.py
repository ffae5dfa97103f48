"""Samples with the answer of another sample in the place of their own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ig4.core.engine.checkups.pairing import PairTraits, find_partners
from ig4.core.engine.scoring.samples import sample_of
from ig4.core.engine.scoring.tasks import RateTask, Vector
from ig4.core.records import Sample

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from ig4.core.contracts import Scorer
    from ig4.storage.samples import SampleRow

_ANSWERING = "assistant"


@dataclass(frozen=True, slots=True)
class ShuffledPairs:
    """m samples, the m whose answers they get, and the stored values (m,) float64 of both."""

    rows: Sequence[SampleRow]
    givers: Sequence[SampleRow]
    own: NDArray[np.float64]
    theirs: NDArray[np.float64]
    same_question: int
    same_image: int
    whole: int
    unmatched: int

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def ids(self) -> tuple[int, ...]:
        """The ids of the samples, and of those whose answers they get."""
        return tuple(row.id for row in (*self.rows, *self.givers))

    def take(self, places: NDArray[np.int64]) -> ShuffledPairs:
        """Return those at some places; the counts remain those of all."""
        return replace(
            self,
            rows=[self.rows[n] for n in places.tolist()],
            givers=[self.givers[n] for n in places.tolist()],
            own=self.own[places],
            theirs=self.theirs[places],
        )

    def sample(self, place: int) -> Sample:
        """Return a sample with the answer that it gets."""
        return with_answer_of(sample_of(self.rows[place]), sample_of(self.givers[place]))

    def image_ids(self) -> list[int]:
        """Return the images that the samples show, each once."""
        shown = (image.image_id for row in self.rows for image in row.images)
        return list(dict.fromkeys(number for number in shown if number))

    def tasks(
        self, label: str, scorer: Scorer, vectors: Mapping[int, Vector] | None
    ) -> Iterator[RateTask]:
        """Yield the batches of a scorer; the places of the samples stand for their contents."""
        for start in range(0, len(self), scorer.batch_size):
            places = range(start, min(start + scorer.batch_size, len(self)))
            yield RateTask(
                label,
                contents=tuple(places),
                samples=tuple(map(self.sample, places)),
                shown=tuple(
                    tuple(i.image_id for i in self.rows[n].images if i.image_id) for n in places
                ),
                vectors=vectors,
            )


def shuffle(
    rows: Sequence[SampleRow], values: NDArray[np.float64], kinds: NDArray[np.int64]
) -> ShuffledPairs:
    """Return samples (m,) with their values (m,), each with another's answer; kinds (m,)."""
    questions = _numbers([row.instruction for row in rows])
    # A sample without an image shares none with another one.
    images = _numbers([_images_of(row) or (n,) for n, row in enumerate(rows)])
    turns = np.array([answers_in(row) for row in rows], dtype=np.int64)
    answers = _numbers([row.answer for row in rows])
    partners = find_partners(PairTraits(answers, images, questions, turns, kinds))
    taken = np.flatnonzero(partners >= 0)
    given = partners[taken]
    return ShuffledPairs(
        rows=[rows[n] for n in taken.tolist()],
        givers=[rows[n] for n in given.tolist()],
        own=values[taken],
        theirs=values[given],
        same_question=int((questions[taken] == questions[given]).sum()),
        same_image=int((images[taken] == images[given]).sum()),
        whole=int((turns[taken] != turns[given]).sum()),
        unmatched=len(rows) - len(taken),
    )


def with_answer_of(sample: Sample, other: Sample) -> Sample:
    """Return a sample with the answers of another one, turn by turn.

    Where their numbers differ, all turns of the other one are put in the place of the own ones,
    its questions too: no answer then stands without one.
    """
    own = [n for n, turn in enumerate(sample.turns) if turn.role == _ANSWERING]
    theirs = [turn for turn in other.turns if turn.role == _ANSWERING]
    if len(own) != len(theirs):
        return replace(
            sample, instruction=other.instruction, answer=other.answer, turns=other.turns
        )
    turns = list(sample.turns)
    for n, turn in zip(own, theirs, strict=True):
        turns[n] = turn
    return replace(sample, answer=other.answer, turns=tuple(turns))


def answers_in(row: SampleRow) -> int:
    """Return how many answers a stored sample has."""
    if row.turns is None:
        return 1 if row.instruction or row.answer else 0
    return sum(turn.role == _ANSWERING for turn in sample_of(row).turns)


def _images_of(row: SampleRow) -> tuple[str, ...]:
    return tuple(image.sha256 or image.name for image in row.images)


def _numbers(values: Sequence[Any]) -> NDArray[np.int64]:
    """Return numbers (m,) that are equal where the values are."""
    known: dict[Any, int] = {}
    return np.array([known.setdefault(one, len(known)) for one in values], dtype=np.int64)
