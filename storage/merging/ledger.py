"""Takes over replies of language models that were paid for, and batches that are on their way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, select, update

from ig4.storage.bulk import in_values
from ig4.storage.calls import BATCH, CLAIMED, DONE, FAILED, LOST, UNREADABLE
from ig4.storage.integrity.seals import seal
from ig4.storage.merging.idmaps import UNSEEN
from ig4.storage.merging.merging import Merging, columns, in_order, sealed
from ig4.storage.schema import LlmBatch, LlmCall
from ig4.storage.transfer.upserting import add_rows

if TYPE_CHECKING:
    from sqlalchemy import Connection

_NAMES = columns(LlmCall, without=("id",))
_PREPARING = "preparing"
_ARCHIVED = "/"
"""Stands in a hash before the number of a reply whose request was sent again."""

_FAILURES = (FAILED, LOST, UNREADABLE)
"""What is no answer, and gives way to one."""


def take_ledger(merging: Merging) -> None:
    """Take over requests with their replies, so that nothing is paid for again.

    Requests that a process there is at work on are not taken; those in batches of a service are,
    with the batch.
    """
    _take_batches(merging)
    for rows in merging.rows(LlmCall):
        mapped = _mapped(merging, merging.sound(LlmCall, rows))
        archived = [row for row in mapped if _ARCHIVED in row["request_hash"]]
        _take_calls(merging, [row for row in mapped if _ARCHIVED not in row["request_hash"]])
        for row in archived:
            _take_archived(merging, row)


def _take_batches(merging: Merging) -> None:
    names = columns(LlmBatch, without=("id",))
    tally = merging.result.of("llm_batches")
    for rows in merging.rows(LlmBatch):
        good = merging.sound(LlmBatch, rows)
        ready = [row for row in good if row["state"] != _PREPARING]
        tally.left_out += len(good) - len(ready)
        with merging.store.reading() as connection:
            known = _batch_ids(connection, ready)
        fresh = [row for row in ready if row["key"] not in known]
        tally.taken += len(fresh)
        tally.equal += len(ready) - len(fresh)
        if merging.dry_run:
            known |= {row["key"]: UNSEEN + row["id"] for row in fresh}
        elif fresh:
            with merging.store.writing(durable=True) as connection:
                own = [{**_with_ids(merging, row), "worker": None} for row in fresh]
                add_rows(connection, "llm_batches", names, in_order(names, own))
                keys = [row["key"] for row in fresh]
                seal(connection, LlmBatch, in_values(connection, LlmBatch.key, keys))
                known |= _batch_ids(connection, fresh)
        merging.batches.put([row["id"] for row in ready], [known[row["key"]] for row in ready])


def _batch_ids(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    if not rows:
        return {}
    mine = in_values(connection, LlmBatch.key, [row["key"] for row in rows])
    found = connection.execute(select(LlmBatch.key, LlmBatch.id).where(mine))
    return dict(found.all())


def _with_ids(merging: Merging, row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **row,
        "component_id": merging.components.get(row["component_id"]),
        "run_id": merging.runs.get(row["run_id"]),
    }


def _mapped(merging: Merging, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return rows with the ids of this database, without those of requests in flight."""
    tally = merging.result.of("llm_calls")
    mapped = []
    for row in rows:
        batch = merging.batches.get(row["batch_id"])
        waiting = row["state"] == BATCH and batch is None
        if row["state"] == CLAIMED or waiting:
            tally.left_out += 1
            continue
        mapped.append({**_with_ids(merging, row), "batch_id": batch, "worker": None})
    return mapped


def _take_calls(merging: Merging, rows: Sequence[dict[str, Any]]) -> None:
    tally = merging.result.of("llm_calls")
    if not rows:
        return
    with merging.store.reading() as connection:
        found = _known(connection, [row["request_hash"] for row in rows])
    fresh = [row for row in rows if row["request_hash"] not in found]
    better = []
    for row in rows:
        here = found.get(row["request_hash"])
        if here is None:
            continue
        if _gives_way(here["state"], row["state"]):
            better.append(row)
        elif here["state"] == row["state"] == DONE and here["reply"] != row["reply"]:
            tally.conflicts += 1
        else:
            tally.equal += 1
    tally.taken += len(fresh)
    tally.replaced += len(better)
    if merging.dry_run or not (fresh or better):
        return
    with merging.store.writing(durable=True) as connection:
        _make_way(connection, [found[row["request_hash"]] for row in better])
        wanted = [sealed(LlmCall, row) for row in (*fresh, *better)]
        add_rows(connection, "llm_calls", _NAMES, in_order(_NAMES, wanted))


def _gives_way(here: str, there: str) -> bool:
    """Tell whether a request of one state here is replaced by one of another state there."""
    if here == FAILED:
        return there in (DONE, BATCH, UNREADABLE)
    return here in _FAILURES and there == DONE


def _known(connection: Connection, hashes: Sequence[str]) -> dict[str, dict[str, Any]]:
    rows = connection.execute(
        select(LlmCall.request_hash, LlmCall.id, LlmCall.state, LlmCall.reply).where(
            in_values(connection, LlmCall.request_hash, hashes)
        )
    ).mappings()
    return {row["request_hash"]: dict(row) for row in rows}


def _make_way(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Let rows give way to answers; what may have been paid for them stays in the ledger."""
    failed = [row["id"] for row in rows if row["state"] == FAILED]
    connection.execute(delete(LlmCall).where(in_values(connection, LlmCall.id, failed)))
    for row in rows:
        if row["state"] != FAILED:
            name = f"{row['request_hash']}{_ARCHIVED}{row['id']}"
            here = LlmCall.id == row["id"]
            connection.execute(update(LlmCall).where(here).values(request_hash=name))


def _take_archived(merging: Merging, row: dict[str, Any]) -> None:
    """Take over a reply whose request was sent again: it counts for what was paid."""
    tally = merging.result.of("llm_calls")
    own = row["request_hash"].partition(_ARCHIVED)[0]
    with merging.store.reading() as connection:
        here = connection.scalars(
            select(LlmCall.reply).where(
                LlmCall.request_hash.like(f"{own}%"),
                LlmCall.state == row["state"],
                LlmCall.input_tokens.is_not_distinct_from(row["input_tokens"]),
                LlmCall.output_tokens.is_not_distinct_from(row["output_tokens"]),
            )
        ).all()
    if row["reply"] in here:
        tally.equal += 1
        return
    tally.taken += 1
    if merging.dry_run:
        return
    passing = f"{own}{_ARCHIVED}taken"
    names = [*_NAMES]
    with merging.store.writing(durable=True) as connection:
        plain = sealed(LlmCall, {**row, "request_hash": own})  # the number is not covered
        add_rows(
            connection, "llm_calls", names, in_order(names, [{**plain, "request_hash": passing}])
        )
        added = connection.scalar(select(LlmCall.id).where(LlmCall.request_hash == passing))
        connection.execute(
            update(LlmCall)
            .where(LlmCall.id == added)
            .values(request_hash=f"{own}{_ARCHIVED}{added}")
        )
