"""Statements on spaces: vectors of texts and imported ones, and what the names of spaces mean."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy import delete, func, select

from ig4.storage.arrays import records
from ig4.storage.bulk import in_values, put_rows, upsert
from ig4.storage.integrity.checksums import of_input
from ig4.storage.integrity.seals import seal
from ig4.storage.membership import differing_names, known_names, members
from ig4.storage.schema import Component, DatasetSpace, Embedding, Image, InputEmbedding, Sample

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from sqlalchemy import Connection

DIGEST = np.dtype("V16")
"""How arrays hold digests of inputs: 16 bytes each; they sort, and compare, as bytes."""

_CHUNK = 500  # parameters of one IN
_TEXTS = 10_000


@dataclass(frozen=True, slots=True)
class SpaceRow:
    """What a space's plain name stands for in a data set; `options` as they were recorded."""

    name: str
    component_id: int
    imported: bool
    options: Mapping[str, Any] | None
    component: str
    distribution: str
    identity: Mapping[str, Any]
    fingerprint: str


def bind(
    connection: Connection,
    dataset_id: int,
    name: str,
    component: int,
    *,
    imported: bool = False,
    options: Mapping[str, Any] | None = None,
) -> None:
    """Let a space's plain name stand for an embedder, or for imported vectors, in a data set."""
    values = {
        "dataset_id": dataset_id,
        "name": name,
        "component_id": component,
        "imported": imported,
        "options": None if options is None else dict(options),
    }
    updated = ["component_id", "imported", "options"]
    connection.execute(
        upsert(connection, DatasetSpace, ["dataset_id", "name"], update=updated).values(values)
    )
    seal(connection, DatasetSpace, DatasetSpace.dataset_id == dataset_id, DatasetSpace.name == name)


def list_all(connection: Connection, dataset_id: int) -> list[SpaceRow]:
    """Return the spaces of a data set, by name.

    A mixture has its own, and those that stand for one component in all of its members.
    """
    own = _own(connection, dataset_id)
    parts = members(connection, dataset_id)
    return known_names(own, [_own(connection, part.id) for part in parts]) if parts else own


def differing(connection: Connection, mixture_id: int) -> list[str]:
    """Return the names that stand for different spaces in members, and for none in a mixture."""
    parts = [_own(connection, part.id) for part in members(connection, mixture_id)]
    return differing_names(_own(connection, mixture_id), parts)


def _own(connection: Connection, dataset_id: int) -> list[SpaceRow]:
    statement = (
        select(
            DatasetSpace.name, DatasetSpace.component_id, DatasetSpace.imported,
            DatasetSpace.options, Component.name, Component.distribution, Component.options,
            Component.fingerprint,
        )
        .join(Component, Component.id == DatasetSpace.component_id)
        .where(DatasetSpace.dataset_id == dataset_id)
        .order_by(DatasetSpace.name)
    )  # fmt: skip
    return [SpaceRow(*row) for row in connection.execute(statement)]


def find(connection: Connection, dataset_id: int, name: str) -> SpaceRow | None:
    """Return what a name stands for in a data set, None if it has no such space."""
    return next((row for row in list_all(connection, dataset_id) if row.name == name), None)


def component_of(connection: Connection, fingerprint: str) -> int | None:
    """Return the id of the component with a fingerprint, None if none was ever recorded."""
    return connection.scalar(select(Component.id).where(Component.fingerprint == fingerprint))


def texts(
    connection: Connection, ids: Sequence[int] | NDArray[np.int64]
) -> Iterator[tuple[str, str]]:
    """Yield (instruction, answer) of samples, in the order of `ids`."""
    for start in range(0, len(ids), _TEXTS):
        part = [int(value) for value in ids[start : start + _TEXTS]]
        found = {
            sample: (instruction, answer)
            for sample, instruction, answer in connection.execute(
                select(Sample.id, Sample.instruction, Sample.answer).where(
                    in_values(connection, Sample.id, part)
                )
            )
        }
        yield from (found[one] for one in part)


def put(
    connection: Connection,
    component_id: int,
    run_id: int | None,
    rows: Iterable[tuple[bytes, NDArray[np.float32] | str]],
) -> None:
    """Store (digest, vector (d,) float32 or the error) rows of an embedder."""
    stored = []
    # In one order everywhere, so that no two processes wait for each other's rows.
    for digest, vector in sorted(rows, key=itemgetter(0)):
        data = None if isinstance(vector, str) else vector.astype("<f4").tobytes()
        error = vector if isinstance(vector, str) else None
        crc = of_input(component_id, digest, data, error)
        stored.append((component_id, digest, data, error, run_id, crc, None, None))
    key = ["component_id", "digest"]
    updated = ["vector", "error", "run_id", "crc", "file_id", "file_row"]
    put_rows(connection, InputEmbedding, [*key, *updated], stored, key=key, update=updated)


def embedded(
    connection: Connection, component_id: int, *, failed: bool | None = None
) -> NDArray[np.void]:
    """Return the digests (n,) that a component has results for, ascending.

    With `failed`, only those that failed, or only those that did not.
    """
    statement = select(InputEmbedding.digest).where(InputEmbedding.component_id == component_id)
    if failed is not None:
        error = InputEmbedding.error
        statement = statement.where(error.is_not(None) if failed else error.is_(None))
    found: NDArray[np.void] = records(connection, statement, DIGEST)
    found.sort()
    return found


def embedded_among(
    connection: Connection, component_id: int, digests: NDArray[np.void]
) -> NDArray[np.void]:
    """Return those of a few digests (n,) that a component has results for, ascending."""
    found: list[bytes] = []
    for start in range(0, len(digests), _CHUNK):
        part = [one.tobytes() for one in digests[start : start + _CHUNK]]
        found += connection.scalars(
            select(InputEmbedding.digest).where(
                InputEmbedding.component_id == component_id, InputEmbedding.digest.in_(part)
            )
        )
    return np.sort(np.frombuffer(b"".join(found), dtype=DIGEST))


def delete_failures(
    connection: Connection, component_id: int, digests: NDArray[np.void]
) -> NDArray[np.void]:
    """Delete the errors of a component among `digests`; returns those that it had."""
    failed = np.intersect1d(embedded(connection, component_id, failed=True), digests)
    for start in range(0, len(failed), _CHUNK):
        part = [one.tobytes() for one in failed[start : start + _CHUNK]]
        connection.execute(
            delete(InputEmbedding).where(
                InputEmbedding.component_id == component_id, InputEmbedding.digest.in_(part)
            )
        )
    return failed


def has_any(connection: Connection, component_id: int) -> bool:
    """Tell whether a component has any result, for texts or for images."""
    return any(
        connection.scalar(
            select(func.count())
            .select_from(select(table.component_id).where(table.component_id == component_id)
                         .limit(1).subquery())
        )
        for table in (InputEmbedding, Embedding)
    )  # fmt: skip


def image_digests(connection: Connection, images: Sequence[int]) -> dict[int, str]:
    """Return the sha256 of images by their ids."""
    result: dict[int, str] = {}
    for start in range(0, len(images), _TEXTS):
        part = [int(value) for value in images[start : start + _TEXTS]]
        rows = connection.execute(
            select(Image.id, Image.sha256).where(in_values(connection, Image.id, part))
        )
        result.update((number, digest) for number, digest in rows)
    return result
