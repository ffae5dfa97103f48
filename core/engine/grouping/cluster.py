"""The clustering stage: groups a data set's samples by the vectors of a space.

By default that is the embedder of images, whose samples without an image have a cluster of their
own. Any other space is found by its name.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from ig4.core.contracts import Clusterer, Embedder
from ig4.core.counts import counted
from ig4.core.engine.pooling.neighbours import index_for, kept_neighbours, unit_rows
from ig4.core.engine.pooling.spacenames import space_parts
from ig4.core.engine.pooling.spaces import (
    SpaceVectors,
    image_vectors,
    missing_space,
    require_space,
    space_choice,
)
from ig4.core.engine.scoring.plan import ScoreRequest
from ig4.core.engine.scoring.score import score
from ig4.core.engine.selecting.candidates import NO_CLUSTERS
from ig4.core.errors import PluginError, UsageError
from ig4.core.events import StageFinished, StageStarted
from ig4.core.host.fingerprint import digest_of
from ig4.core.host.recording import recorded_options
from ig4.core.host.watch import open_named
from ig4.core.records import Choice
from ig4.core.views.tabular import ResultTable, TabularResult
from ig4.storage import clusters, samples, scores, spaces

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ig4.core.contracts.pool import Neighbours
    from ig4.core.engine.session import ConfiguredComponent, Session
    from ig4.storage.datasets import DatasetRow

STAGE = "cluster"
TEXT_ONLY, UNREADABLE = -1, -2
NOISE, NO_LABEL = -1, -2
"""Labels of samples without a cluster: left without one, or without anything to cluster by."""


@dataclass(frozen=True, slots=True)
class ClusterRequest:
    """How to group samples: `k` clusters of the vectors of an embedder, or of a space.

    `choices` are the configured embedders, by the names of their spaces. With `aside` the
    clustering does not become the one that selections take by default. `index` finds neighbours for
    a clusterer that wants some; None leaves the choice to ig4.
    """

    clusterer: Choice
    embedder: Choice
    k: int
    seed: int
    aside: bool = False
    space: str | None = None
    choices: Mapping[str, Choice] = field(default_factory=dict)
    index: Choice | None = None


@dataclass(frozen=True, slots=True, repr=False)
class ClusterResult(TabularResult):
    """A clustering: how many samples each label has.

    `left_out` have no cluster: no readable image or no vector, or (`noise` of them) the clusterer
    left them without one. `space` is None for images.
    """

    dataset: DatasetRow
    id: int
    name: str
    k: int
    sizes: dict[int, int]
    text_only: int
    left_out: int
    reused: bool
    noise: int = 0
    space: str | None = None

    def headline(self) -> str:
        """Return what it is, in a few words."""
        left = f", {self.left_out:,} without" if self.left_out else ""
        return f"{self.name}: {counted(len(self.sizes), 'cluster')} of {self.dataset.name}{left}"

    def _table(self) -> ResultTable:
        return ResultTable(("cluster", "samples"), [*self.sizes.items()])


@dataclass(frozen=True, slots=True)
class _ImageAssignment:
    """Which image each sample goes by: TEXT_ONLY (-1), or UNREADABLE (-2), where there is none.

    `sample_ids`, `contents` and `image_of` are (n,) int64, in the order of the data set. In a space
    that is not of images, `image_of` are rows of its vectors.
    """

    sample_ids: NDArray[np.int64]
    contents: NDArray[np.int64]
    image_of: NDArray[np.int64]
    space: SpaceVectors | None = None

    @property
    def unit(self) -> str:
        """What is clustered."""
        return "image" if self.space is None else "vector"


def cluster(session: Session, dataset: DatasetRow, request: ClusterRequest) -> ClusterResult:
    """Cluster a data set's distinct images; a sample takes the cluster of its first image.

    Text-only samples form one more cluster, numbered k. With a space of the request, its distinct
    vectors are clustered, and a sample without one has no cluster. The same input is not clustered
    twice.

    Raises:
        UsageError: `k` is below 1 or above the number of distinct images or vectors, where the
            clusterer uses it; an unknown space.
    """
    name, k = request.clusterer.label, request.k
    _check_request(request)
    clusterer = session.configured(request.clusterer)
    uses_k = cast("Clusterer", clusterer.component).uses_k
    request = _of_images(session, dataset, request)
    embedder = session.configured(request.embedder, runnable=False)
    config = {
        "dataset": dataset.name,
        "clusterer": request.clusterer.to_dict(),
        "embedder": request.embedder.to_dict(),
        **({} if request.space is None else {"space": request.space}),
        "k": k,
    }
    with session.recorded("cluster", config, request.seed):
        session.attach(dataset.id)
        assignment = (
            _assign_images(session, dataset)
            if request.space is None
            else _assign_vectors(session, dataset, request)
        )
        images = len(np.unique(assignment.image_of[assignment.image_of >= 0]))
        if uses_k and 0 < images < k:  # said before they are embedded; some may be unreadable yet
            raise UsageError(
                f"cannot form {counted(k, 'cluster')} of "
                f"{counted(images, f'distinct {assignment.unit}')}: lower --k"
            )
        work = _Clustering(session, dataset, request, clusterer, embedder, assignment, images)
        with session.store.reading() as connection:
            known = clusters.find(connection, dataset.id, inputs=work.inputs())
        if known is not None:
            if not request.aside:
                with session.store.writing() as connection:
                    clusters.mark_used(connection, known.id, name, work.settings())
            formed = k if known.k is None else known.k
            return _summary(session, dataset, known.id, name, formed, assignment, reused=True)
        if request.space is None:
            score(session, dataset, ScoreRequest((), embedders=[request.embedder]))
        labels = work.labels()
        if not uses_k:
            k = work.formed(labels)
        added = work.stored(dataset, name, k, labels, aside=request.aside)
        return _summary(session, dataset, added, name, k, assignment, reused=False)


def _check_request(request: ClusterRequest) -> None:
    if request.clusterer.label == NO_CLUSTERS:
        raise UsageError(
            "the clusterer is none: there is nothing to cluster, and `ig4 select` takes all "
            "samples as one cluster; to form clusters, name a clusterer (--clusterer spectral)"
        )
    if request.k < 1:
        raise UsageError(f"cannot form {request.k} clusters: choose k from 1 on")


def _of_images(session: Session, dataset: DatasetRow, request: ClusterRequest) -> ClusterRequest:
    """Return a request on the space of an embedder of images as one on this embedder.

    So it is the same clustering, however it is asked for.

    Raises:
        UsageError: the name of a space is malformed, or its embedder is unknown.
    """
    space = request.space
    if space is None or len(parts := space_parts(space)) > 1:
        return request
    name = next(iter(parts))
    with session.store.reading() as connection:
        row = spaces.find(connection, dataset.id, name)
    if row is not None and row.imported:
        return request
    choice = space_choice(name, row, request.choices)
    known = {one.component.name for one in session.host.components("embedder")}
    if choice.use.rpartition("/")[2] not in known:
        raise UsageError(missing_space(session, dataset, name, request.choices))
    component = session.configured(choice, runnable=False).component
    if isinstance(component, Embedder) and component.reads == "image":
        return replace(request, embedder=choice, space=None)
    return request


def _assign_vectors(
    session: Session, dataset: DatasetRow, request: ClusterRequest
) -> _ImageAssignment:
    """Return the rows of a space's vectors that samples go by; computes what is missing of it."""
    assert request.space is not None
    with session.store.reading() as connection:
        sample_ids, contents = samples.ordered_ids(connection, dataset.id)
        bound = {row.name: row for row in spaces.list_all(connection, dataset.id)}
    own = []
    for name in space_parts(request.space):
        row = bound.get(name)
        if row is None or not row.imported:
            own.append(space_choice(name, row, request.choices))
    known = {one.component.name for one in session.host.components("embedder")}
    for choice in own:
        if choice.use.rpartition("/")[2] not in known:
            raise UsageError(missing_space(session, dataset, choice.label, request.choices))
    if own:
        score(session, dataset, ScoreRequest((), spaces=own))
    found = require_space(session, dataset, request.space, request.choices, sample_ids, contents)
    row_of = np.where(found.row_of < 0, UNREADABLE, found.row_of)
    return _ImageAssignment(sample_ids, contents, row_of, found)


