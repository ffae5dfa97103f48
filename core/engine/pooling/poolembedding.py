"""Lets pool embedders see a whole data set, and keeps the vectors that they give."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Protocol

import numpy as np

from ig4.core.contracts import Groups, Needs, Pool, PoolEmbedder
from ig4.core.engine.pooling.storedsamples import StoredSamples
from ig4.core.engine.pooling.unscored import UnscoredPoolData
from ig4.core.engine.pooling.vectorfiles import kept_vectors, read_array
from ig4.core.errors import PluginError, UsageError
from ig4.core.events import StageFinished, StageStarted
from ig4.core.host.fingerprint import digest_of
from ig4.core.host.watch import open_named
from ig4.storage import datasets, samples

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from ig4.core.engine.session import Session
    from ig4.core.records import JSON, Choice, Sample
    from ig4.storage.datasets import DatasetRow


class FoundSpace(Protocol):
    """Vectors of a space that a pool embedder reads, and the digest of what they depend on."""

    @property
    def digest(self) -> str:
        """What they depend on."""

    def matrix(self) -> NDArray[np.float32]:
        """The vector (n, d) of each sample; NaN where it has none."""


FindSpace = Callable[[str, "NDArray[np.int64]", "NDArray[np.int64]"], FoundSpace]
"""Returns the vectors of a space for sample ids and contents (n,)."""


def pool_vectors(
    session: Session, dataset: DatasetRow, choice: Choice, find: FindSpace
) -> tuple[NDArray[np.float32], NDArray[np.int64], str]:
    """Return the vectors (n, d) that a pool embedder gives all samples of a data set.

    Also the samples' ids (n,), and a digest of all that the vectors depend on. They are kept in a
    file, and computed again only when the embedder or a sample has changed.

    Raises:
        UsageError: it needs what a pool of samples alone has not, or cannot work on this pool.
        PluginError: it returns anything but (n, d) float32.
    """
    place = _place(session, dataset, choice, find)

    def compute() -> NDArray[np.float32]:
        embedder = session.configured(choice).component  # now it must be able to run
        assert isinstance(embedder, PoolEmbedder)
        data, needs = place.data, embedder.needs()
        stage = f"{choice.label} vectors"
        session.emit(StageStarted(stage, None))
        open_named(embedder, choice.label)
        try:
            pool = Pool(data, size=data.n, seed=0, needs=needs, reader=f"embedder {choice.label}")
            vectors = embedder.embed_pool(pool)
        finally:
            embedder.close()
        _check(choice.label, vectors, data.n)
        session.emit(StageFinished(stage, f"{data.n:,} x {vectors.shape[1]:,}"))
        return vectors

    sample_ids = place.data.sample_ids
    return kept_vectors(place.path, len(sample_ids), compute), sample_ids, place.digest


def has_pool_vectors(
    session: Session, dataset: DatasetRow, choice: Choice, find: FindSpace
) -> bool:
    """Tell whether `pool_vectors` would compute nothing."""
    place = _place(session, dataset, choice, find)
    return read_array(place.path, place.data.n, np.float32) is not None


@dataclass(frozen=True)
class _Place:
    """The file of a pool embedder's vectors, the samples they are of, and their digest."""

    data: _DatasetPoolData
    path: Path
    digest: str


def _place(session: Session, dataset: DatasetRow, choice: Choice, find: FindSpace) -> _Place:
    configured = session.configured(choice, runnable=False)
    assert isinstance(configured.component, PoolEmbedder)
    needs = configured.component.needs()
    _check_needs(choice.label, needs)
    with session.store.reading() as connection:
        sample_ids, contents = samples.ordered_ids(connection, dataset.id)
    if not len(sample_ids):
        raise UsageError(f"{dataset.name} has no samples to embed")
    found = {space: find(space, sample_ids, contents) for space in needs.all_spaces}
    data = _DatasetPoolData(session, sample_ids, {k: v.matrix() for k, v in found.items()})
    inputs = [
        configured.fingerprint.value,
        needs.to_dict(),
        _digest_of_contents(session, contents),
        _digest_of_meta(data) if needs.meta else None,
        {space: one.digest for space, one in found.items()},
    ]
    digest = digest_of(inputs)
    name = f"{configured.fingerprint.value}-{digest}.npy"
    return _Place(data, session.store.vector_folder / name, digest)


def _check_needs(label: str, needs: Needs) -> None:
    known = Needs(samples=True, meta=True, spaces=needs.all_spaces) | needs
    if known != Needs(samples=True, meta=True, spaces=needs.all_spaces):
        raise PluginError(
            f"embedder {label} needs more than samples, meta and spaces, which is all that a pool "
            "has before it is scored"
        )


def _check(label: str, vectors: object, n: int) -> None:
    good = isinstance(vectors, np.ndarray) and vectors.ndim == 2 and len(vectors) == n
    if not good or vectors.dtype != np.float32 or not vectors.shape[1]:  # type: ignore[attr-defined]
        shape = getattr(vectors, "shape", type(vectors).__name__)
        kind = getattr(vectors, "dtype", "")
        raise PluginError(
            f"embedder {label} returned {kind} of shape {shape}: it must return float32 of shape "
            f"({n}, d)"
        )


def _digest_of_contents(session: Session, contents: NDArray[np.int64]) -> str:
    with session.store.reading() as connection:
        hashes = datasets.joined_hashes(connection, contents)
    return hashlib.sha256(hashes.encode()).hexdigest()


def _digest_of_meta(data: _DatasetPoolData) -> str:
    digest = hashlib.sha256()
    for meta in data.meta:
        digest.update(digest_of(dict(meta)).encode())
    return digest.hexdigest()


@dataclass(frozen=True)
class _DatasetPoolData(UnscoredPoolData):
    """A `PoolData` of all samples of a data set, before any of them is scored."""

    reader: ClassVar[str] = "an embedder"
    session: Session
    sample_ids: NDArray[np.int64]
    spaces: Mapping[str, NDArray[np.float32]]

    @property
    def n(self) -> int:
        """How many samples there are."""
        return len(self.sample_ids)

    @property
    def contents(self) -> NDArray[np.int64]:
        """A number for each sample: an embedder does not ask which contents are equal."""
        return np.arange(self.n)

    def vectors(self, space: str) -> NDArray[np.float32] | None:
        """Return the vectors of a space, NaN where a sample has none."""
        return self.spaces.get(space)

    def groups(self, name: str) -> Groups:
        """Return no groups."""
        raise UsageError(f"{name}: an embedder sees no groups")

    @property
    def clusters(self) -> NDArray[np.int64]:
        """One cluster."""
        return np.zeros(self.n, dtype=np.int64)

    @cached_property
    def samples(self) -> Sequence[Sample]:
        """The samples, read as they are asked for."""
        return StoredSamples(self.session.store, self.sample_ids)

    @cached_property
    def meta(self) -> Sequence[Mapping[str, JSON]]:
        """What the data set tells of them."""
        return [sample.meta for sample in self.samples]
