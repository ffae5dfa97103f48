"""Does one stage at a time: ingests, scores, clusters, exports."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ig4.core import config as configuration
from ig4.core.api.arguments import by_name, names, options_by_name, options_of
from ig4.core.api.sessions import open_session
from ig4.core.engine.exporting.export import ExportResult, dataset_of_selection, find_selection
from ig4.core.engine.exporting.export import export as write_export
from ig4.core.engine.grouping.cluster import ClusterResult
from ig4.core.engine.grouping.cluster import cluster as cluster_samples
from ig4.core.engine.ingesting.ingest import ingest as read_dataset
from ig4.core.engine.ingesting.result import IngestResult
from ig4.core.engine.pooling.spacenames import all_parts
from ig4.core.engine.recordedsettings import with_recorded_options
from ig4.core.engine.requests import (
    cluster_request,
    dataset_source,
    export_target,
    score_request,
)
from ig4.core.engine.scoring.score import ScoreResult
from ig4.core.engine.scoring.score import score as score_samples
from ig4.core.errors import UsageError
from ig4.storage.connect import DEFAULT
from ig4.storage.store import Store

if TYPE_CHECKING:
    from ig4.core.events import Listener

ALL = "all"
"""The selection that stands for all samples of a data set."""


def ingest(
    path: str | Path,
    *,
    db: str | Path | Store = DEFAULT,
    name: str | None = None,
    format: str | None = None,  # noqa: A002 - as the option is called
    encoding: str | None = None,
    instruction: str | None = None,
    image_root: str | Path | None = None,
    fetch_images: str = "none",
    refetch: bool = False,
    duplicate_ids: str = "number",
    replace: bool = False,
    options: Mapping[str, Any] | None = None,
    progress: bool = True,
    listeners: Sequence[Listener] = (),
) -> IngestResult:
    """Do what `ig4 ingest` does: read a data set into the database, which is made if need be.

    `options` are the format's. With `replace` it takes the place of the data set that has
    its name.

    Raises:
        Ig4Error: the data set cannot be read, or is in no format that ig4 knows.
        StorageError: the database cannot be opened or written.
    """
    section = {
        "path": path,
        "name": name,
        "format": format,
        "encoding": encoding,
        "instruction": instruction,
        "image_root": image_root,
        "fetch_images": fetch_images,
        "duplicate_ids": duplicate_ids,
        "options": options_of("options", options),
    }
    source = dataset_source(configuration.build({"dataset": section}))
    assert source is not None
    with open_session(db, listeners, progress=progress, create=True) as session:
        return read_dataset(session, dataclasses.replace(source, replace=replace, refetch=refetch))


def score(
    db: str | Path | Store = DEFAULT,
    *,
    scorers: str | Sequence[str] | None = None,
    spaces: str | Sequence[str] = (),
    dataset: str | None = None,
    options: Mapping[str, Mapping[str, Any]] | None = None,
    calls: Mapping[str, Any] | None = None,
    retry_failed: bool = False,
    recompute: str | Sequence[str] = (),
    shard: str | None = None,
    check: bool = True,
    progress: bool = True,
    listeners: Sequence[Listener] = (),
    **tables: Any,
) -> ScoreResult:
    """Do what `ig4 score` does: compute the scores that are missing, and the vectors of spaces.

    `scorers` are clip and length by default, and none where only `spaces` are named. `options`
    holds options of scorers by name: `{"clip": {"model": "ViT-L-14"}}`; `calls` is what the table
    of that name says: `{"max_cost": 2.0}`. With `shard="3/16"`, the third of sixteen parts of the
    batches is computed, and no column checked. Further keywords are tables of `ig4.toml`:
    `embedders={"sentence": {"reads": "answer"}}`. No file is read.

    Raises:
        Ig4Error: the request is wrong, or something it needs is missing.
        StorageError: there is no such database.
    """
    spaces = names("spaces", spaces) or ()
    wanted = () if scorers is None and spaces else names("scorers", scorers)
    parts = list(all_parts(spaces)) if spaces else None
    named = options_by_name("options", options)
    config = configuration.build(
        tables,
        {
            "run": {
                "scorers": None if wanted is None else list(wanted),
                "spaces": parts,
                "check": check,
            },
            "scorers": named,
            "calls": by_name("calls", calls, "{'max_cost': 2.0}"),
        },
    )
    with open_session(db, listeners, progress=progress) as session:
        chosen = session.dataset(dataset)
        config = with_recorded_options(
            session, chosen, config, scorers=config.run.scorers, spaces=config.run.spaces
        )
        request = score_request(
            config,
            retry_failed=retry_failed,
            recompute=names("recompute", recompute) or (),
            shard=shard,
        )
        return score_samples(session, chosen, request)


def cluster(
    db: str | Path | Store = DEFAULT,
    *,
    clusterer: str | None = None,
    k: int | None = None,
    space: str | None = None,
    embedder: str | None = None,
    dataset: str | None = None,
    options: Mapping[str, Any] | None = None,
    seed: int = 42,
    progress: bool = True,
    listeners: Sequence[Listener] = (),
    **tables: Any,
) -> ClusterResult:
    """Do what `ig4 cluster` does: group samples by their images, or by the vectors of a space.

    `options` are the clusterer's. Further keywords are tables of `ig4.toml`:
    `embedders={"clip": {"model": "ViT-L-14"}}`. No file is read.

    Raises:
        Ig4Error: the request is wrong, or there is nothing to cluster by.
        StorageError: there is no such database.
    """
    asked: dict[str, Any] = {
        "run": {"embedder": embedder, "seed": seed},
        "cluster": {"clusterer": clusterer, "k": k, "space": space},
    }
    config = configuration.build(tables, asked)
    if options:
        named = {config.cluster.clusterer: options_of("options", options)}
        config = configuration.build(tables, asked, {"clusterers": named})
    own = config.cluster.space
    spaces = () if own is None else all_parts([own])
    with open_session(db, listeners, progress=progress) as session:
        chosen = session.dataset(dataset)
        config = with_recorded_options(
            session,
            chosen,
            config,
            embedder=None if spaces else config.run.embedder,
            clusterer=config.cluster.clusterer,
            spaces=spaces,
        )
        return cluster_samples(session, chosen, cluster_request(config))


def export(
    path: str | Path,
    *,
    db: str | Path | Store = DEFAULT,
    selection: int | str = "last",
    dataset: str | None = None,
    format: str | None = None,  # noqa: A002 - as the option is called
    images: str | None = None,
    trainer: str | None = None,
    model: str | None = None,
    problems: str | None = None,
    overwrite: bool | None = None,
    extras: str | Sequence[str] = (),
    card: bool | None = None,
    options: Mapping[str, Any] | None = None,
    progress: bool = True,
    listeners: Sequence[Listener] = (),
) -> ExportResult:
    """Do what `ig4 export` does: write a selection, or `"all"` samples, as a data set.

    `trainer` is what `--for` names: a folder with the data and a configuration for it, to train
    `model`. `images` are "link", "copy" or "none"; `options` are the format's. `extras` is what
    `--with` names: it is written beside each record, with a data `card` beside it all.

    Raises:
        Ig4Error: there is no such selection, or the target is taken or cannot be written.
        StorageError: there is no such database.
    """
    if model is not None and trainer is None:
        raise UsageError("model goes with trainer: say for which one")
    section = {
        "path": path,
        "format": format,
        "images": images or ("link" if trainer is None else "copy"),
        "problems": problems,
        "overwrite": overwrite,
        "options": options_of("options", options),
    }
    config = configuration.build({"export": section})
    with open_session(db, listeners, progress=progress) as session:
        if selection == ALL:
            chosen, number = session.dataset(dataset), None
        else:
            within = session.dataset(dataset, make=False) if dataset else None
            number = find_selection(session, within, str(selection))
            chosen = dataset_of_selection(session, number)
        target = dataclasses.replace(
            export_target(config, chosen.name),
            trainer=trainer,
            model=model,
            extras=names("extras", extras) or (),
            card=card,
        )
        return write_export(session, chosen, target, number)
