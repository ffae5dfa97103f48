"""Repairs a score database: deletes what is damaged and can be made again."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, select, update

from ig4.storage.admin import existing_url
from ig4.storage.bulk import in_values
from ig4.storage.connect import connect, transaction
from ig4.storage.errors import StorageError
from ig4.storage.integrity.check import Damage, check_embeddings, check_inputs
from ig4.storage.integrity.sealedrows import SEALED
from ig4.storage.integrity.seals import resealed
from ig4.storage.schema import (
    AblationCell,
    Dataset,
    Embedding,
    InputEmbedding,
    Score,
    Selection,
    Training,
    VectorFile,
)
from ig4.storage.vectors.exclusion import moves_now
from ig4.storage.vectors.folder import VectorFolder

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection

_DIGEST_BYTES = 16


def repair_damage(location: str | Path, damage: Sequence[Damage]) -> int:
    """Delete what is damaged and can be made again, and let damaged data sets be read again.

    What was paid for, or trained, stays as it is.

    Returns how many results and samples that concerns.

    Vectors in files are looked at once more: another process may have moved them meanwhile.

    Raises:
        StorageError: the database cannot be written, or another process moves its vectors now.
    """
    url = existing_url(location)
    engine = connect(url)
    tables: dict[str, tuple[Any, Any]] = {
        "scores": (Score, Score.content_id),
        "embeddings": (Embedding, Embedding.image_id),
        "input_embeddings": (InputEmbedding, InputEmbedding.digest),
    }
    count = 0
    try:
        with transaction(engine, writes=False) as connection:
            damage, files = _still_damaged(connection, url, damage)
        with transaction(engine, writes=True) as connection:
            _require_unmoved(connection, files)
            for one in damage:
                if one.table == "samples":
                    owners = {row[0] for row in one.rows}
                    connection.execute(
                        update(Dataset).where(Dataset.id.in_(owners)).values(source_state=None)
                    )
                    count += len(one.rows)
                    continue
                if one.table not in tables:
                    count += _delete_owners(connection, one)
                    continue
                for component in {row[0] for row in one.rows}:
                    table, column = tables[one.table]
                    keys = [row[1] for row in one.rows if row[0] == component]
                    count += len(keys)
                    if table is InputEmbedding:
                        _delete_inputs(connection, component, keys)
                        continue
                    condition = in_values(connection, column, keys)
                    connection.execute(
                        delete(table).where(table.component_id == component, condition)
                    )
    finally:
        engine.dispose()
    return count


def _still_damaged(
    connection: Connection, url: URL, damage: Sequence[Damage]
) -> tuple[Sequence[Damage], set[str] | None]:
    """Return what is damaged still, as far as vectors are concerned that may lie in files.

    Also returns the names of all files; None if that does not matter.

    Raises:
        StorageError: another process moves vectors now.
    """
    checks = {"embeddings": check_embeddings, "input_embeddings": check_inputs}
    told = {
        table: {r for one in damage if one.table == table for r in one.rows} for table in checks
    }
    names = set(connection.scalars(select(VectorFile.name)))
    if not names or not any(told.values()):
        return damage, None
    _require_unmoved(connection, names)
    kept = [one for one in damage if one.table not in checks]
    with closing(VectorFolder(url)) as folder:
        for table in [one for one in checks if told[one]]:
            found = checks[table](connection, folder)[0]
            kept += [replace(one, rows=[r for r in one.rows if r in told[table]]) for one in found]
    return kept, names


def _require_unmoved(connection: Connection, names: set[str] | None) -> None:
    """Refuse to repair vectors that may lie elsewhere than where they were looked for.

    Raises:
        StorageError: another process moves vectors, or has moved some.
    """
    if names is None:
        return
    if moves_now(connection) or set(connection.scalars(select(VectorFile.name))) != names:
        raise StorageError(
            "Another process moves the vectors of this database now, so nothing was repaired: "
            "check again when it has ended."
        )


def _delete_inputs(connection: Connection, component: int, keys: Sequence[int]) -> None:
    """Delete the vectors of inputs, whose digests are given as numbers."""
    for key in keys:
        digest = key.to_bytes(max(_DIGEST_BYTES, (key.bit_length() + 7) // 8))
        connection.execute(
            delete(InputEmbedding).where(
                InputEmbedding.component_id == component, InputEmbedding.digest == digest
            )
        )


_OWNERS = {
    "cluster_labels": "clusterings",
    "group_labels": "groupings",
    "selected_samples": "selections",
    "selected_scores": "selections",
}


def _delete_owners(connection: Connection, one: Damage) -> int:
    """Delete the clusterings, groupings, selections and so on that hold damaged rows."""
    owner: Any = {table.name: table.owner for table in SEALED}.get(
        _OWNERS.get(one.table, one.table)
    )
    if owner is None or not one.rows:
        return 0
    keys = [row[0] for row in one.rows]
    statement = delete(owner).where(in_values(connection, owner.id, keys))
    with ExitStack() as stack:
        for model in (Training, AblationCell) if owner is Selection else ():
            here = in_values(connection, model.selection_id, keys)  # these will refer to nothing
            stack.enter_context(resealed(connection, model, here))
        return connection.execute(statement).rowcount
