"""The one place where vectors come from: a space by its name, for samples of a data set.

A space is an embedder's vectors of what it reads of each sample, a pool embedder's of all samples
together, or imported vectors; several are joined with weights.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

import numpy as np

from ig4.core.contracts import Embedder, PoolEmbedder
from ig4.core.contracts.pool import normalised
from ig4.core.counts import counted, verb
from ig4.core.engine.pooling.poolembedding import pool_vectors
from ig4.core.engine.pooling.spacenames import space_parts
from ig4.core.engine.pooling.vectorfiles import (
    Blocks,
    assembled,
    stacked,
)
from ig4.core.engine.scoring.inputs import contained, text_digests
from ig4.core.errors import UsageError
from ig4.core.host.fingerprint import digest_of
from ig4.core.host.recording import RecordedOptions
from ig4.core.records import Choice
from ig4.storage import datasets, samples, scores, spaces
from ig4.storage.vectors import reading

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ig4.core.contracts.embedder import Reads
    from ig4.core.engine.scoring.inputs import Keys
    from ig4.core.engine.session import ConfiguredComponent, Session
    from ig4.storage.datasets import DatasetRow
    from ig4.storage.spaces import SpaceRow

_BLOCK = 8192


@dataclass(frozen=True, slots=True)
class SpaceVectors:
    """The vectors of a space, each once, and which of them each of n samples has.

    `vectors` (m, d) float32 are as the embedder gave them, and may be memory-mapped. `row_of` (n,)
    int64 is the row of each sample, -1 where it has none. `digest` is of all that they depend on.
    """

    name: str
    vectors: NDArray[np.float32]
    row_of: NDArray[np.int64]
    digest: str

    def take(self, places: NDArray[np.int64]) -> SpaceVectors:
        """Return the same space for some of the samples."""
        kept = np.ascontiguousarray(self.row_of[places])
        digest = digest_of([self.digest, hashlib.sha256(kept.tobytes()).hexdigest()])
        return replace(self, row_of=kept, digest=digest)

    def matrix(self, missing: float = np.nan) -> NDArray[np.float32]:
        """Return the vector (n, d) of each sample, in memory; `missing` where it has none."""
        shape = len(self.row_of), self.vectors.shape[1]
        found = np.full(shape, missing, dtype=np.float32)
        known = self.row_of >= 0
        found[known] = self.vectors[self.row_of[known]]
        return found

    @property
    def is_in_order(self) -> bool:
        """Whether each sample has the row of its own place."""
        n = len(self.row_of)
        return n == len(self.vectors) and np.array_equal(self.row_of, np.arange(n))


def space_vectors(
    session: Session,
    dataset: DatasetRow,
    space: str,
    choices: Mapping[str, Choice],
    sample_ids: NDArray[np.int64],
    contents: NDArray[np.int64],
) -> SpaceVectors | None:
    """Return the vectors of a space for samples of a data set, given as ids and contents (n,).

    `space` is a name ("clip"), or names joined with weights ("clip=0.7,text=0.3"): each part is
    divided by its length and scaled by the square root of its weight, so that the cosine of
    joined vectors is the weighted mean of the parts' cosines. A sample without one of the parts
    has no joined vector. An image space takes a sample's first image.

    A name stands for imported vectors; else for the embedder of `choices`, where that has options
    or another component; else for what the data set has recorded; else for the embedder of that
    name. A pool embedder computes what it has not yet.

    None if nothing of the space, or of one of its parts, was ever computed or imported.

    Raises:
        UsageError: the name is malformed, or some inputs were not embedded yet; names the command.
    """
    parts = space_parts(space)
    source = _Source(session, dataset, choices, sample_ids, contents)
    found = []
    for name in parts:
        part = source.part(name)
        if part is None:
            return None
        found.append(part)
    if len(found) == 1:
        return found[0]
    return _joined(session, space, found, list(parts.values()))


def image_vectors(
    session: Session,
    dataset: DatasetRow,
    embedder: ConfiguredComponent,
    sample_ids: NDArray[np.int64],
    contents: NDArray[np.int64],
) -> SpaceVectors | None:
    """Return the vectors of an embedder of images, of the first image of each sample.

    They stand in the order in which their images first appear. None if it has seen no image.

    Raises:
        UsageError: some images were not embedded yet.
    """
    component = session.component_id(embedder.fingerprint)
    source = _Source(session, dataset, {}, sample_ids, contents)
    return source.of_inputs(embedder.label, component, embedder.fingerprint.value, "image")


def require_space(
    session: Session,
    dataset: DatasetRow,
    space: str,
    choices: Mapping[str, Choice],
    sample_ids: NDArray[np.int64],
    contents: NDArray[np.int64],
) -> SpaceVectors:
    """Return the vectors of a space as `space_vectors` does, which must be there.

    Raises:
        UsageError: they are not; names the command that makes them.
    """
    found = space_vectors(session, dataset, space, choices, sample_ids, contents)
    if found is not None:
        return found
    for name in space_parts(space):
        if space_vectors(session, dataset, name, choices, sample_ids, contents) is None:
            raise UsageError(missing_space(session, dataset, name, choices))
    raise AssertionError(space)


def has_no_images(
    session: Session,
    dataset: DatasetRow,
    space: str,
    choices: Mapping[str, Choice],
    sample_ids: NDArray[np.int64],
    contents: NDArray[np.int64],
) -> bool:
    """Tell whether a part of a space is made of images, of which no sample has any.

    Nobody can make such a space, so there is no command to name.
    """
    source = _Source(session, dataset, choices, sample_ids, contents)
    return any(source.lacks_images(name) for name in space_parts(space))


def without_image(
    session: Session,
    dataset: DatasetRow,
    space: str,
    choices: Mapping[str, Choice],
    sample_ids: NDArray[np.int64],
    contents: NDArray[np.int64],
) -> NDArray[np.bool_]:
    """Return which samples (n,) name no image, though a part of a space is made of images."""
    source = _Source(session, dataset, choices, sample_ids, contents)
    if not any(map(source.reads_images, space_parts(space))):
        return np.zeros(len(sample_ids), dtype=bool)
    with session.store.reading() as connection:
        return ~np.isin(sample_ids, samples.ids_with_images(connection, dataset.id))


def count_failed(
    session: Session,
    dataset: DatasetRow,
    name: str,
    configured: ConfiguredComponent,
    sample_ids: NDArray[np.int64],
    contents: NDArray[np.int64],
) -> int:
    """Return how many samples have no vector of an embedder because theirs could not be made."""
    source = _Source(session, dataset, {}, sample_ids, contents)
    if isinstance(configured.component, PoolEmbedder):
        found = source.part(name)
        return 0 if found is None else int((found.row_of < 0).sum())
    assert isinstance(configured.component, Embedder)
    reads = configured.component.reads
    keys, has_key = source.keys(reads)
    tried, good = source.results(reads, session.component_id(configured.fingerprint))
    failed = np.sort(np.setdiff1d(tried, good, assume_unique=True))
    return int(contained(keys[has_key], failed).sum())


def missing_space(
    session: Session, dataset: DatasetRow, name: str, choices: Mapping[str, Choice]
) -> str:
    """Return what to do about a space that is not there."""
    known = {one.component.name for one in session.host.components("embedder")}
    use = choices[name].use if name in choices else name
    if use.rpartition("/")[2] in known:
        return (
            f"{dataset.name} has no vectors of the space {name} yet: run "
            f"`ig4 score --spaces {name}`"
        )
    embedder, _, reads = name.rpartition("-")
    if embedder in known and reads in ("instruction", "answer"):
        return (
            f"{dataset.name} has no space {name}, the vectors of its {reads}s by {embedder}, yet: "
            f"run `ig4 score --spaces {name} -o {name}.use={embedder} -o {name}.reads={reads}`, or "
            f'name it in ig4.toml: [embedders.{name}] with use = "{embedder}" and '
            f'reads = "{reads}"'
        )
    with session.store.reading() as connection:
        own = {row.name for row in spaces.list_all(connection, dataset.id)}
    names = ", ".join(sorted(known | own))
    return (
        f"{dataset.name} has no space {name}, and no embedder is called so (spaces: {names}); "
        f"`ig4 import-vectors FILE --as {name}` imports vectors"
    )


def space_choice(name: str, row: SpaceRow | None, choices: Mapping[str, Choice]) -> Choice:
    """Return the embedder of a space: as configured, else as recorded, else the one of its name."""
    given = choices.get(name)
    if row is None or (given is not None and (given.options or given.use != name)):
        return given or Choice("embedder", name)
    kept = RecordedOptions.from_dict(row.options)
    options = {} if kept is None else dict(kept.values)
    return Choice("embedder", f"{row.distribution}/{row.component}", options, name)


@dataclass(frozen=True, slots=True)
class _Source:
    """Where the parts of a space come from."""

    session: Session
    dataset: DatasetRow
    choices: Mapping[str, Choice]
    sample_ids: NDArray[np.int64]
    contents: NDArray[np.int64]

    def part(self, name: str) -> SpaceVectors | None:
        """Return the vectors of one space."""
        with self.session.store.reading() as connection:
            row = spaces.find(connection, self.dataset.id, name)
        if row is not None and row.imported:
            return self.of_inputs(name, row.component_id, row.fingerprint, None)
        choice = space_choice(name, row, self.choices)
        try:
            one = self.session.configured(choice, runnable=False)
        except UsageError:
            if name in self.choices or row is not None:
                raise
            return None
        if isinstance(one.component, PoolEmbedder):
            return self._of_pool(name, choice)
        assert isinstance(one.component, Embedder)
        recorded = row is not None and choice is not self.choices.get(name)
        fingerprint = row.fingerprint if recorded and row is not None else one.fingerprint.value
        with self.session.store.reading() as connection:
            component = spaces.component_of(connection, fingerprint)
        if component is None:
            return None
        return self.of_inputs(name, component, fingerprint, one.component.reads)

    def lacks_images(self, name: str) -> bool:
        """Tell whether the embedder of a space reads images, of which no sample has any."""
        return self.reads_images(name) and not self.keys("image")[1].any()

    def reads_images(self, name: str) -> bool:
        """Tell whether the vectors of a space are made of images; of imported ones nobody knows."""
        with self.session.store.reading() as connection:
            row = spaces.find(connection, self.dataset.id, name)
        if row is not None and row.imported:
            return False
        choice = space_choice(name, row, self.choices)
        component = self.session.configured(choice, runnable=False).component
        if isinstance(component, PoolEmbedder):
            return any(
                self.reads_images(part)
                for space in component.needs().all_spaces
                for part in space_parts(space)
            )
        return isinstance(component, Embedder) and component.reads == "image"

    def _of_pool(self, name: str, choice: Choice) -> SpaceVectors:
        vectors, all_ids, digest = pool_vectors(
            self.session, self.dataset, choice, self._whole_pool_vectors
        )
        order = np.argsort(all_ids, kind="stable")
        row_of = order[np.searchsorted(all_ids[order], self.sample_ids)].astype(np.int64)
        row_of[np.isnan(vectors[:, 0])[row_of]] = -1  # a row without a vector is NaN throughout
        return self._named(name, vectors, row_of, digest)

    def _whole_pool_vectors(
        self, space: str, sample_ids: NDArray[np.int64], contents: NDArray[np.int64]
    ) -> SpaceVectors:
        return require_space(self.session, self.dataset, space, self.choices, sample_ids, contents)

    def of_inputs(
        self, name: str, component: int, fingerprint: str, reads: Reads | None
    ) -> SpaceVectors | None:
        """Return stored vectors: of images, of texts, or (None) imported ones of contents."""
        keys, has_key = self.keys(reads)
        tried, good = self.results(reads, component)
        if not len(tried):
            return None
        if reads is not None:
            self._check_all_tried(name, reads, keys[has_key], tried)
        distinct, first, place = np.unique(keys[has_key], return_index=True, return_inverse=True)
        usable = contained(distinct, good)
        by_place = np.flatnonzero(usable)[np.argsort(first[usable], kind="stable")]
        rank = np.full(len(distinct), -1, dtype=np.int64)
        rank[by_place] = np.arange(len(by_place))
        row_of = np.full(len(keys), -1, dtype=np.int64)
        row_of[has_key] = rank[place]
        return self._stored(name, component, fingerprint, reads, distinct[by_place], row_of)

    def results(self, reads: Reads | None, component: int) -> tuple[Keys, Keys]:
        """Return which inputs an embedder has seen, and which of them have a vector, ascending."""
        with self.session.store.reading() as connection:
            if reads != "image":
                tried = spaces.embedded(connection, component)
                return tried, spaces.embedded(connection, component, failed=False)
            seen = scores.embedded_ids(connection, component)
            good = scores.embedded_ids(connection, component, include_failed=False)
        return seen, good

    def keys(self, reads: Reads | None) -> tuple[Keys, NDArray[np.bool_]]:
        """Return what the store knows the input of each sample by, and which samples have one."""
        with self.session.store.reading() as connection:
            if reads is None:
                hashes = content_digests(self.session, self.contents)
                return hashes, np.ones(len(hashes), dtype=bool)
            if reads != "image":
                digests = text_digests(connection, self.sample_ids, reads)
                return digests, np.ones(len(digests), dtype=bool)
            showing, images = samples.image_pairs(connection, self.dataset.id, first_only=True)
        order = np.argsort(showing, kind="stable")
        showing, images = showing[order], images[order]
        has_image = contained(self.sample_ids, showing)
        image_of = np.full(len(self.sample_ids), -1, dtype=np.int64)
        image_of[has_image] = images[np.searchsorted(showing, self.sample_ids[has_image])]
        return image_of, has_image

    def _check_all_tried(self, name: str, reads: Reads, keys: Keys, tried: Keys) -> None:
        missing = int((~contained(keys, tried)).sum())
        if missing:
            what = "image" if reads == "image" else "text"
            raise UsageError(
                f"{counted(missing, 'sample')} of {self.dataset.name} "
                f"{verb(missing, 'has', 'have')} a first {what} that was not embedded in the space "
                f"{name} yet: run `ig4 score --spaces {name}`".replace("a first text", "a text")
            )

    def _stored(
        self,
        name: str,
        component: int,
        fingerprint: str,
        reads: Reads | None,
        keys: Keys,
        row_of: NDArray[np.int64],
    ) -> SpaceVectors:
        print_ = self._digest_of(reads, keys)
        digest = digest_of([fingerprint, print_])
        path = self.session.store.vector_folder / f"{digest}.npy"
        vectors = assembled(
            path, len(keys), lambda: self._blocks(f"space {name}", component, reads, keys)
        )
        return self._named(name, vectors, row_of, digest)

    def _named(
        self, name: str, vectors: NDArray[np.float32], row_of: NDArray[np.int64], digest: str
    ) -> SpaceVectors:
        rows = hashlib.sha256(row_of.tobytes()).hexdigest()
        return SpaceVectors(name, vectors, row_of, digest_of([digest, rows]))

    def _digest_of(self, reads: Reads | None, keys: Keys) -> str:
        if reads != "image":
            return hashlib.sha256(keys.tobytes()).hexdigest()
        ids = keys.tolist()
        with self.session.store.reading() as connection:
            known = spaces.image_digests(connection, ids)
        return hashlib.sha256("".join(known[one] for one in ids).encode()).hexdigest()

    def _blocks(self, what: str, component: int, reads: Reads | None, keys: Keys) -> Blocks:
        width = None
        order = np.argsort(keys, kind="stable")  # as they stand in files, where they lie in some
        for start in range(0, len(keys), _BLOCK):
            places = order[start : start + _BLOCK]
            part = keys[places]
            row_of: Mapping[object, int] = {
                one if reads == "image" else one.tobytes(): row
                for row, one in enumerate(part.tolist() if reads == "image" else part)
            }
            found = [
                (row_of[key], vector)
                for key, vector in self._vectors(component, reads, part)
                if not isinstance(vector, str)
            ]
            vectors = stacked([vector for _, vector in found], width, what)
            width = vectors.shape[1]
            yield places[[row for row, _ in found]], vectors

    def _vectors(
        self, component: int, reads: Reads | None, part: Keys
    ) -> Iterator[tuple[object, NDArray[np.float32] | str]]:
        folder = self.session.store.vectors
        with self.session.store.reading() as connection:
            if reads == "image":
                yield from reading.of_images(connection, folder, component, part.tolist())
            else:
                digests = cast("NDArray[np.void]", part)
                yield from reading.of_inputs(connection, folder, component, digests)


def content_digests(session: Session, contents: NDArray[np.int64]) -> Keys:
    """Return the hash (n,) of contents, by which imported vectors are known."""
    with session.store.reading() as connection:
        hashes = datasets.joined_hashes(connection, contents)
    return np.frombuffer(bytes.fromhex(hashes), dtype=spaces.DIGEST)


def _joined(
    session: Session, name: str, parts: list[SpaceVectors], weights: list[float]
) -> SpaceVectors:
    """Join spaces; samples whose vectors are equal in each of them share a row."""
    rows = np.stack([part.row_of for part in parts], axis=1)
    whole = (rows >= 0).all(axis=1)
    distinct, first, place = np.unique(rows[whole], axis=0, return_index=True, return_inverse=True)
    by_place = np.argsort(first, kind="stable")
    rank = np.empty(len(distinct), dtype=np.int64)
    rank[by_place] = np.arange(len(distinct))
    row_of = np.full(len(rows), -1, dtype=np.int64)
    row_of[whole] = rank[place.reshape(-1)]
    combined = distinct[by_place].reshape(-1, len(parts))

    def blocks() -> Blocks:
        for start in range(0, len(combined), _BLOCK):
            part_rows = combined[start : start + _BLOCK]
            scaled = [
                normalised(np.asarray(part.vectors[part_rows[:, n]])) * np.float32(weight**0.5)
                for n, (part, weight) in enumerate(zip(parts, weights, strict=True))
            ]
            yield np.arange(start, start + len(part_rows)), np.concatenate(scaled, axis=1)

    digest = digest_of([[part.digest for part in parts], weights])
    path = session.store.vector_folder / f"{digest}.npy"
    vectors = assembled(path, len(combined), blocks)
    return SpaceVectors(name, vectors, row_of, digest)


__all__ = [
    "SpaceVectors",
    "content_digests",
    "count_failed",
    "image_vectors",
    "missing_space",
    "require_space",
    "space_choice",
    "space_vectors",
]