def _assign_images(session: Session, dataset: DatasetRow) -> _ImageAssignment:
    with session.store.reading() as connection:
        sample_ids, contents = samples.ordered_ids(connection, dataset.id)
        with_image, image_ids = samples.image_pairs(connection, dataset.id, first_only=True)
        named = samples.ids_with_images(connection, dataset.id)
    image_of = np.full(len(sample_ids), TEXT_ONLY, dtype=np.int64)
    image_of[np.isin(sample_ids, named)] = UNREADABLE
    order = np.argsort(sample_ids, kind="stable")
    image_of[order[np.searchsorted(sample_ids[order], with_image)]] = image_ids
    return _ImageAssignment(sample_ids, contents, image_of)


@dataclass(frozen=True, slots=True)
class _Clustering:
    """A clusterer and an embedder at work on the images of a data set."""

    session: Session
    dataset: DatasetRow
    request: ClusterRequest
    clusterer: ConfiguredComponent
    embedder: ConfiguredComponent
    assignment: _ImageAssignment
    images: int

    @property
    def k(self) -> int:
        """How many clusters are asked for."""
        return self.request.k

    @property
    def seed(self) -> int:
        """Where random numbers come from."""
        return self.request.seed

    @property
    def uses_k(self) -> bool:
        """Whether the clusterer makes as many clusters as it is told."""
        return cast("Clusterer", self.clusterer.component).uses_k

    def formed(self, labels: NDArray[np.int64]) -> int:
        """Return how many clusters a clusterer has formed that finds their number itself."""
        own = labels[self.assignment.image_of >= 0]
        return int(own.max(initial=-1)) + 1

    def settings(self) -> dict[str, Any] | None:
        """Return what the database keeps of how it was made; None if that is not JSON-able.

        The options of the clusterer, and of the embedder of images, or the name of the space.
        """
        space = self.assignment.space
        parts: dict[str, Any] = {} if space is None else {"space": space.name}
        made_by = [("clusterer", self.clusterer)]
        if space is None:
            made_by.append(("embedder", self.embedder))
        for kind, one in made_by:
            recorded = recorded_options(one.component)
            if recorded is None:
                return None
            use = f"{one.fingerprint.distribution}/{one.fingerprint.name}"
            parts[kind] = {"label": one.label, "use": use, **recorded}
        return parts

    def inputs(self) -> str:
        """Return a digest of all that labels depend on.

        An image that could not be embedded counts: once it can, there is more to cluster.
        """
        index = self._index_fingerprint()
        if self.assignment.space is not None:
            parts = [self.clusterer.fingerprint.value, self.assignment.space.digest, *index]
            own = hashlib.sha256(self.assignment.sample_ids.tobytes()).hexdigest()
            return digest_of([*parts, own, self.k, self.seed])
        component_id = self.session.component_id(self.embedder.fingerprint)
        with self.session.store.reading() as connection:
            tried = scores.embedded_ids(connection, component_id)
            embedded = scores.embedded_ids(connection, component_id, include_failed=False)
        failed = np.setdiff1d(tried, embedded)
        image_of = self.assignment.image_of
        shown = np.where(np.isin(image_of, failed), -3, image_of)
        data = hashlib.sha256(self.assignment.sample_ids.tobytes() + shown.tobytes()).hexdigest()
        fingerprints = [self.clusterer.fingerprint.value, self.embedder.fingerprint.value, *index]
        return digest_of([*fingerprints, data, self.k, self.seed])

    def _index_fingerprint(self) -> tuple[str, ...]:
        """Return that of the index, if neighbours are wanted of so many images."""
        clusterer = cast("Clusterer", self.clusterer.component)
        if not clusterer.needed_neighbours(self.images, self.k):
            return ()
        known = self.request.index
        choice = known or index_for(self.session, self.images, clusterer.needed_recall)
        return (self.session.configured(choice).fingerprint.value,)

    def labels(self) -> NDArray[np.int64]:
        """Return the label (n,) of each sample: NOISE, or NO_LABEL, where there is none."""
        k, unit = self.k, self.assignment.unit
        found = self._vectors()
        count = 0 if found is None else len(found.vectors)
        if found is None or not count:
            why = "no image of the data set can be read" if unit == "image" else "no sample has one"
            raise UsageError(f"cannot form {k} clusters: {why}")
        if self.uses_k and k > count:
            raise UsageError(f"cannot form {k} clusters of {count} distinct {unit}s: lower --k")
        self.session.emit(StageStarted(STAGE, count, f"{unit}s"))
        given = self._fit(found)
        known = found.row_of >= 0
        labels = np.full(len(known), NO_LABEL, dtype=np.int64)
        labels[known] = given[found.row_of[known]]
        text_only = self.assignment.image_of == TEXT_ONLY
        labels[text_only] = k if self.uses_k else int(given.max(initial=-1)) + 1
        formed = len(np.unique(given[given >= 0]))
        noise = int((given < 0).sum())
        told = f", {noise:,} in none" if noise else ""
        self.session.emit(
            StageFinished(STAGE, f"{counted(count, unit)} in {counted(formed, 'cluster')}{told}")
        )
        return labels

    def stored(
        self, dataset: DatasetRow, name: str, k: int, labels: NDArray[np.int64], *, aside: bool
    ) -> int:
        """Store a clustering of k clusters, and return its number."""
        component_id = self.session.component_id(self.clusterer.fingerprint)
        labelled = labels >= NOISE
        inputs = self.inputs()  # anew: images that failed are known only now
        with self.session.store.writing() as connection:
            return clusters.put(
                connection,
                dataset_id=dataset.id,
                name=name,
                component_id=component_id,
                inputs=inputs,
                k=k,
                seed=self.seed,
                imported=False,
                run_id=self.session.run_id,
                samples=self.assignment.sample_ids[labelled],
                labels=labels[labelled],
                backdated=aside,
                settings=self.settings(),
            )

    def _vectors(self) -> SpaceVectors | None:
        """Return the vectors that are clustered, each once, as samples first have them."""
        space = self.assignment.space
        if space is None:
            assignment = self.assignment
            return image_vectors(
                self.session,
                self.dataset,
                self.embedder,
                assignment.sample_ids,
                assignment.contents,
            )
        rows = space.row_of[space.row_of >= 0]
        distinct, first = np.unique(rows, return_index=True)
        ordered = distinct[np.argsort(first, kind="stable")]
        if len(ordered) == len(space.vectors) and np.array_equal(ordered, np.arange(len(ordered))):
            return space
        place = np.full(len(space.vectors) + 1, -1, dtype=np.int64)
        place[ordered] = np.arange(len(ordered))
        return replace(space, vectors=space.vectors[ordered], row_of=place[space.row_of])

    def _fit(self, found: SpaceVectors) -> NDArray[np.int64]:
        clusterer = cast("Clusterer", self.clusterer.component)
        vectors = np.asarray(found.vectors)
        needed = clusterer.needed_neighbours(len(vectors), self.k)
        near = self._neighbours(found, needed) if needed else None
        open_named(clusterer, self.clusterer.label)
        try:
            if near is None:
                given = clusterer.fit_predict(vectors, self.k, self.seed)
            else:
                given = clusterer.fit_neighbours(vectors, near, self.k, self.seed)
        finally:
            clusterer.close()
        labels = np.asarray(given)
        _check(self.clusterer.label, clusterer, labels, len(vectors), self.k)
        return labels.astype(np.int64, copy=False)

    def _neighbours(self, found: SpaceVectors, k: int) -> Neighbours:
        vectors = found.vectors
        digest = digest_of([found.digest, "distinct"])
        return kept_neighbours(
            self.session,
            digest,
            len(vectors),
            k,
            lambda: unit_rows(self.session, vectors, digest),
            index=self.request.index,
            recall=cast("Clusterer", self.clusterer.component).needed_recall,
        )


