"""The library's verbs: what the commands do, returning objects instead of printing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ig4.core import config as configuration
from ig4.core.contracts.training import Checkpoint, Decoding
from ig4.core.engine import run as running
from ig4.core.engine.ablating.ablate import ablate as ablate_arms
from ig4.core.engine.ablating.result import AblationResult
from ig4.core.engine.checkups.check import check as check_columns
from ig4.core.engine.checkups.findings import CheckResult
from ig4.core.engine.checkups.request import PAIRS
from ig4.core.engine.evaluating.evaluate import EvaluationRequest, EvaluationResult
from ig4.core.engine.evaluating.evaluate import evaluate as evaluate_on
from ig4.core.engine.grouping.summary import GroupsResult, summarize_groups
from ig4.core.engine.judging.judge import JudgeResult
from ig4.core.engine.judging.judge import judge as judge_pairs
from ig4.core.engine.judging.plan import JudgeRequest
from ig4.core.engine.plan import (
    check_request,
    group_sources,
    make_run_plan,
    selection_request,
)
from ig4.core.engine.scoring import columns
from ig4.core.engine.selecting.select import select as select_samples
from ig4.core.engine.session import Session
from ig4.core.engine.training.generate import load_checkpoint
from ig4.core.engine.training.train import TrainingResult
from ig4.core.engine.training.train import train as train_on
from ig4.core.engine.training.trainingset import TrainingRequest
from ig4.core.host.host import Host
from ig4.core.records import Choice
from ig4.storage.admin import existing_url
from ig4.storage.connect import DEFAULT
from ig4.storage.querying.query import TIMEOUT, run_query
from ig4.storage.store import Store

if TYPE_CHECKING:
    from ig4.core.engine.run import RunResult
    from ig4.core.engine.scoring.columns import ScoreColumnSummary
    from ig4.core.engine.selecting.result import SelectionResult
    from ig4.core.events import Listener


def open(location: str | Path = DEFAULT, *, create: bool = True) -> Store:  # noqa: A001 - ig4.open
    """Open a score database at a path or URL; use it in a `with` block, or close it.

    Raises:
        StorageError: it cannot be opened, or is from another version of ig4.
    """
    return Store.open(location, create=create)


def run(
    dataset: str | Path | Mapping[str, Any] | None = None,
    *,
    db: str | Path | Store = DEFAULT,
    scorers: Sequence[str] | None = None,
    size: int | None = None,
    fraction: float | None = None,
    weights: Mapping[str, float] | None = None,
    options: Mapping[str, Mapping[str, Any]] | None = None,
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
    named = {name: dict(chosen) for name, chosen in (options or {}).items()}
    config = configuration.build(
        tables,
        {
            "dataset": dataset if isinstance(dataset, Mapping) else {"path": dataset},
            "run": {"scorers": None if scorers is None else list(scorers)},
            "select": {"size": size, "fraction": fraction, "weights": dict(weights or {})},
            "scorers": named,
        },
    )
    with _StoreContext(db) as store:
        session = Session(store, Host.discover(), listeners)
        return running.run(session, make_run_plan(session, config))


def select(
    db: str | Path | Store = DEFAULT,
    *,
    size: int | None = None,
    fraction: float | None = None,
    dataset: str | None = None,
    scorers: Iterable[str] | None = None,
    weights: Mapping[str, float] | None = None,
    selector: str | None = None,
    options: Mapping[str, Any] | None = None,
    recipe: str | None = None,
    scale: str | None = None,
    clustering: str | None = None,
    missing: str = "skip",
    seed: int = 42,
    listeners: Sequence[Listener] = (),
    **tables: Any,
) -> SelectionResult:
    """Do what `ig4 select` does, on the scores that a database has.

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
            "weights": dict(weights or {}),
            "scale": scale,
            "missing": missing,
        },
        "run": {"seed": seed},
    }
    config = configuration.build(configuration.recipe_values(recipe), tables, asked)
    if options:
        named = {config.select.selector: dict(options)}
        config = configuration.build(
            configuration.recipe_values(recipe), tables, asked, {"selectors": named}
        )
    request = selection_request(
        config,
        scorers=None if scorers is None else tuple(scorers),
        clustering=clustering,
        recipe=recipe,
        requires=tuple(config.select.weights) if recipe and scorers is None else (),
    )
    if recipe is None and size is None and fraction is None and not tables.get("select"):
        request = replace(request, fraction=None)  # who selects has to say how many
    with _StoreContext(db, create=False) as store:
        session = Session(store, Host.discover(), listeners)
        return select_samples(session, session.dataset(dataset), request)


def scores(
    db: str | Path | Store = DEFAULT, *, dataset: str | None = None
) -> list[ScoreColumnSummary]:
    """Do what `ig4 scores` does: return the columns of scores with their origin and counts.

    Raises:
        DatasetError: no data set is named, and the database does not hold just one.
        StorageError: there is no such database.
    """
    with _StoreContext(db, create=False) as store:
        session = Session(store, Host.discover())
        return columns.list_columns(session, session.dataset(dataset))


