"""The request that a stored selection was made by, and the scores that it counted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ig4.core.engine.pooling.settings import PoolSettings
from ig4.core.engine.selecting.candidates import NO_CLUSTERS, SelectionRequest
from ig4.core.engine.selecting.funnel import Stage
from ig4.core.engine.selecting.pins import recorded_pins
from ig4.core.errors import DatasetError
from ig4.core.records import Choice
from ig4.storage import scorecolumns, scores

if TYPE_CHECKING:
    from ig4.core.engine.session import Session
    from ig4.storage.scorecolumns import ScoreColumnRow
    from ig4.storage.selections import SelectionRow


def recorded_request(selection: SelectionRow, pool: PoolSettings | None = None) -> SelectionRequest:
    """Return the request that a selection was made by.

    `pool` says what names of spaces and groups stand for of which the record does not say it.

    Raises:
        DatasetError: its clusters are no longer there.
    """
    config = selection.config
    stages = tuple(_recorded_stage(stage) for stage in config.get("stages", ()))
    if config["clustering"] is not None and selection.clustering_id is None:
        raise DatasetError(
            f"the clusters of selection {selection.id} ({config['clustering']}) are no longer "
            "there: select again, or give options (`ig4 select --help`) to explain another one"
        )
    selector = dict(config["selector"])
    return SelectionRequest(
        size=config["size"],
        fraction=config["fraction"],
        selector=Choice("selector", selector.pop("use"), selector),
        scorers=tuple(config["weights"]) or None,
        weights=config["weights"],
        scale=config["scale"],
        clustering=NO_CLUSTERS if selection.clustering_id is None else selection.clustering_id,
        missing="skip",
        seed=config["seed"],
        within=config.get("within"),
        combine=config.get("combine", "sum"),
        stages=stages,
        pins=recorded_pins(config),
        pool=_recorded_pool(config, pool or PoolSettings()),
    )


def _recorded_pool(config: Mapping[str, Any], pool: PoolSettings) -> PoolSettings:
    own = PoolSettings.from_tables(config.get("named") or {})
    return replace(
        pool,
        embedders={**pool.embedders, **own.embedders},
        groupers={**pool.groupers, **own.groupers},
    )


def _recorded_stage(stage: Mapping[str, Any]) -> Stage:
    """Return a stage as it was recorded."""
    known = dict(stage)
    selector = dict(known.pop("selector", None) or {})
    choice = Choice("selector", selector.pop("use"), selector) if selector else None
    tails = {name: (low, high) for name, (low, high) in known.pop("tails", {}).items()}
    return Stage(**known | {"tails": tails, "selector": choice,
                            "spaces": tuple(known.get("spaces", ()))})  # fmt: skip


def recorded_columns(session: Session, selection: SelectionRow) -> list[ScoreColumnRow]:
    """Return the columns that a selection counted.

    Raises:
        DatasetError: one is no longer there.
    """
    config = selection.config
    found = []
    with session.store.reading() as connection:
        now = {row.name: row for row in scorecolumns.list_all(connection, selection.dataset_id)}
        for name in config["weights"]:
            fingerprint = config["components"][name]
            options = config.get("options", {}).get(name)
            row = now.get(name)
            if row is None or row.fingerprint != fingerprint:
                row = scorecolumns.of_fingerprint(connection, name, fingerprint, options)
            elif options is not None:
                row = replace(row, options=options)
            known = row and scores.has_values(connection, selection.dataset_id, row.component_id)
            if row is None or not known:
                raise DatasetError(
                    f"the {name} scores that selection {selection.id} was made by are no longer "
                    "there: select again, or give options (`ig4 select --help`) to explain "
                    "another one"
                )
            found.append(row)
    return found
