"""Tells which run has stored what, so that a process knows its own work again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, func, select

from ig4.storage.bulk import in_values
from ig4.storage.schema import Embedding, InputEmbedding, Score

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection
    from sqlalchemy.orm import InstrumentedAttribute


def has_scores(
    connection: Connection, component_id: int, run_id: int, contents: Sequence[int]
) -> bool:
    """Tell whether a run has stored what a scorer says of all these contents."""
    return _has(connection, Score.content_id, _of(Score, component_id, run_id), contents)


def has_embeddings(
    connection: Connection, component_id: int, run_id: int, images: Sequence[int]
) -> bool:
    """Tell whether a run has stored the vectors of all these images, or why there are none."""
    return _has(connection, Embedding.image_id, _of(Embedding, component_id, run_id), images)


def has_input_embeddings(
    connection: Connection, component_id: int, run_id: int, digests: Sequence[bytes]
) -> bool:
    """Tell whether a run has stored the vectors of all these digests, or why there are none."""
    own = _of(InputEmbedding, component_id, run_id)
    column = InputEmbedding.digest
    statement = select(func.count()).where(own, column.in_(list(digests)))
    return connection.scalar(statement) == len(set(digests))


def _of(model: Any, component_id: int, run_id: int) -> ColumnElement[bool]:
    return and_(model.component_id == component_id, model.run_id == run_id)


def _has(
    connection: Connection,
    column: InstrumentedAttribute[Any],
    own: ColumnElement[bool],
    keys: Sequence[int],
) -> bool:
    statement = select(func.count()).where(own, in_values(connection, column, keys))
    return connection.scalar(statement) == len(set(keys))
