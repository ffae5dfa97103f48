"""Takes over replies of language models that were paid for, and batches that are on their way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import select, update

from ig4.storage.bulk import in_values
from ig4.storage.calls import BATCH, CLAIMED, DONE, FAILED, LOST, UNREADABLE
from ig4.storage.integrity.seals import seal
from ig4.storage.merging.merging import Merging, columns, in_order, sealed
from ig4.storage.schema import LlmBatch, LlmCall
from ig4.storage.transfer.upserting import add_rows

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from ig4.storage.merging.tally import TableTally

_NAMES = columns(LlmCall, without=("id",))
_PREPARING = "preparing"
_ARCHIVED = "/"
"""Stands in a hash before the number of a reply whose request was sent again."""

_REPLACED = (FAILED, CLAIMED, BATCH, LOST)
"""What an answer takes the very row of; what was paid for beside it got another hash before."""


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
            unseen = merging.batches.unseen([row["id"] for row in fresh])
            known |= {row["key"]: one for row, one in zip(fresh, unseen, strict=True)}
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
    hashes = [row["request_hash"] for row in rows]
    with merging.store.reading() as connection:
        found = _known(connection, hashes)
    if merging.dry_run or not any(_is_wanted(row, found) for row in rows):
        _count(tally, rows, found)
        return
    with merging.store.writing(durable=True) as connection:
        found = _known(connection, hashes, locked=True)  # processes here may be at work on them
        _make_way(connection, rows, found)
        wanted = [sealed(LlmCall, row) for row in rows if _is_wanted(row, found)]
        answers = [row for row in wanted if row["state"] == DONE]
        others = [row for row in wanted if row["state"] != DONE]
        for part, states in ((answers, _REPLACED), (others, (FAILED,))):
            told = ", ".join(f"'{state}'" for state in states)
            add_rows(
                connection, "llm_calls", _NAMES, in_order(_NAMES, part),
                key=("request_hash",), replace=f"llm_calls.state IN ({told})",
            )  # fmt: skip
    _count(tally, rows, found)


def _is_wanted(row: Mapping[str, Any], found: Mapping[str, Mapping[str, Any]]) -> bool:
    """Tell whether a request there is not here, or better than the one that is."""
    here = found.get(row["request_hash"])
    return here is None or _gives_way(here["state"], row["state"])


def _count(
    tally: TableTally, rows: Sequence[Mapping[str, Any]], found: Mapping[str, Mapping[str, Any]]
) -> None:
    for row in rows:
        here = found.get(row["request_hash"])
        if here is None:
            tally.taken += 1
        elif _gives_way(here["state"], row["state"]):
            tally.replaced += 1
        elif here["state"] == CLAIMED:
            tally.left_out += 1
        elif here["state"] == row["state"] == DONE and here["reply"] != row["reply"]:
            tally.conflicts += 1
        else:
            tally.equal += 1


def _gives_way(here: str, there: str) -> bool:
    """Tell whether a request of one state here is replaced by one of another state there.

    A reply replaces all that has none, also what is on its way: nobody is to pay for it again.
    """
    if there == DONE:
        return here != DONE
    return here == FAILED and there in (BATCH, UNREADABLE)


def _known(
    connection: Connection, hashes: Sequence[str], *, locked: bool = False
) -> dict[str, dict[str, Any]]:
    statement = select(
        LlmCall.request_hash, LlmCall.id, LlmCall.state, LlmCall.reply, LlmCall.batch_id
    ).where(in_values(connection, LlmCall.request_hash, hashes))
    rows = connection.execute(statement.with_for_update() if locked else statement).mappings()
    return {row["request_hash"]: dict(row) for row in rows}


def _make_way(
    connection: Connection, rows: Sequence[Mapping[str, Any]], found: Mapping[str, dict[str, Any]]
) -> None:
    """Let rows give way to answers; what may have been paid for them stays in the ledger.

    A request that lies in another batch than the answer came with is paid for, too: it is counted
    as one that may have been.
    """
    for row in rows:
        here = found.get(row["request_hash"])
        if here is None or not _gives_way(here["state"], row["state"]):
            continue
        if here["state"] not in (BATCH, LOST, UNREADABLE) or _is_same_payment(here, row):
            continue
        values: dict[str, Any] = {"request_hash": f"{row['request_hash']}{_ARCHIVED}{here['id']}"}
        if here["state"] == BATCH:
            values |= {"state": LOST, "batch_id": None}
        connection.execute(update(LlmCall).where(LlmCall.id == here["id"]).values(values))


def _is_same_payment(here: Mapping[str, Any], row: Mapping[str, Any]) -> bool:
    """Tell whether a request waits in the very batch that the reply there came from."""
    waits = here["state"] in (BATCH, LOST)
    return waits and here["batch_id"] is not None and here["batch_id"] == row["batch_id"]


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
