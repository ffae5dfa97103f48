"""The contracts of scorers, which rate samples."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from ig4.core.calls.direct import answer_each
from ig4.core.contracts.root import Configurable
from ig4.core.records import Choice, Failure, Sample, Score

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ig4.core.calls.provider import Provider
    from ig4.core.calls.request import Ask


class Indicator(Configurable):
    """What scorers of all sorts have: values in a unit of their own, and a percent scale."""

    @property
    def outputs(self) -> tuple[str, ...]:
        """The names of further values that it gives each sample, with these options.

        Scorer `grades` with an output `charts` fills two columns: `grades` and `grades.charts`.
        """
        return ()

    def to_percent(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Bring raw values (n,) to this scorer's 0-100 scale of the paper; by default unchanged."""
        return values

    def output_to_percent(self, output: str, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Bring values (n,) of an output to a 0-100 scale; by default as `to_percent`."""
        return self.to_percent(values)


class Scorer(Indicator):
    """Rates samples one by one."""

    reads_pixels: ClassVar[bool] = False
    """Whether `score` calls `sample.images[i].pixels()`; they are then decoded in advance."""

    needs_answer: ClassVar[bool] = True
    """Whether a sample with an empty answer fails without being scored."""

    @property
    def batch_size(self) -> int:
        """How many samples `score` gets, and ig4 commits, at a time."""
        return 1024

    def embedder(self) -> Choice | None:
        """Name the embedder whose vectors `score` reads from `sample.embeddings`."""
        return None

    @abstractmethod
    def score(self, batch: Sequence[Sample]) -> Sequence[Score | Failure]:
        """Rate each sample, in order. A bad sample is a Failure and does not affect the others.

        A scorer with `outputs` gives their values in `Score.outputs`.
        """


class AsyncScorer(Scorer):
    """Rates samples one at a time by asking a service; the engine rates many at once."""

    @abstractmethod
    def provider(self) -> Provider:
        """Return the service to ask, not opened."""

    @abstractmethod
    async def rate(self, sample: Sample, ask: Ask) -> Score | Failure:
        """Rate one sample; requests must depend on the sample and the options alone."""

    def score(self, batch: Sequence[Sample]) -> Sequence[Score | Failure]:
        """Rate each sample, one after another, without the engine's ledger, limits and retries."""
        return answer_each(self.provider(), self.rate, batch)
