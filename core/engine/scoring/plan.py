"""What is to be scored, and what of it is missing: samples and images, by component."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ig4.core.calls.settings import CallSettings
from ig4.core.contracts import AsyncScorer, Embedder, Scorer
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
    the scorers whose imported scores are computed anew.
    """

    scorers: Sequence[Choice]
    embedders: Sequence[Choice] = ()
    executor: Choice = LOCAL
    call_settings: CallSettings = field(default_factory=CallSettings)
    retry_failed: bool = False
    recompute: Sequence[str] = ()

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
    """One component and where it has work: places in the data set's order, int64."""

    configured: ConfiguredComponent
    component_id: int
    places: NDArray[np.int64]

    @property
    def asks(self) -> bool:
        """Whether this is a scorer that asks a service."""
        return isinstance(self.configured.component, AsyncScorer)


@dataclass(frozen=True, slots=True)
class ScoringPlan:
    """All that is missing for a data set, and the order of its samples.

    `sample_ids` and `contents` are (n,) int64. `images` gives for each embedder the image ids
    to embed by the place of the first sample that shows them. `embedder_of` names the embedder
    (by label) of each scorer that reads embeddings.
    """

    dataset: DatasetRow
    sample_ids: NDArray[np.int64]
    contents: NDArray[np.int64]
    scorers: Mapping[str, PendingWork]
    embedders: Mapping[str, PendingWork]
    images: Mapping[str, Mapping[int, list[int]]]
    embedder_of: Mapping[str, str]

    @property
    def places(self) -> list[int]:
        """The places with any work for the executor, ascending."""
        parts = [p.places for p in (*self.batched.values(), *self.embedders.values())]
        return np.unique(np.concatenate(parts)).tolist() if parts else []

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
            f"embedder {self.embedders[label].configured.label}": sum(map(len, by_place.values()))
            for label, by_place in self.images.items()
        }
        return images | {label: len(p.places) for label, p in self.scorers.items()}


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
        pending = {}
        for label, one in chosen.items():
            done = scores.scored_ids(connection, ids[id(one)])
            places = np.flatnonzero(first & ~_contained(contents, done))
            pending[label] = PendingWork(one, ids[id(one)], places)
        shown = samples.image_pairs(connection, dataset.id) if wanted else None
        images, embedding = {}, {}
        for label, one in wanted.items():
            assert shown is not None
            done = scores.embedded_ids(connection, ids[id(one)])
            images[label] = _by_place(sample_ids, shown, done)
            places = np.array(sorted(images[label]), dtype=np.int64)
            embedding[label] = PendingWork(one, ids[id(one)], places)
    return ScoringPlan(dataset, sample_ids, contents, pending, embedding, images, embedder_of)


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


def _by_place(
    sample_ids: NDArray[np.int64],
    shown: tuple[NDArray[np.int64], NDArray[np.int64]],
    done: NDArray[np.int64],
) -> dict[int, list[int]]:
    """Return the images to embed by the place of the first sample that shows each."""
    missing = ~_contained(shown[1], done)
    if not missing.any():
        return {}
    order = np.argsort(sample_ids, kind="stable")
    places = order[np.searchsorted(sample_ids[order], shown[0][missing])]
    by_place = np.argsort(places, kind="stable")
    places, images = places[by_place], shown[1][missing][by_place]
    _, first = np.unique(images, return_index=True)
    found: dict[int, list[int]] = {}
    for position in np.sort(first).tolist():
        found.setdefault(int(places[position]), []).append(int(images[position]))
    return found