def _check(label: str, clusterer: Clusterer, labels: NDArray[np.int64], rows: int, k: int) -> None:
    least = NOISE if clusterer.leaves_noise else 0
    whole = labels.shape == (rows,) and np.issubdtype(labels.dtype, np.integer)
    low = int(labels.min(initial=0)) if whole else 0
    high = int(labels.max(initial=0)) if whole else 0
    if not whole or low < least or (clusterer.uses_k and high >= k) or high >= max(rows, 1):
        most = k - 1 if clusterer.uses_k else rows - 1
        raise PluginError(
            f"clusterer {label} must return {rows} labels from {least} to {most}; it returned "
            f"{labels.dtype} of shape {labels.shape}, from {low} to {high}"
        )


def _summary(
    session: Session,
    dataset: DatasetRow,
    clustering_id: int,
    name: str,
    k: int,
    assignment: _ImageAssignment,
    *,
    reused: bool,
) -> ClusterResult:
    with session.store.reading() as connection:
        labels = clusters.labels(connection, clustering_id, assignment.sample_ids)
        noise = clusters.count_noise(connection, clustering_id)
    values, counts = np.unique(labels[labels >= 0], return_counts=True)
    text_only = int((assignment.image_of == TEXT_ONLY).sum())
    if text_only:
        session.notice(
            f"{counted(text_only, 'text-only sample forms', 'text-only samples form')} cluster "
            f"{k}, which has no others"
        )
    return ClusterResult(
        dataset,
        clustering_id,
        name,
        k,
        dict(zip(values.tolist(), counts.tolist(), strict=True)),
        text_only,
        int((labels < 0).sum()),
        reused,
        noise,
        None if assignment.space is None else assignment.space.name,
    )
