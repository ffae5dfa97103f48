"""What is to be scored, and what of it is missing: samples and images, by component."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from ig4.core.calls.settings import CallSettings
from ig4.core.contracts import AsyncScorer, Embedder, Scorer
from ig4.core.engine.checkups.request import CheckRequest
from ig4.core.errors import UsageError
from ig4.core.records import Choice
from ig4.storage import samples, scores

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ig4.core.engine.session import ConfiguredComponent, Session
    from ig4.storage.datasets import DatasetRow


LOCAL = Choice("executor", "local")


@dataclass(frozen=True, slots=True)
class ScoreRequest:
    """What to score a data set with, and how.

    `embedders` are wanted beside those that scorers read. `call_settings` say how services are
    asked. With `retry_failed`, samples that failed before are taken up again. `recompute` names
    the scorers whose imported scores are computed anew. With `check`, the columns that were
    computed are checked at the end.
    """

    scorers: Sequence[Choice]
    embedders: Sequence[Choice] = ()
    executor: Choice = LOCAL
    call_settings: CallSettings = field(default_factory=CallSettings)
    retry_failed: bool = False
    recompute: Sequence[str] = ()
    check: CheckRequest | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return scorers, embedders and executor, JSON-able."""
        return {
            "scorers": {choice.label: choice.to_dict() for choice in self.scorers},
            "embedders": {choice.label: choice.to_dict() for choice in self.embedders},
            "executor": self.executor.to_dict(),
            "retry_failed": self.retry_failed,
            "recompute": list(self.recompute),
        }