def groups(
    db: str | Path | Store = DEFAULT,
    *,
    dataset: str | None = None,
    by: str = "auto",
    options: Mapping[str, Mapping[str, Any]] | None = None,
    scorers: Sequence[str] | None = None,
    listeners: Sequence[Listener] = (),
    **tables: Any,
) -> GroupsResult:
    """Do what `ig4 groups` does: return the kinds of samples, and what scores tell of them.

    `options` holds options of groupers by name: `{"form": {"min_size": 50}}`; `scorers` are those
    to look at, by default all that there are. Further keywords are tables of `ig4.toml`.

    Raises:
        Ig4Error: the grouper needs what is missing, or no sample has a group.
        StorageError: there is no such database.
    """
    named = {name: dict(chosen) for name, chosen in (options or {}).items()}
    config = configuration.build(tables, {"groupers": named})
    with _StoreContext(db, create=False) as store:
        session = Session(store, Host.discover(), listeners)
        return summarize_groups(
            session,
            session.dataset(dataset),
            config.choice("grouper", by),
            group_sources(config),
            scorers=scorers,
        )


def drop_scores(
    name: str, db: str | Path | Store = DEFAULT, *, dataset: str | None = None
) -> columns.DropResult:
    """Do what `ig4 scores drop` does; nothing is asked. Replies of services remain in the ledger.

    Raises:
        UsageError: there are no scores of that name.
        DatasetError, StorageError: as `scores`.
    """
    with _StoreContext(db, create=False) as store:
        session = Session(store, Host.discover())
        return columns.drop_column(session, session.dataset(dataset), name)


def rename_scores(
    old: str, new: str, db: str | Path | Store = DEFAULT, *, dataset: str | None = None
) -> None:
    """Do what `ig4 scores rename` does.

    Raises:
        UsageError: there are no scores of that name, or the new one is taken.
        DatasetError, StorageError: as `scores`.
    """
    with _StoreContext(db, create=False) as store:
        session = Session(store, Host.discover())
        columns.rename_column(session, session.dataset(dataset), old, new)


def check(
    db: str | Path | Store = DEFAULT,
    *,
    scorers: Sequence[str] | None = None,
    dataset: str | None = None,
    pairs: int = PAIRS,
    seed: int = 42,
    paid: bool = False,
    calls: Mapping[str, Any] | None = None,
    listeners: Sequence[Listener] = (),
) -> CheckResult:
    """Do what `ig4 check` does: tell which columns of scores are worth trusting on their data.

    Services are asked only if they may be `paid`; `calls` is what the table of that name says:
    `{"max_cost": 2.0}`.

    Raises:
        UsageError: there are no scores, or none of a name.
        DatasetError, StorageError: as `scores`.
    """
    config = configuration.build({"calls": dict(calls or {})})
    request = check_request(config, scorers=scorers, pairs=pairs, seed=seed, paid=paid)
    with _StoreContext(db, create=False) as store:
        session = Session(store, Host.discover(), listeners)
        return check_columns(session, session.dataset(dataset), request)


def train(
    db: str | Path | Store = DEFAULT,
    *,
    trainer: str = "minigpt4",
    options: Mapping[str, Any] | None = None,
    selection: int | str = "last",
    dataset: str | None = None,
    out: str | Path | None = None,
    seed: int = 42,
    missing: str = "error",
    listeners: Sequence[Listener] = (),
) -> TrainingResult:
    """Do what `ig4 train` does: fine-tune a model on a selection; `options` are the trainer's.

    Raises:
        Ig4Error: the request is wrong, the trainer refuses samples, or the training cannot go on.
        StorageError: there is no such database.
    """
    request = TrainingRequest(
        trainer=Choice("trainer", trainer, dict(options or {})),
        selection=str(selection),
        output=None if out is None else Path(out),
        seed=seed,
        missing=missing,
    )
    with _StoreContext(db, create=False) as store:
        session = Session(store, Host.discover(), listeners)
        return train_on(session, session.dataset(dataset) if dataset else None, request)


def ablate(
    db: str | Path | Store = DEFAULT,
    *,
    benchmarks: Mapping[str, Mapping[str, Any]],
    trainer: str | None = None,
    options: Mapping[str, Any] | None = None,
    arms: Sequence[str] | None = None,
    seeds: int = 5,
    size: int | None = None,
    jobs: int | None = None,
    dataset: str | None = None,
    listeners: Sequence[Listener] = (),
    **tables: Any,
) -> AblationResult:
    """Do what `ig4 ablate` does: train and evaluate each arm with several seeds, and compare.

    `benchmarks` have their options by name: `{"vqa": {"questions": "test.jsonl"}}`; `options` are
    the trainer's. Further keywords are tables of `ig4.toml`: `select={"scale": "minmax"}`,
    `ablate={"keep_checkpoints": True}`. No file is read.

    Raises:
        Ig4Error: the request is wrong, or no arm can be prepared.
        StorageError: there is no such database.
    """
    named = {name: dict(chosen) for name, chosen in benchmarks.items()}
    config = configuration.build(
        tables,
        {
            "benchmarks": named,
            "trainers": {trainer or "minigpt4": dict(options or {})},
            "ablate": {
                "benchmarks": list(benchmarks),
                "trainer": trainer,
                "compare": None if arms is None else list(arms),
                "seeds": seeds,
                "size": size,
                "jobs": jobs,
            },
        },
    )
    with _StoreContext(db, create=False) as store:
        session = Session(store, Host.discover(), listeners)
        return ablate_arms(session, session.dataset(dataset), config)


