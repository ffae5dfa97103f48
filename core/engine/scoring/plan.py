"""What is to be scored, and what of it is missing: samples and images, by component."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from ig4.core.calls.settings import CallSettings
from ig4.core.contracts import Embedder, PoolEmbedder, Scorer
from ig4.core.engine.checkups.request import CheckRequest
from ig4.core.engine.pooling.settings import PoolSettings
from ig4.core.engine.scoring.inputs import contained, first_places, text_digests
from ig4.core.engine.scoring.outputs import check_names, component_ids
from ig4.core.engine.scoring.pending import (
    PendingImages,
    PendingTexts,
    PendingWork,
    share,
)
from ig4.core.engine.scoring.pendinginputs import PendingInputs
from ig4.core.engine.scoring.sharing.vectorshares import vector_share
from ig4.core.errors import PluginError, UsageError
from ig4.core.records import Choice
from ig4.storage import samples, scorecolumns, scores, spaces

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ig4.core.engine.scoring.sharing.shards import Shard
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
    the columns that were computed are checked at the end. With `shard`, a part of it is done.
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
    shard: Shard | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return scorers, embedders and executor, JSON-able."""
        return {
            "scorers": {choice.label: choice.to_dict() for choice in self.scorers},
            "embedders": {choice.label: choice.to_dict() for choice in self.embedders},
            "spaces": {choice.label: choice.to_dict() for choice in self.spaces},
            "executor": self.executor.to_dict(),
            "retry_failed": self.retry_failed,
            "recompute": list(self.recompute),
            **({"shard": str(self.shard)} if self.shard else {}),
        }


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
    waiting: Mapping[str, int] = field(default_factory=dict)
    """By scorer: how many samples of a shard wait for vectors that other shards make."""

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
        UsageError: unknown component or option; a scorer's name is reserved, or that of an output;
            a shard is asked for of what can only be done as a whole.
        PluginError: a scorer's outputs have names that no column can have.
    """
    chosen = _scorers(session, request.scorers)
    embedders = _embedders(session, chosen, (*request.embedders, *request.spaces))
    wanted = embedders.wanted
    if request.shard:
        check_shard(request, list(embedders.pooled))
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
        first[sound[first_places(contents[sound])]] = True
        ordinals = np.cumsum(first, dtype=np.int64)
        ordinals -= 1
        pending = {}
        for label, one in chosen.items():
            done = scores.scored_ids(connection, ids[id(one)])
            places = np.flatnonzero(first & ~contained(contents, done))
            pending[label] = PendingWork(
                one,
                ids[id(one)],
                places,
                ordinals[places],
                units=int(first.sum()),
                outputs=outputs[label],
            )
        inputs = PendingInputs(connection, dataset, sample_ids)
        embedding = {label: inputs.pending(one, ids[id(one)]) for label, one in wanted.items()}
        waiting: dict[str, int] = {}
        if request.shard:
            shown = inputs.shown(sample_ids[first]) if embedders.of_scorer else None
            for label, work in pending.items():
                if shown is None or label not in embedders.of_scorer:
                    pending[label] = share(request.shard, work)
                    continue
                images = cast("PendingImages", embedding[embedders.of_scorer[label]])
                own = vector_share(request.shard, work, images, shown)
                pending[label], waiting[label] = work.part(own.scored), int(own.waiting.sum())
            embedding = {label: share(request.shard, work) for label, work in embedding.items()}
    return ScoringPlan(
        dataset,
        sample_ids,
        contents,
        pending,
        embedding,
        embedders.of_scorer,
        {choice.label: embedders.named[choice.label] for choice in request.spaces},
        embedders.pooled,
        {label: count for label, count in waiting.items() if count},
    )


def check_shard(request: ScoreRequest, pooled: Sequence[str]) -> None:
    """Refuse what a shard cannot do; `pooled` are scorers and spaces that look at all samples.

    Raises:
        UsageError: such are wanted, or failures of the whole data set.
    """
    if pooled:
        raise UsageError(
            f"--shard: {pooled[0]} looks at all samples together. Leave it out, and compute it "
            "without --shard once all shards are there"
        )
    if request.retry_failed:
        raise UsageError(
            "--retry-failed takes up all failures of the data set: use it without --shard, once "
            "all shards are there"
        )


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