@dataclass(frozen=True, slots=True)
class PendingWork:
    """One component and the units it has yet to see: samples, or images for an embedder.

    `places` (m,) int64, ascending, are where in the data set's order each is first shown.
    `ordinals` (m,) int64 count the units of the whole data set, seen or not: a unit's ordinal
    decides in which batch it is, so that the batches of a run that was killed are those of one
    that was not.
    """

    configured: ConfiguredComponent
    component_id: int
    places: NDArray[np.int64]
    ordinals: NDArray[np.int64]

    def batches(self, size: int) -> Iterator[slice]:
        """Yield the units of each batch of `size`, in order; fewer where some are done."""
        starts = np.flatnonzero(np.diff(self.ordinals // size, prepend=-1))
        for start, end in pairwise([*starts.tolist(), len(self.ordinals)]):
            yield slice(start, end)

    @property
    def asks(self) -> bool:
        """Whether this is a scorer that asks a service."""
        return isinstance(self.configured.component, AsyncScorer)


@dataclass(frozen=True, slots=True)
class PendingImages(PendingWork):
    """An embedder and the images it has yet to see; `image_ids` (m,) int64."""

    image_ids: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class ScoringPlan:
    """All that is missing for a data set, and the order of its samples.

    `sample_ids` and `contents` are (n,) int64. `embedders` are known by fingerprint;
    `embedder_of` names the one of each scorer that reads embeddings.
    """

    dataset: DatasetRow
    sample_ids: NDArray[np.int64]
    contents: NDArray[np.int64]
    scorers: Mapping[str, PendingWork]
    embedders: Mapping[str, PendingImages]
    embedder_of: Mapping[str, str]

    @property
    def has_batches(self) -> bool:
        """Whether there is any work for the executor."""
        return any(len(p.places) for p in (*self.batched.values(), *self.embedders.values()))

    @property
    def batched(self) -> dict[str, PendingWork]:
        """The scorers that the executor runs on batches."""
        return {label: p for label, p in self.scorers.items() if not p.asks}

    @property
    def asking(self) -> dict[str, PendingWork]:
        """The scorers that ask services."""
        return {label: p for label, p in self.scorers.items() if p.asks}

    @property
    def calls(self) -> dict[str, int]:
        """How many samples (scorers) or images (embedders) each component has to see."""
        images = {
            f"embedder {pending.configured.label}": len(pending.places)
            for pending in self.embedders.values()
        }
        return images | {label: len(p.places) for label, p in self.scorers.items()}


def check_request(session: Session, request: ScoreRequest) -> None:
    """Check every component of a request and its options; nothing is recorded or computed.

    Raises:
        UsageError: unknown component or option; a scorer's name is reserved.
    """
    _embedders(session, _scorers(session, request.scorers), request.embedders)
    session.host.validate(request.executor)


def make_plan(session: Session, dataset: DatasetRow, request: ScoreRequest) -> ScoringPlan:
    """Find out what scorers, their embedders and further embedders have not yet done.

    Every scorer of the request is planned for, also one whose scores were imported.

    Raises:
        UsageError: unknown component or option; a scorer's name is reserved.
    """
    chosen = _scorers(session, request.scorers)
    wanted, embedder_of = _embedders(session, chosen, request.embedders)
    ids = {
        id(one): session.component_id(one.fingerprint)
        for one in (*chosen.values(), *wanted.values())
    }
    if request.retry_failed:
        with session.store.writing() as connection:
            scores.delete_failures(connection, dataset.id, list(ids.values()))
    with session.store.reading() as connection:
        sample_ids, contents = samples.ordered_ids(connection, dataset.id)
        # What no selection takes is not asked about, let alone paid for.
        faulty = samples.ids_with_problems(connection, dataset.id, answered=True)
        sound = np.flatnonzero(~np.isin(sample_ids, faulty))
        first = np.zeros(len(contents), dtype=bool)
        first[sound[np.unique(contents[sound], return_index=True)[1]]] = True
        ordinals = np.cumsum(first) - 1
        pending = {}
        for label, one in chosen.items():
            done = scores.scored_ids(connection, ids[id(one)])
            places = np.flatnonzero(first & ~_contained(contents, done))
            pending[label] = PendingWork(one, ids[id(one)], places, ordinals[places])
        embedding = {}
        if wanted:
            shown_at, images = _distinct(sample_ids, *samples.image_pairs(connection, dataset.id))
        for label, one in wanted.items():
            done = scores.embedded_ids(connection, ids[id(one)])
            missing = np.flatnonzero(~_contained(images, done))
            embedding[label] = PendingImages(
                one, ids[id(one)], shown_at[missing], missing, images[missing]
            )
    return ScoringPlan(dataset, sample_ids, contents, pending, embedding, embedder_of)


def _scorers(session: Session, choices: Sequence[Choice]) -> dict[str, ConfiguredComponent]:
    chosen: dict[str, ConfiguredComponent] = {}
    for choice in choices:
        check_label(choice.label)
        if choice.label in chosen:
            raise UsageError(f"scorer {choice.label!r} is named twice")
        chosen[choice.label] = session.configured(choice)
    return chosen


def check_label(label: str) -> None:
    """Refuse a scorer's name that would hide a column of `scores_wide`."""
    if label in scores.RESERVED_NAMES:
        raise UsageError(
            f"a scorer cannot be called {label!r}: that is a column of scores_wide already"
        )


def _embedders(
    session: Session, scorers: Mapping[str, ConfiguredComponent], more: Iterable[Choice]
) -> tuple[dict[str, ConfiguredComponent], dict[str, str]]:
    """Return the embedders by fingerprint, each once, and the one of each scorer."""
    wanted: dict[str, ConfiguredComponent] = {}
    embedder_of: dict[str, str] = {}
    for label, one in scorers.items():
        assert isinstance(one.component, Scorer)
        choice = one.component.embedder()
        if choice is not None:
            configured = session.configured(choice)
            embedder_of[label] = configured.fingerprint.value
            wanted.setdefault(configured.fingerprint.value, configured)
    for choice in more:
        configured = session.configured(choice)
        assert isinstance(configured.component, Embedder)
        wanted.setdefault(configured.fingerprint.value, configured)
    return wanted, embedder_of


def _contained(values: NDArray[np.int64], known: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which of `values` are in `known`, which is sorted."""
    if len(known) == 0:
        return np.zeros(len(values), dtype=bool)
    at = np.minimum(np.searchsorted(known, values), len(known) - 1)
    found: NDArray[np.bool_] = known[at] == values
    return found


def _distinct(
    sample_ids: NDArray[np.int64], showing: NDArray[np.int64], images: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the place where each distinct image is first shown, ascending, and the image's id.

    `showing` and `images` are the pairs of samples and images, each sample's in its own order.
    """
    order = np.argsort(sample_ids, kind="stable")
    places = order[np.searchsorted(sample_ids[order], showing)]
    by_place = np.argsort(places, kind="stable")
    places, images = places[by_place], images[by_place]
    first = np.sort(np.unique(images, return_index=True)[1])
    return places[first], images[first]