def evaluate(
    checkpoint: str | Path | Checkpoint | None = None,
    benchmark: str = "vqa",
    *,
    db: str | Path | Store = DEFAULT,
    options: Mapping[str, Any] | None = None,
    predictions: str | Path | None = None,
    trainer: str | None = None,
    trainer_options: Mapping[str, Any] | None = None,
    decoding: Decoding | None = None,
    label: str | None = None,
    limit: int | None = None,
    image_root: str | Path | None = None,
    retry_failed: bool = False,
    listeners: Sequence[Listener] = (),
) -> EvaluationResult:
    """Do what `ig4 eval` does on one benchmark; `options` are the benchmark's.

    Give a checkpoint, or a file of `predictions` made elsewhere, or a `trainer` for its untrained
    model.

    Raises:
        Ig4Error: the request is wrong, files cannot be read or do not fit, something is missing.
        StorageError: the database cannot be opened or written.
    """
    if predictions is not None and checkpoint is None and trainer is None:
        model = None
    elif isinstance(checkpoint, Checkpoint):
        model = checkpoint
    else:
        choice = None if trainer is None else Choice("trainer", trainer)
        path = None if checkpoint is None else Path(checkpoint)
        model = load_checkpoint(path, choice, dict(trainer_options or {}))
    request = EvaluationRequest(
        benchmark=Choice("benchmark", benchmark, dict(options or {})),
        checkpoint=model,
        predictions=None if predictions is None else Path(predictions),
        label=label,
        decoding=decoding or Decoding(),
        limit=limit,
        image_root=None if image_root is None else Path(image_root),
        retry_failed=retry_failed,
    )
    with _StoreContext(db) as store:
        return evaluate_on(Session(store, Host.discover(), listeners), request)


def judge(
    first: str | Path,
    second: str | Path,
    questions: str | Path,
    *,
    contexts: str | Path | None = None,
    judge: str = "gpt",
    options: Mapping[str, Any] | None = None,
    labels: tuple[str, str] | None = None,
    image_root: str | Path | None = None,
    db: str | Path | Store = DEFAULT,
    calls: Mapping[str, Any] | None = None,
    seed: int = 42,
    retry_failed: bool = False,
    listeners: Sequence[Listener] = (),
) -> JudgeResult:
    """Do what `ig4 judge` does: compare two files of answers, each pair in both orders.

    `options` are the judge's, `calls` what the table of that name says: `{"max_cost": 2.0}`.

    Raises:
        Ig4Error: the request is wrong, or something it needs is missing.
        StorageError: the database cannot be opened or written.
    """
    config = configuration.build({"calls": dict(calls or {})})
    request = JudgeRequest(
        judge=Choice("judge", judge, dict(options or {}), judge),
        first=Path(first),
        second=Path(second),
        questions=Path(questions),
        contexts=None if contexts is None else Path(contexts),
        labels=labels,
        image_root=None if image_root is None else Path(image_root),
        seed=seed,
        call_settings=config.call_settings,
        renew=retry_failed,
    )
    with _StoreContext(db) as store:
        return judge_pairs(Session(store, Host.discover(), listeners), request)


def query(
    sql: str,
    *,
    db: str | Path | Store = DEFAULT,
    timeout: float = TIMEOUT,
    role: str | None = None,
) -> list[dict[str, Any]]:
    """Do what `ig4 query` does: run one query that only reads; returns its rows by column name.

    A column without a name of its own gets a number: `n`, `n:2`. `timeout` is how long the database
    may work on the query, in seconds; `role` is the role of PostgreSQL that it runs as.

    Raises:
        QueryError: the query is not valid, may do more than read, or takes too long.
        StorageError: there is no such database, or it cannot be read.
    """
    url = db.engine.url if isinstance(db, Store) else existing_url(db)
    with run_query(url, sql, timeout=timeout, role=role) as result:
        names = result.distinct_columns
        return [dict(zip(names, row, strict=True)) for row in result.rows]


class _StoreContext:
    """A store for the length of a `with` block; one that was given open stays open."""

    def __init__(self, db: str | Path | Store, *, create: bool = True) -> None:
        self.given = db
        self.create = create

    def __enter__(self) -> Store:
        if isinstance(self.given, Store):
            self.store = self.given
        else:
            self.store = Store.open(self.given, create=self.create)
        return self.store

    def __exit__(self, *_: object) -> None:
        if self.store is not self.given:
            self.store.close()
