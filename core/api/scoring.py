"""Shows, checks, renames and drops scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ig4.core import config as configuration
from ig4.core.api.arguments import by_name, names, options_by_name
from ig4.core.api.databases import StoreContext
from ig4.core.api.sessions import open_session
from ig4.core.engine.checkups.check import check as check_columns
from ig4.core.engine.checkups.findings import CheckResult
from ig4.core.engine.checkups.request import PAIRS as MOST_PAIRS
from ig4.core.engine.grouping.summary import GroupsResult, summarize_groups
from ig4.core.engine.pooling.staleness import tell_stale
from ig4.core.engine.requests import check_request, group_sources, pool_settings
from ig4.core.engine.scoring import columns
from ig4.core.engine.session import Session
from ig4.core.host.host import Host
from ig4.core.limits import PAIRS, SEED
from ig4.storage.connect import DEFAULT
from ig4.storage.store import Store

if TYPE_CHECKING:
    from ig4.core.engine.scoring.columns import ScoreColumnSummary
    from ig4.core.events import Listener


def scores(
    db: str | Path | Store = DEFAULT, *, dataset: str | None = None
) -> list[ScoreColumnSummary]:
    """Do what `ig4 scores` does: return the columns of scores with their origin and counts.

    Raises:
        DatasetError: no data set is named, and the database does not hold just one.
        StorageError: there is no such database.
    """
    with StoreContext(db, create=False) as store:
        session = Session(store, Host.discover())
        return columns.list_columns(session, session.dataset(dataset))


def groups(
    db: str | Path | Store = DEFAULT,
    *,
    dataset: str | None = None,
    by: str = "auto",
    options: Mapping[str, Mapping[str, Any]] | None = None,
    scorers: str | Sequence[str] | None = None,
    progress: bool = True,
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
    named = options_by_name("options", options)
    wanted = names("scorers", scorers)
    config = configuration.build(tables, {"groupers": named})
    with open_session(db, listeners, progress=progress) as session:
        chosen = session.dataset(dataset)
        tell_stale(session, chosen, pool_settings(config), wanted)
        return summarize_groups(
            session,
            chosen,
            config.choice("grouper", by),
            group_sources(config),
            scorers=wanted,
        )


def check(
    db: str | Path | Store = DEFAULT,
    *,
    scorers: str | Sequence[str] | None = None,
    dataset: str | None = None,
    pairs: int = MOST_PAIRS,
    seed: int = 42,
    paid: bool = False,
    calls: Mapping[str, Any] | None = None,
    progress: bool = True,
    listeners: Sequence[Listener] = (),
) -> CheckResult:
    """Do what `ig4 check` does: tell which columns of scores are worth trusting on their data.

    Services are asked only if they may be `paid`; `calls` is what the table of that name says:
    `{"max_cost": 2.0}`.

    Raises:
        UsageError: there are no scores, or none of a name, or a number is out of its limits.
        DatasetError, StorageError: as `scores`.
    """
    PAIRS.check("pairs", pairs)
    SEED.check("seed", seed)
    config = configuration.build({"calls": by_name("calls", calls, "{'max_cost': 2.0}")})
    wanted = names("scorers", scorers)
    request = check_request(config, scorers=wanted, pairs=pairs, seed=seed, paid=paid)
    with open_session(db, listeners, progress=progress) as session:
        chosen = session.dataset(dataset)
        tell_stale(session, chosen, names=wanted)
        return check_columns(session, chosen, request)


def drop_scores(
    name: str, db: str | Path | Store = DEFAULT, *, dataset: str | None = None
) -> columns.DropResult:
    """Do what `ig4 scores drop` does; nothing is asked. Replies of services remain in the ledger.

    Raises:
        UsageError: there are no scores of that name.
        DatasetError, StorageError: as `scores`.
    """
    with StoreContext(db, create=False) as store:
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
    with StoreContext(db, create=False) as store:
        session = Session(store, Host.discover())
        columns.rename_column(session, session.dataset(dataset), old, new)
