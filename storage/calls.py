"""Statements on calls of language models: the ledger that prevents paying for a reply twice."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Text,
    and_,
    any_,
    bindparam,
    case,
    cast,
    delete,
    func,
    insert,
    literal,
    outerjoin,
    select,
    text,
    update,
)

from ig4.storage.bulk import driver_time, in_values, put_rows, update_rows
from ig4.storage.finishes import AT_LIMIT
from ig4.storage.integrity.seals import checksum, expressions, resealed, seal, time_text
from ig4.storage.runs import now
from ig4.storage.schema import Component, LlmCall, Run

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

CLAIMED, BATCH, DONE, UNREADABLE, FAILED = "claimed", "batch", "done", "unreadable", "failed"
LOST = "lost"
"""The states of a call; a lost one may have been paid for, but its reply cannot be had."""

_calls: Any = LlmCall.__table__


@dataclass(frozen=True, slots=True)
class CallRow:
    """A call as stored in the ledger."""

    request_hash: str
    state: str
    worker: str | None = None
    batch_id: int | None = None
    reply: str | None = None
    finish: str | None = None
    error: str | None = None
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0


@dataclass(frozen=True, slots=True)
class CallOutcome:
    """The outcome of a call; the fields are columns of the ledger."""

    request_hash: str
    state: str
    reply: str | None = None
    finish: str | None = None
    error: str | None = None
    input_tokens: int | None = None
    cached_tokens: int | None = None
    output_tokens: int | None = None
    cost: float | None = None
    seconds: float | None = None
    attempts: int = 1


def release_all(connection: Connection, worker: str, component_id: int | None) -> None:
    """Release all calls of a component that a process claimed and did not finish."""
    claimed = and_(
        LlmCall.worker == worker,
        LlmCall.state == CLAIMED,
        LlmCall.component_id.is_not_distinct_from(component_id),
    )
    connection.execute(delete(LlmCall).where(claimed))


def release(connection: Connection, worker: str, hashes: Sequence[str]) -> None:
    """Release calls that a process claimed and will not send."""
    claimed = and_(LlmCall.worker == worker, LlmCall.state == CLAIMED)
    connection.execute(
        delete(LlmCall).where(claimed, in_values(connection, LlmCall.request_hash, hashes))
    )


Elsewhere = Callable[[str], Mapping[str, bool]]
"""Returns the hashes that the request of a hash has at other limits of tokens, and for each whether
that limit is at least as large."""


def claim(
    connection: Connection,
    worker: str,
    calls: Sequence[Mapping[str, Any]],
    *,
    renew: bool = False,
    elsewhere: Elsewhere | None = None,
) -> dict[str, CallRow]:
    """Claim calls for a process, in one transaction; return those it could not claim, by hash.

    A call is free if no process has claimed it, or its request failed, and no reply to the same
    request `elsewhere` serves it. With `renew`, a call whose reply was unreadable is free too,
    unless it was cut at its limit, as it would be again; its cost stays in the ledger. Each of
    `calls` has request_hash, provider, model, component_id and run_id.
    """
    hashes = sorted({call["request_hash"] for call in calls})
    if renew:
        _archive_unreadable(connection, hashes)
    known = lookup(connection, hashes)
    free = [h for h in hashes if h not in known or known[h].state == FAILED]
    if free and elsewhere is not None:
        known |= find_elsewhere(connection, free, elsewhere, renew=renew)
        free = [h for h in free if h not in known or known[h].state == FAILED]
    if not free:
        return known
    by_hash = {call["request_hash"]: call for call in calls}
    time = now()
    created, text_of_time = driver_time(connection, time), time_text(time)
    rows = [
        (
            *(by_hash[h][name] for name in _CALL_COLUMNS), CLAIMED, worker, 0, created,
            _claim_checksum(by_hash[h], text_of_time),
        )
        for h in free
    ]  # fmt: skip
    # If another process was faster, its claim stays; the lookup below shows it.
    put_rows(
        connection,
        LlmCall,
        _CLAIM_COLUMNS,
        rows,
        key=["request_hash"],
        update=_CLAIM_COLUMNS[1:],
        where=_IS_FAILED,
    )
    after = lookup(connection, free)
    claimed = {h for h, row in after.items() if (row.state, row.worker) == (CLAIMED, worker)}
    return {h: row for h, row in (known | after).items() if h not in claimed}


_CALL_COLUMNS = ("request_hash", "provider", "model", "component_id", "run_id")
_CLAIM_COLUMNS = (*_CALL_COLUMNS, "state", "worker", "attempts", "created_at", "crc")


def _claim_checksum(call: Mapping[str, Any], created: str) -> int:
    return checksum(LlmCall, {**call, "state": CLAIMED, "created_at": created})


_IS_FAILED = text(f"llm_calls.state = '{FAILED}'")


def _archive_unreadable(connection: Connection, hashes: Sequence[str]) -> None:
    """Give unreadable replies another hash, so that their requests may be sent again.

    Those that were cut at their limit stay: they would be cut again.
    """
    unreadable = and_(
        LlmCall.state == UNREADABLE,
        func.lower(func.coalesce(LlmCall.finish, "")).not_in(AT_LIMIT),
        in_values(connection, LlmCall.request_hash, hashes),
    )
    archived = LlmCall.request_hash + "/" + cast(LlmCall.id, LlmCall.request_hash.type)
    connection.execute(update(LlmCall).where(unreadable).values(request_hash=archived))


def lookup(connection: Connection, hashes: Sequence[str]) -> dict[str, CallRow]:
    """Return the calls with these hashes that are in the ledger, by hash."""
    if not hashes:
        return {}
    name = connection.dialect.name
    values = json.dumps(list(hashes)) if name == "sqlite" else list(hashes)
    rows: Any = connection.execute(_lookup(name), {"hashes": values})
    return {row[0]: CallRow(*row) for row in rows}


def find_elsewhere(
    connection: Connection, hashes: Sequence[str], elsewhere: Elsewhere, *, renew: bool = False
) -> dict[str, CallRow]:
    """Return calls that serve requests although they had another limit of tokens, by hash.

    A reply that ended, or could be read, serves at any limit, and one that is on its way may. One
    that was cut and could not be read serves where the limit is no larger: it would be cut there,
    too. With `renew`, no other unreadable reply serves.
    """
    others = {request_hash: elsewhere(request_hash) for request_hash in hashes}
    rows = lookup(connection, [other for each in others.values() for other in each])
    found: dict[str, CallRow] = {}
    for request_hash, each in others.items():
        serving = [
            rows[other]
            for other, reaches in each.items()
            if other in rows and _serves(rows[other], reaches=reaches, renew=renew)
        ]
        if serving:
            found[request_hash] = min(serving, key=_rank)
    return found


def _rank(row: CallRow) -> int:
    """Return 0 for a reply that could be read, 2 for one that could not, 1 for one to come."""
    return {DONE: 0, UNREADABLE: 2}.get(row.state, 1)


def _serves(row: CallRow, *, reaches: bool, renew: bool) -> bool:
    if row.state != UNREADABLE:
        return row.state != FAILED
    return reaches if (row.finish or "").lower() in AT_LIMIT else not renew


def known_limits(connection: Connection) -> list[int]:
    """Return the limits of tokens (`max_tokens`) that components were configured with."""
    options = connection.scalars(select(Component.options))
    limits = {one.get("max_tokens") for one in options if isinstance(one, dict)}
    return sorted(limit for limit in limits if type(limit) is int and limit > 0)


@lru_cache
def _lookup(dialect: str) -> Any:
    """Return the SELECT of `lookup`, built once: it runs with every request."""
    c = _calls.c
    columns = (
        c.request_hash,
        c.state,
        c.worker,
        c.batch_id,
        c.reply,
        c.finish,
        c.error,
        func.coalesce(c.input_tokens, 0),
        func.coalesce(c.cached_tokens, 0),
        func.coalesce(c.output_tokens, 0),
    )
    if dialect == "sqlite":
        each = func.json_each(bindparam("hashes")).table_valued("value")
        return select(*columns).where(c.request_hash.in_(select(each.c.value)))
    return select(*columns).where(c.request_hash == any_(bindparam("hashes", type_=ARRAY(Text()))))


def record(connection: Connection, outcomes: Sequence[CallOutcome]) -> None:
    """Record the outcomes of calls that were claimed or in a batch.

    Where another reply came in the meantime, that one stays (a merge may have brought it), and
    what this one cost is kept under another hash. Recording an outcome again changes nothing.
    """
    time = now()
    ended, text_of_time = driver_time(connection, time), time_text(time)
    statement = _identities(connection).where(
        in_values(connection, LlmCall.request_hash, [one.request_hash for one in outcomes])
    )
    found = connection.execute(statement.with_for_update()).mappings()
    stored = {row["request_hash"]: row for row in found}
    rows = []
    for one in outcomes:
        row = stored.get(one.request_hash)
        if row is None:
            continue
        if row["state"] in (DONE, UNREADABLE):
            if one.state != FAILED and (one.reply, one.seconds) != (row["reply"], row["seconds"]):
                _keep_beside(connection, one, time)
            continue
        values = tuple(getattr(one, name) for name in _OUTCOME_COLUMNS)
        new = {**row, **dict(zip(_OUTCOME_COLUMNS, values, strict=True))}
        crc = checksum(LlmCall, new | {"finished_at": text_of_time})
        rows.append((*values, None, ended, crc))
    columns = (*_OUTCOME_COLUMNS[1:], "worker", "finished_at", "crc")
    update_rows(connection, LlmCall, "request_hash", columns, rows)


def _keep_beside(connection: Connection, one: CallOutcome, time: datetime) -> None:
    """Keep a reply whose request has another by now: both were paid for."""
    again = select(LlmCall.id).where(
        LlmCall.request_hash.startswith(f"{one.request_hash}/", autoescape=True),
        LlmCall.reply.is_not_distinct_from(one.reply),
        LlmCall.seconds.is_not_distinct_from(one.seconds),
    )
    if connection.scalar(again.limit(1)) is not None:
        return
    kept = ("provider", "model", "component_id", "run_id", "created_at")
    passing = f"{one.request_hash}/second"
    own = select(
        *(_calls.c[name] for name in kept),
        literal(passing),
        literal(one.state),
        literal(one.attempts),
    ).where(_calls.c.request_hash == one.request_hash)
    names = [*kept, "request_hash", "state", "attempts"]
    connection.execute(insert(_calls).from_select(names, own))
    added = connection.scalar(select(LlmCall.id).where(LlmCall.request_hash == passing))
    outcome = {name: getattr(one, name) for name in _OUTCOME_COLUMNS[1:]}
    values = outcome | {"request_hash": f"{one.request_hash}/{added}", "finished_at": time}
    connection.execute(update(_calls).where(_calls.c.id == added).values(values))
    seal(connection, LlmCall, LlmCall.id == added)


def _identities(connection: Connection) -> Any:
    """Return the SELECT of what a request is, and of whether it has a reply."""
    return select(*(one for one in expressions(connection, LlmCall) if one.name in _IDENTITY))


_IDENTITY = {
    "request_hash", "provider", "model", "component_id", "batch_id", "created_at", "state", "reply",
    "seconds",
}  # fmt: skip


_OUTCOME_COLUMNS = tuple(CallOutcome.__slots__)


def mark_unreadable(connection: Connection, judged: Mapping[str, tuple[str | None, str]]) -> None:
    """Record that replies do not answer their request: the reply and the reason, by request hash.

    Where another reply is in the ledger by now (a merge may have brought it), that one stays good.
    """
    statement = (
        update(_calls)
        .where(
            _calls.c.request_hash == bindparam("known_hash"),
            _calls.c.state == DONE,
            _calls.c.reply.is_not_distinct_from(bindparam("judged", type_=Text())),
        )
        .values(state=UNREADABLE, error=bindparam("reason"))
    )
    rows = [
        {"known_hash": known, "judged": reply, "reason": reason}
        for known, (reply, reason) in judged.items()
    ]
    marked = in_values(connection, LlmCall.request_hash, list(judged))
    with resealed(connection, LlmCall, marked):
        connection.execute(statement, rows)


# Sums

COST_GROUPS = ("model", "scorer", "run", "day")
"""What costs can be summed by."""


@dataclass(frozen=True, slots=True)
class CostSum:
    """The totals of one group of calls; `unpriced` of them have no known price.

    `lost` counts requests in lost batches, which are in no other number: they may have been paid
    for, and then cost `lost_cost` US dollars at most.
    """

    group: str
    calls: int
    input_tokens: int
    output_tokens: int
    cost: float
    unpriced: int
    failed: int
    lost: int = 0
    lost_cost: float = 0.0


def sum_costs(
    connection: Connection, by: str, *, dataset_id: int | None = None, until: datetime | None = None
) -> list[CostSum]:
    """Return the totals by model, scorer, run or day (UTC).

    With `dataset_id`, of the calls of runs on this data set; `until` when these had begun.
    """
    paid = LlmCall.state.in_((DONE, UNREADABLE))
    group = _group(connection, by)
    rows: Any = connection.execute(
        select(
            group,
            func.count(case((paid, 1))),
            func.coalesce(func.sum(LlmCall.input_tokens), 0),
            func.coalesce(func.sum(LlmCall.output_tokens), 0),
            func.coalesce(func.sum(case((LlmCall.state != LOST, LlmCall.cost))), 0.0),
            func.count(case((and_(paid, LlmCall.cost.is_(None)), 1))),
            func.count(case((LlmCall.state == FAILED, 1))),
            func.count(case((LlmCall.state == LOST, 1))),
            func.coalesce(func.sum(case((LlmCall.state == LOST, LlmCall.cost))), 0.0),
        )
        .select_from(outerjoin(LlmCall, Component))
        .where(LlmCall.state.in_((DONE, UNREADABLE, FAILED, LOST)), *_of_runs(dataset_id, until))
        .group_by(group)
        .order_by(group)
    )
    return [CostSum(str(name), *map(_number, numbers)) for name, *numbers in rows]


def _of_runs(dataset_id: int | None, until: datetime | None) -> list[ColumnElement[bool]]:
    """Return the conditions that a call was made by a run on a data set, or one begun by then."""
    asked = [] if dataset_id is None else [Run.dataset_id == dataset_id]
    asked += [] if until is None else [Run.started_at <= until]
    return [LlmCall.run_id.in_(select(Run.id).where(*asked))] if asked else []


def _number(value: Any) -> Any:
    return float(value) if isinstance(value, float) else int(value)


def _group(connection: Connection, by: str) -> Any:
    if by == "model":
        return LlmCall.model
    if by == "scorer":
        # Scorers by name alone, as users know them; a judge may have the same name.
        named = case((Component.kind != "scorer", Component.kind + " " + Component.name))
        return func.coalesce(named, Component.name, "(none)")
    if by == "run":
        return func.coalesce(LlmCall.run_id, 0)
    assert by == "day"
    when = func.coalesce(LlmCall.finished_at, LlmCall.created_at)  # a lost one never ended
    if connection.dialect.name == "sqlite":
        return func.substr(cast(when, Text), 1, 10)
    return func.to_char(func.timezone("UTC", when), "YYYY-MM-DD")


@dataclass(frozen=True, slots=True)
class TypicalUsage:
    """The mean tokens of a component's replies so far, over `calls` of them."""

    calls: int
    input_tokens: float
    output_tokens: float


def typical_usage(connection: Connection, component_id: int) -> TypicalUsage | None:
    """Return the mean usage of a component's replies; None if there are none."""
    count, inputs, outputs = connection.execute(
        select(func.count(), func.avg(LlmCall.input_tokens), func.avg(LlmCall.output_tokens)).where(
            LlmCall.component_id == component_id, LlmCall.state.in_((DONE, UNREADABLE))
        )
    ).one()
    return TypicalUsage(count, float(inputs or 0), float(outputs or 0)) if count else None
