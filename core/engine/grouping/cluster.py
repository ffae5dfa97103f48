"""The clustering stage: groups a data set's samples by the embeddings of their images."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np

from ig4.core.contracts import Clusterer
from ig4.core.engine.scoring.score import score
from ig4.core.errors import PluginError, UsageError
from ig4.core.events import StageFinished, StageStarted
from ig4.core.host.fingerprint import digest_of
from ig4.core.records import Choice
from ig4.storage import clusters, samples, scores

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ig4.core.engine.session import ConfiguredComponent, Session
    from ig4.storage.datasets import DatasetRow

STAGE = "cluster"


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
    """Which image each sample goes by: -1 for a text-only one, -2 for an unreadable image."""

    sample_ids: NDArray[np.int64]
    image_of: NDArray[np.int64]


def cluster(
    session: Session,
    dataset: DatasetRow,
    clusterer: Choice,
    embedder: Choice,
    *,
    k: int,
    seed: int,
    aside: bool = False,
) -> ClusterResult:
    """Cluster a data set's distinct images; a sample takes the cluster of its first image.

    Text-only samples form one more cluster, numbered k. The same input is not clustered twice.
    With `aside` the clustering does not become the one that selections take by default.

    Raises:
        UsageError: `k` is below 1 or above the number of distinct images.
    """
    config = {
        "dataset": dataset.name,
        "clusterer": {"use": clusterer.use, **clusterer.options},
        "embedder": {"use": embedder.use, **embedder.options},
        "k": k,
    }
    with session.recorded("cluster", config, seed):
        session.attach(dataset.id)
        layout = _layout(session, dataset)
        if k < 1:
            raise UsageError(f"cannot form {k} clusters: choose k from 1 on")
        images = len(np.unique(layout.image_of[layout.image_of >= 0]))
        if 0 < images < k:  # said before they are embedded; some may turn out unreadable yet
            raise UsageError(f"cannot form {k} clusters of {images:,} distinct images: lower k")
        grouping = session.configured(clusterer)
        seeing = session.configured(embedder, runnable=False)
        inputs = _inputs(session, grouping, seeing, layout, k, seed)
        with session.store.reading() as connection:
            known = clusters.find(connection, dataset.id, inputs=inputs)
        if known is not None:
            if not aside:
                with session.store.writing() as connection:
                    clusters.mark_used(connection, known.id, clusterer.label)
            return _summary(session, dataset, known.id, clusterer.label, k, layout, reused=True)
        score(session, dataset, (), embedders=[embedder])
        labels = _labels(session, grouping, seeing, layout, k, seed)
        inputs = _inputs(session, grouping, seeing, layout, k, seed)
        component = session.component_id(grouping.fingerprint)
        labelled = labels >= 0
        with session.store.writing() as connection:
            added = clusters.put(
                connection,
                dataset_id=dataset.id,
                name=clusterer.label,
                component_id=component,
                inputs=inputs,
                k=k,
                seed=seed,
                imported=False,
                run_id=session.run_id,
                samples=layout.sample_ids[labelled],
                labels=labels[labelled],
                backdated=aside,
            )
        return _summary(session, dataset, added, clusterer.label, k, layout, reused=False)


def _layout(session: Session, dataset: DatasetRow) -> _ImageAssignment:
    with session.store.reading() as connection:
        sample_ids, _ = samples.ordered_ids(connection, dataset.id)
        with_image, image_ids = samples.image_pairs(connection, dataset.id, first_only=True)
        named = samples.ids_with_images(connection, dataset.id)
    image_of = np.full(len(sample_ids), -1, dtype=np.int64)
    image_of[np.isin(sample_ids, named)] = -2
    order = np.argsort(sample_ids, kind="stable")
    image_of[order[np.searchsorted(sample_ids[order], with_image)]] = image_ids
    return _ImageAssignment(sample_ids, image_of)


def _inputs(
    session: Session,
    grouping: ConfiguredComponent,
    seeing: ConfiguredComponent,
    layout: _ImageAssignment,
    k: int,
    seed: int,
) -> str:
    """Return a digest of all that labels depend on.

    An image that could not be embedded is told apart: once it can, there is more to cluster.
    """
    component = session.component_id(seeing.fingerprint)
    with session.store.reading() as connection:
        tried = scores.embedded_ids(connection, component)
        failed = np.setdiff1d(
            tried, scores.embedded_ids(connection, component, include_failed=False)
        )
    shown = np.where(np.isin(layout.image_of, failed), -3, layout.image_of)
    data = hashlib.sha256(layout.sample_ids.tobytes() + shown.tobytes()).hexdigest()
    return digest_of([grouping.fingerprint.value, seeing.fingerprint.value, data, k, seed])


def _labels(
    session: Session,
    grouping: ConfiguredComponent,
    seeing: ConfiguredComponent,
    layout: _ImageAssignment,
    k: int,
    seed: int,
) -> NDArray[np.int64]:
    """Return the label (n,) of each sample, -1 where there is none."""
    shown = layout.image_of[layout.image_of >= 0]
    distinct, first = np.unique(shown, return_index=True)
    images = distinct[np.argsort(first, kind="stable")]  # in data-set order
    found = _vectors(session, seeing, images)
    labels = np.full(len(layout.image_of), -1, dtype=np.int64)
    labels[layout.image_of == -1] = k
    kept = [image for image in images.tolist() if image in found]
    if not kept:
        raise UsageError(f"cannot form {k} clusters: no image of the data set can be read")
    if k > len(kept):
        raise UsageError(f"cannot form {k} clusters of {len(kept)} distinct images: lower k")
    session.emit(StageStarted(STAGE, len(kept), "images"))
    matrix = np.stack([found[image] for image in kept])
    clusterer = cast("Clusterer", grouping.component)
    clusterer.open()
    try:
        given = np.asarray(clusterer.fit_predict(matrix, k, seed))
    finally:
        clusterer.close()
    _check(grouping.label, given, len(kept), k)
    lookup = dict(zip(kept, given.tolist(), strict=True))
    for place, image in enumerate(layout.image_of.tolist()):
        if image in lookup:
            labels[place] = lookup[image]
    session.emit(
        StageFinished(STAGE, f"{len(kept):,} images in {len(set(lookup.values()))} clusters")
    )
    return labels


def _vectors(
    session: Session, seeing: ConfiguredComponent, images: NDArray[np.int64]
) -> dict[int, NDArray[np.float32]]:
    component = session.component_id(seeing.fingerprint)
    with session.store.reading() as connection:
        rows = scores.embeddings(connection, component, images.tolist())
        return {image: vector for image, vector in rows if not isinstance(vector, str)}


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
    layout: _ImageAssignment,
    *,
    reused: bool,
) -> ClusterResult:
    with session.store.reading() as connection:
        labels = clusters.labels(connection, clustering_id, layout.sample_ids)
    values, counts = np.unique(labels[labels >= 0], return_counts=True)
    text_only = int((layout.image_of == -1).sum())
    if text_only:
        session.notice(f"{text_only:,} text-only samples form cluster {k}, of their own")
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
