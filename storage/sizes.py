"""Statements on how large things are: images, and the vectors of an embedder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy import func, select

from ig4.storage.arrays import integers
from ig4.storage.membership import among, owners
from ig4.storage.schema import (
    Component,
    Embedding,
    Image,
    ImageFile,
    InputEmbedding,
    VectorFile,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from sqlalchemy import Connection


def image_sizes(
    connection: Connection, dataset_id: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the ids (n,) of the distinct readable images of a data set, and their bytes (n,)."""
    mine = among(ImageFile.dataset_id, owners(connection, dataset_id))
    shown = select(ImageFile.image_id).where(mine, ImageFile.image_id.is_not(None))
    statement = select(Image.id, Image.bytes).where(Image.id.in_(shown)).order_by(Image.id)
    pairs = integers(connection, statement).reshape(-1, 2)
    return np.ascontiguousarray(pairs[:, 0]), np.ascontiguousarray(pairs[:, 1])


def vector_bytes(connection: Connection, fingerprint: str) -> int | None:
    """Return how many bytes a vector of an embedder has; None if there is none yet."""
    component = select(Component.id).where(Component.fingerprint == fingerprint).scalar_subquery()
    for model in (Embedding, InputEmbedding):
        table: Any = model
        found = connection.scalar(
            select(func.length(table.vector))
            .where(table.component_id == component, table.vector.is_not(None))
            .where(table.file_id.is_(None))
            .limit(1)
        )
        if found is not None:
            return int(found)
    known = VectorFile.dimensions
    dimensions = connection.scalar(select(known).where(VectorFile.component_id == component))
    return None if dimensions is None else 4 * int(dimensions)
