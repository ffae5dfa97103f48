"""Runs and selects."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ig4.core import config as configuration
from ig4.core.api.arguments import by_name, names, options_by_name, options_of
from ig4.core.api.sessions import open_session
from ig4.core.engine import run as running
from ig4.core.engine.plan import make_run_plan
from ig4.core.engine.requests import selection_request
from ig4.core.engine.selecting.select import select as select_samples
from ig4.storage.connect import DEFAULT
from ig4.storage.store import Store

if TYPE_CHECKING:
    from ig4.core.engine.run import RunResult
    from ig4.core.engine.selecting.result import SelectionResult
    from ig4.core.events import Listener


def run(
    dataset: str | Path | Mapping[str, Any] | None = None,
    *,
    db: str | Path | Store = DEFAULT,
    scorers: str | Sequence[str] | None = None,
    size: int | None = None,
    fraction: float | None = None,
    weights: Mapping[str, float] | None = None,
    options: Mapping[str, Mapping[str, Any]] | None = None,
    progress: bool = True,
    listeners: Sequence[Listener] = (),
    **tables: Any,
) -> RunResult:
    """Do what `ig4 run` does: ingest, score, cluster, select, export.

    `dataset` is a path, or what the table of that name says: `{"path": "old.json", "encoding":
    "gb18030"}`. `scorers` are clip and length by default. `options` holds options
    of scorers by name: `{"clip": {"model": "ViT-L-14"}}`. Further keywords are tables of
    `ig4.toml`: `export={"path": "out.json"}`, `cluster={"k": 20}`. No file is read:
    everything else has its default.

    Raises:
        Ig4Error: the request is wrong, or something it needs is missing.
        StorageError: the database cannot be opened or written.
    """
    named = options_by_name("options", options)
    config = configuration.build(
        tables,
        {
            "dataset": dataset if isinstance(dataset, Mapping) else {"path": dataset},
            "run": {"scorers": names("scorers", scorers)},
            "select": {
                "size": size,
                "fraction": fraction,
                "weights": by_name("weights", weights, _WEIGHTS),
            },
            "scorers": named,
        },
    )
    with open_session(db, listeners, progress=progress, create=True) as session:
        return running.run(session, make_run_plan(session, config))


def select(
    db: str | Path | Store = DEFAULT,
    *,
    size: int | None = None,
    fraction: float | None = None,
    dataset: str | None = None,
    scorers: str | Iterable[str] | None = None,
    weights: Mapping[str, float] | None = None,
    selector: str | None = None,
    options: Mapping[str, Any] | None = None,
    recipe: str | None = None,
    scale: str | None = None,
    clustering: str | None = None,
    missing: str = "skip",
    seed: int = 42,
    name: str | None = None,
    note: str | None = None,
    keep: str | Path | Iterable[str] | None = None,
    drop: str | Path | Iterable[str] | None = None,
    progress: bool = True,
    listeners: Sequence[Listener] = (),
    **tables: Any,
) -> SelectionResult:
    """Do what `ig4 select` does, on the scores that a database has.

    The selection is called `name`, if that is given, and has a `note`. `keep` are the ids of
    samples that are selected whatever they score, `drop` of such as are not; or a file of them.

    The selector is by default that of the `recipe`, else `quota`; `options` are the selector's.
    Further keywords are tables of `ig4.toml`: `select={"within": "form", "stages": [{"do":
    "dedup"}]}`, `embedders={"clip-answer": {"use": "clip", "reads": "answer"}}`. No file is read.

    Raises:
        Ig4Error: the request is wrong, or scores are missing.
        StorageError: there is no such database.
    """
    asked = {
        "select": {
            "selector": selector,
            "size": size,
            "fraction": fraction,
            "weights": by_name("weights", weights, _WEIGHTS),
            "scale": scale,
            "missing": missing,
            "keep": _ids(keep),
            "drop": _ids(drop),
        },
        "run": {"seed": seed},
    }
    config = configuration.build(configuration.recipe_values(recipe), tables, asked)
    if options:
        named = {config.select.selector: options_of("options", options)}
        config = configuration.build(
            configuration.recipe_values(recipe), tables, asked, {"selectors": named}
        )
    own_scorers = recipe is not None and scorers is None
    request = selection_request(
        config,
        scorers=names("scorers", scorers),
        clustering=clustering,
        recipe=recipe,
        requires=tuple(config.select.weights) if own_scorers else (),
        uses=config.run.scorers if own_scorers else (),
    )
    if recipe is None and size is None and fraction is None and not tables.get("select"):
        request = replace(request, fraction=None)  # who selects has to say how many
    with open_session(db, listeners, progress=progress) as session:
        return select_samples(session, session.dataset(dataset), request, name=name, note=note)


_WEIGHTS = "{'clip': 0.53}"


def _ids(given: str | Path | Iterable[str] | None) -> str | Path | list[str] | None:
    """Return the name of a file as it is, and ids as a list."""
    return given if given is None or isinstance(given, (str, Path)) else list(given)
