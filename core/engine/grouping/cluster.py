"""The clustering stage: groups a data set's samples by the embeddings of their images."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from ig4.core.contracts import Clusterer
from ig4.core.counts import counted
from ig4.core.engine.scoring.plan import ScoreRequest
from ig4.core.engine.scoring.score import score
from ig4.core.engine.selecting.candidates import NO_CLUSTERS
from ig4.core.errors import PluginError, UsageError
from ig4.core.events import StageFinished, StageStarted
from ig4.core.host.fingerprint import digest_of
from ig4.core.host.recording import recorded_options
from ig4.core.host.watch import open_named
from ig4.core.records import Choice
from ig4.storage import clusters, samples, scores

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ig4.core.engine.session import ConfiguredComponent, Session
    from ig4.storage.datasets import DatasetRow

STAGE = "cluster"
TEXT_ONLY, UNREADABLE = -1, -2


@dataclass(frozen=True, slots=True)
class ClusterRequest:
    """How to group samples: `k` clusters of the vectors of an embedder.

    With `aside` the clustering does not become the one that selections take by default.
    """

    clusterer: Choice
    embedder: Choice
    k: int
    seed: int
    aside: bool = False


@dataclass(frozen=True, slots=True)
class ClusterResult:
    """A clustering: how many samples each label has; `left_out` have no readable image."""

    dataset: DatasetRow
    id: int
    name: str
    k: int
    sizes: dict[int, int]
    text_only: int
    left_out: int
    reused: bool


@dataclass(frozen=True, slots=True)
class _ImageAssignment:
    """Which image each sample goes by: TEXT_ONLY (-1), or UNREADABLE (-2), where there is none.

    `sample_ids` and `image_of` are (n,) int64, in the order of the data set.
    """

    sample_ids: NDArray[np.int64]
    image_of: NDArray[np.int64]


def cluster(session: Session, dataset: DatasetRow, request: ClusterRequest) -> ClusterResult:
    """Cluster a data set's distinct images; a sample takes the cluster of its first image.

    Text-only samples form one more cluster, numbered k. The same input is not clustered twice.

    Raises:
        UsageError: `k` is below 1 or above the number of distinct images.
    """
    name, k = request.clusterer.label, request.k
    if name == NO_CLUSTERS:
        raise UsageError(
            "the clusterer is none: there is nothing to cluster, and `ig4 select` takes all "
            "samples as one cluster; to form clusters, name a clusterer (--clusterer spectral)"
        )
    if k < 1:
        raise UsageError(f"cannot form {k} clusters: choose k from 1 on")
    clusterer = session.configured(request.clusterer)
    embedder = session.configured(request.embedder, runnable=False)
    config = {
        "dataset": dataset.name,
        "clusterer": request.clusterer.to_dict(),
        "embedder": request.embedder.to_dict(),
        "k": k,
    }
    with session.recorded("cluster", config, request.seed):
        session.attach(dataset.id)
        assignment = _assign_images(session, dataset)
        images = len(np.unique(assignment.image_of[assignment.image_of >= 0]))
        if 0 < images < k:  # said before they are embedded; some may turn out unreadable yet
            raise UsageError(
                f"cannot form {counted(k, 'cluster')} of {counted(images, 'distinct image')}: "
                "lower k"
            )
        work = _Clustering(session, clusterer, embedder, assignment, k, request.seed)
        with session.store.reading() as connection:
            known = clusters.find(connection, dataset.id, inputs=work.inputs())
        if known is not None:
            if not request.aside:
                with session.store.writing() as connection:
                    clusters.mark_used(connection, known.id, name, work.settings())
            return _summary(session, dataset, known.id, name, k, assignment, reused=True)
        score(session, dataset, ScoreRequest((), embedders=[request.embedder]))
        labels = work.labels()
        component_id = session.component_id(work.clusterer.fingerprint)
        labelled = labels >= 0
        inputs = work.inputs()  # anew: images that failed are known only now
        with session.store.writing() as connection:
            added = clusters.put(
                connection,
                dataset_id=dataset.id,
                name=name,
                component_id=component_id,
                inputs=inputs,
                k=k,
                seed=request.seed,
                imported=False,
                run_id=session.run_id,
                samples=assignment.sample_ids[labelled],
                labels=labels[labelled],
                backdated=request.aside,
                settings=work.settings(),
            )
        return _summary(session, dataset, added, name, k, assignment, reused=False)


def _assign_images(session: Session, dataset: DatasetRow) -> _ImageAssignment:
    with session.store.reading() as connection:
        sample_ids, _ = samples.ordered_ids(connection, dataset.id)
        with_image, image_ids = samples.image_pairs(connection, dataset.id, first_only=True)
        named = samples.ids_with_images(connection, dataset.id)
    image_of = np.full(len(sample_ids), TEXT_ONLY, dtype=np.int64)
    image_of[np.isin(sample_ids, named)] = UNREADABLE
    order = np.argsort(sample_ids, kind="stable")
    image_of[order[np.searchsorted(sample_ids[order], with_image)]] = image_ids
    return _ImageAssignment(sample_ids, image_of)


@dataclass(frozen=True, slots=True)
class _Clustering:
    """A clusterer and an embedder at work on the images of a data set."""

    session: Session
    clusterer: ConfiguredComponent
    embedder: ConfiguredComponent
    assignment: _ImageAssignment
    k: int
    seed: int

    def settings(self) -> dict[str, Any] | None:
        """Return the options of clusterer and embedder for the database; None if not JSON-able."""
        parts = {}
        for kind, one in (("clusterer", self.clusterer), ("embedder", self.embedder)):
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
        component_id = self.session.component_id(self.embedder.fingerprint)
        with self.session.store.reading() as connection:
            tried = scores.embedded_ids(connection, component_id)
            embedded = scores.embedded_ids(connection, component_id, include_failed=False)
        failed = np.setdiff1d(tried, embedded)
        image_of = self.assignment.image_of
        shown = np.where(np.isin(image_of, failed), -3, image_of)
        data = hashlib.sha256(self.assignment.sample_ids.tobytes() + shown.tobytes()).hexdigest()
        fingerprints = [self.clusterer.fingerprint.value, self.embedder.fingerprint.value]
        return digest_of([*fingerprints, data, self.k, self.seed])

    def labels(self) -> NDArray[np.int64]:
        """Return the label (n,) of each sample, -1 where there is none."""
        image_of, k = self.assignment.image_of, self.k
        shown = image_of[image_of >= 0]
        distinct, first = np.unique(shown, return_index=True)
        images = distinct[np.argsort(first, kind="stable")]  # in data-set order
        vectors = self._vectors(images)
        kept = [image for image in images.tolist() if image in vectors]
        if not kept:
            raise UsageError(f"cannot form {k} clusters: no image of the data set can be read")
        if k > len(kept):
            raise UsageError(f"cannot form {k} clusters of {len(kept)} distinct images: lower k")
        self.session.emit(StageStarted(STAGE, len(kept), "images"))
        given = self._fit(np.stack([vectors[image] for image in kept]))
        label_of = dict(zip(kept, given.tolist(), strict=True))
        labels = np.full(len(image_of), -1, dtype=np.int64)
        labels[image_of == TEXT_ONLY] = k
        for place, image in enumerate(image_of.tolist()):
            if image in label_of:
                labels[place] = label_of[image]
        formed = len(set(label_of.values()))
        self.session.emit(
            StageFinished(STAGE, f"{counted(len(kept), 'image')} in {counted(formed, 'cluster')}")
        )
        return labels

    def _vectors(self, images: NDArray[np.int64]) -> dict[int, NDArray[np.float32]]:
        component_id = self.session.component_id(self.embedder.fingerprint)
        with self.session.store.reading() as connection:
            rows = scores.embeddings(connection, component_id, images.tolist())
            return {image: vector for image, vector in rows if not isinstance(vector, str)}

    def _fit(self, matrix: NDArray[np.float32]) -> NDArray[np.int64]:
        clusterer = cast("Clusterer", self.clusterer.component)
        open_named(clusterer, self.clusterer.label)
        try:
            labels = np.asarray(clusterer.fit_predict(matrix, self.k, self.seed))
        finally:
            clusterer.close()
        _check(self.clusterer.label, labels, len(matrix), self.k)
        return labels


def _check(label: str, labels: NDArray[np.int64], rows: int, k: int) -> None:
    if labels.shape != (rows,) or labels.min(initial=0) < 0 or labels.max(initial=0) >= k:
        raise PluginError(
            f"clusterer {label} must return {rows} labels from 0 to {k - 1}; it returned shape "
            f"{labels.shape}"
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
    )
