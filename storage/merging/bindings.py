"""Takes over what names of scorers and spaces stand for in data sets that both databases have."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import insert, select

from ig4.storage.integrity.seals import seal
from ig4.storage.merging.merging import Merging
from ig4.storage.schema import Component, Dataset, DatasetScorer, DatasetSpace
from ig4.storage.views import lock_schema, refresh_scores_wide

_POOL = "pool"
"""What is in the identity of scores that depend on all samples together."""


def take_names(merging: Merging) -> None:
    """Take over names of scorers and spaces that mean nothing here yet.

    Names of scorers are columns of a view, which is made anew in the transaction that adds one: a
    merge that was interrupted leaves none without its column.
    """
    _take(merging, DatasetScorer, "scorer")
    _take(merging, DatasetSpace, "space")


def _take(merging: Merging, model: Any, what: str) -> None:
    tally = merging.result.of(model.__tablename__)
    for rows in merging.rows(model):
        for row in merging.sound(model, rows):
            dataset = merging.datasets.get(row["dataset_id"])
            component = merging.components.get(row["component_id"])
            if dataset is None or component is None:
                tally.left_out += 1
                continue
            _take_one(merging, model, what, {**row, "dataset_id": dataset}, component)


def _take_one(
    merging: Merging, model: Any, what: str, row: Mapping[str, Any], component: int
) -> None:
    tally = merging.result.of(model.__tablename__)
    mine = (model.dataset_id == row["dataset_id"], model.name == row["name"])
    with merging.store.reading() as connection:
        known = connection.scalar(select(model.component_id).where(*mine))
        dataset = connection.scalar(select(Dataset.name).where(Dataset.id == row["dataset_id"]))
    if known == component:
        tally.equal += 1
        return
    if known is not None:
        merging.conflict(
            model,
            f"{what} {row['name']} of {dataset} stands for other options, or another file, there",
        )
        return
    if row["imported"] and row["dataset_id"] in merging.unlike:
        merging.conflict(
            model,
            f"{what} {row['name']} of {dataset} was imported for a data set there that has its "
            "name alone: no more than half of their samples are the same, so the name is left free "
            "here",
        )
        return
    tally.taken += 1
    _tell_pool(merging, row)
    if merging.dry_run:
        return
    options = None if row["options"] is None else json.loads(row["options"])
    values = {
        "dataset_id": row["dataset_id"],
        "name": row["name"],
        "component_id": component,
        "imported": bool(row["imported"]),
        "options": options,
    }
    with merging.store.writing() as connection:
        lock_schema(connection)
        connection.execute(insert(model).values(values))
        seal(connection, model, *mine)
        if model is DatasetScorer:
            refresh_scores_wide(connection)


def _tell_pool(merging: Merging, row: Mapping[str, Any]) -> None:
    """Say of values that depend on all samples that ig4 will not know their samples again here."""
    if merging.contents.identical:
        return
    identity = merging.source.connection.scalar(
        select(Component.options).where(Component.id == row["component_id"])
    )
    if isinstance(identity, dict) and _POOL in identity:
        merging.result.notes.append(
            f"{row['name']} depends on all samples together, which have other numbers here: its "
            f"values were taken over, and `ig4 score --scorers {row['name']}` computes them anew"
        )
