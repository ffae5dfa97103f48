"""What is to be scored, and what of it is missing: samples and images, by component."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from ig4.core.calls.settings import CallSettings
from ig4.core.contracts import AsyncScorer, Embedder, PoolEmbedder, Scorer
from ig4.core.engine.checkups.request import CheckRequest
from ig4.core.engine.pooling.settings import PoolSettings
from ig4.core.engine.scoring.inputs import contained, first_places, text_digests
from ig4.core.engine.scoring.outputs import check_names, component_ids
from ig4.core.errors import PluginError, UsageError
from ig4.core.records import Choice
from ig4.storage import samples, scorecolumns, scores, spaces

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from sqlalchemy import Connection

    from ig4.core.contracts.embedder import Reads
    from ig4.core.engine.session import ConfiguredComponent, Session
    from ig4.storage.datasets import DatasetRow


LOCAL = Choice("executor", "local")


@dataclass(frozen=True, slots=True)
class ScoreRequest:
    """What to score a data set with, and how.

    `embedders` are wanted beside those that scorers read. `spaces` are embedders too, whose names
    the data set is to know; those of imported vectors are left alone. `call_settings` say how
    services are asked. With `retry_failed`, samples that failed before are taken up again.
    `recompute` names the scorers and spaces that were imported and are computed anew. With `check`,
    the columns that were computed are checked at the end.
    """

    scorers: Sequence[Choice]
    embedders: Sequence[Choice] = ()
    executor: Choice = LOCAL
    call_settings: CallSettings = field(default_factory=CallSettings)
    retry_failed: bool = False
    recompute: Sequence[str] = ()
    spaces: Sequence[Choice] = ()
    pool: PoolSettings = field(default_factory=PoolSettings)
    check: CheckRequest | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return scorers, embedders and executor, JSON-able."""
        return {
            "scorers": {choice.label: choice.to_dict() for choice in self.scorers},
            "embedders": {choice.label: choice.to_dict() for choice in self.embedders},
            "spaces": {choice.label: choice.to_dict() for choice in self.spaces},
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
    outputs: Mapping[str, int] = field(default_factory=dict, kw_only=True)
    """The ids of the components of its outputs, by name."""

    @property
    def asks(self) -> bool:
        """Whether this is a scorer that asks a service."""
        return isinstance(self.configured.component, AsyncScorer)


@dataclass(frozen=True, slots=True)
class PendingImages(PendingWork):
    """An embedder and the images it has yet to see; `image_ids` (m,) int64."""

    image_ids: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class PendingTexts(PendingWork):
    """An embedder and the texts it has yet to see; `digests` (m,) know them."""

    digests: NDArray[np.void]

    @property
    def reads(self) -> Reads:
        """What of a sample the texts are."""
        assert isinstance(self.configured.component, Embedder)
        return self.configured.component.reads


@dataclass(frozen=True, slots=True)
class ScoringPlan:
    """All that is missing for a data set, and the order of its samples.

    `sample_ids` and `contents` are (n,) int64. `embedders` are known by fingerprint;
    `embedder_of` names the one of each scorer that reads embeddings. `spaces` are the
    components that names of spaces are to stand for, `pooled` those of them that look at all
    samples at once.
    """

    dataset: DatasetRow
    sample_ids: NDArray[np.int64]
    contents: NDArray[np.int64]
    scorers: Mapping[str, PendingWork]
    embedders: Mapping[str, PendingImages | PendingTexts]
    embedder_of: Mapping[str, str]
    spaces: Mapping[str, ConfiguredComponent] = field(default_factory=dict)
    pooled: Mapping[str, ConfiguredComponent] = field(default_factory=dict)

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
        """How many samples (scorers), images or texts (embedders) each has to see."""
        inputs = {
            f"embedder {pending.configured.label}": len(pending.places)
            for pending in self.embedders.values()
        }
        inputs |= {f"embedder {label}": len(self.sample_ids) for label in self.pooled}
        return inputs | {label: len(p.places) for label, p in self.scorers.items()}


def check_request(session: Session, request: ScoreRequest) -> None:
    """Check every component of a request and its options; nothing is recorded or computed.

    Raises:
        UsageError: unknown component or option; a scorer's name is reserved.
    """
    _embedders(session, _scorers(session, request.scorers), (*request.embedders, *request.spaces))
    session.host.validate(request.executor)


def make_plan(session: Session, dataset: DatasetRow, request: ScoreRequest) -> ScoringPlan:
    """Find out what scorers, their embedders and further embedders have not yet done.

    Every scorer of the request is planned for, also one whose scores were imported.

    Raises:
        UsageError: unknown component or option; a scorer's name is reserved, or that of an output.
        PluginError: a scorer's outputs have names that no column can have.
    """
    chosen = _scorers(session, request.scorers)
    embedders = _embedders(session, chosen, (*request.embedders, *request.spaces))
    wanted = embedders.wanted
    ids = {
        id(one): session.component_id(one.fingerprint)
        for one in (*chosen.values(), *wanted.values())
    }
    outputs = {label: component_ids(session, one) for label, one in chosen.items()}
    _check_columns(session, dataset, outputs)
    if request.retry_failed:
        with session.store.writing() as connection:
            for label, one in chosen.items():
                if outputs[label]:
                    group = [ids[id(one)], *outputs[label].values()]
                    scores.delete_failures_of_any(connection, dataset.id, group)
            scores.delete_failures(connection, dataset.id, list(ids.values()))
        _forget_failed_texts(session, dataset, wanted, ids)
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
            places = np.flatnonzero(first & ~contained(contents, done))
            pending[label] = PendingWork(
                one, ids[id(one)], places, ordinals[places], outputs=outputs[label]
            )
        inputs = _Inputs(connection, dataset, sample_ids)
        embedding = {label: inputs.pending(one, ids[id(one)]) for label, one in wanted.items()}
    return ScoringPlan(
        dataset,
        sample_ids,
        contents,
        pending,
        embedding,
        embedders.of_scorer,
        {choice.label: embedders.named[choice.label] for choice in request.spaces},
        embedders.pooled,
    )


@dataclass(slots=True)
class _Inputs:
    """The distinct images and texts of a data set, found when an embedder first asks for them."""

    connection: Connection
    dataset: DatasetRow
    sample_ids: NDArray[np.int64]
    images: tuple[NDArray[np.int64], NDArray[np.int64]] | None = None
    texts: dict[Reads, tuple[NDArray[np.int64], NDArray[np.void]]] = field(default_factory=dict)

    def pending(self, one: ConfiguredComponent, number: int) -> PendingImages | PendingTexts:
        """Return what an embedder has yet to see."""
        assert isinstance(one.component, Embedder)
        reads = one.component.reads
        if reads == "image":
            if self.images is None:
                pairs = samples.image_pairs(self.connection, self.dataset.id)
                self.images = _distinct(self.sample_ids, *pairs)
            shown_at, images = self.images
            done = scores.embedded_ids(self.connection, number)
            missing = np.flatnonzero(~contained(images, done))
            return PendingImages(one, number, shown_at[missing], missing, images[missing])
        if reads not in self.texts:
            digests = text_digests(self.connection, self.sample_ids, reads)
            places = first_places(digests)
            self.texts[reads] = places, digests[places]
        places, digests = self.texts[reads]
        seen = spaces.embedded(self.connection, number)
        missing = np.flatnonzero(~contained(digests, seen))
        return PendingTexts(one, number, places[missing], missing, digests[missing])


def _forget_failed_texts(
    session: Session,
    dataset: DatasetRow,
    wanted: Mapping[str, ConfiguredComponent],
    ids: Mapping[int, int],
) -> None:
    """Delete the errors of embedders on texts of a data set, so that these are embedded again."""
    reading = [one for one in wanted.values() if cast("Embedder", one.component).reads != "image"]
    if not reading:
        return
    with session.store.writing() as connection:
        sample_ids, _ = samples.ordered_ids(connection, dataset.id)
        for one in reading:
            reads = cast("Embedder", one.component).reads
            digests = text_digests(connection, sample_ids, reads)
            spaces.delete_failures(connection, ids[id(one)], digests)


def _scorers(session: Session, choices: Sequence[Choice]) -> dict[str, ConfiguredComponent]:
    chosen: dict[str, ConfiguredComponent] = {}
    for choice in choices:
        check_label(choice.label)
        if choice.label in chosen:
            raise UsageError(f"scorer {choice.label!r} is named twice")
        chosen[choice.label] = session.configured(choice)
    return chosen


def _check_columns(
    session: Session, dataset: DatasetRow, outputs: Mapping[str, Mapping[str, int]]
) -> None:
    """Check that the columns of scorers and their outputs are nobody else's."""
    with session.store.reading() as connection:
        columns = scorecolumns.list_all(connection, dataset.id)
    check_names({label: list(ids) for label, ids in outputs.items()}, columns, dataset.name)


def check_label(label: str) -> None:
    """Refuse a scorer's name that would hide a column of `scores_wide`."""
    if label in scores.RESERVED_NAMES:
        raise UsageError(
            f"a scorer cannot be called {label!r}: that is a column of scores_wide already (older "
            "scores of that name get another one by `ig4 scores rename`)"
        )


@dataclass(frozen=True, slots=True)
class _Embedders:
    """Embedders: by fingerprint, each once; the fingerprint of each scorer's; those by name.

    `pooled` are those that look at all samples at once, by name; they are not in `wanted`.
    """

    wanted: dict[str, ConfiguredComponent] = field(default_factory=dict)
    of_scorer: dict[str, str] = field(default_factory=dict)
    named: dict[str, ConfiguredComponent] = field(default_factory=dict)
    pooled: dict[str, ConfiguredComponent] = field(default_factory=dict)


def _embedders(
    session: Session, scorers: Mapping[str, ConfiguredComponent], more: Iterable[Choice]
) -> _Embedders:
    """Return the embedders that scorers read, and those that are wanted beside them.

    Raises:
        PluginError: a scorer names an embedder that does not read images.
    """
    found = _Embedders()
    wanted = found.wanted
    for label, one in scorers.items():
        assert isinstance(one.component, Scorer)
        choice = one.component.embedder()
        if choice is not None:
            configured = session.configured(choice)
            embedder = configured.component
            if not isinstance(embedder, Embedder) or embedder.reads != "image":
                raise PluginError(
                    f"scorer {label} reads the vectors of {choice.label}, which is no embedder of "
                    "images"
                )
            found.of_scorer[label] = configured.fingerprint.value
            wanted.setdefault(configured.fingerprint.value, configured)
    for choice in more:
        configured = session.configured(choice)
        found.named[choice.label] = configured
        if isinstance(configured.component, PoolEmbedder):
            found.pooled[choice.label] = configured
        else:
            wanted.setdefault(configured.fingerprint.value, configured)
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
