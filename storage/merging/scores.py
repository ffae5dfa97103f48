"""Takes over scores and what scorers reported beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from ig4.storage.bulk import in_values
from ig4.storage.integrity.checksums import of_score
from ig4.storage.merging.merging import Merging, columns, in_order, sealed
from ig4.storage.schema import Score, ScoreDetails
from ig4.storage.transfer.upserting import add_rows

if TYPE_CHECKING:
    from sqlalchemy import Connection

_NAMES = columns(Score)
_KEY = ("component_id", "content_id")
_FAILED_HERE = "scores.value IS NULL"

Found = Mapping[tuple[int, int], "float | None"]
"""The values that are here, by component and content; None for a failure."""


def take_scores(merging: Merging) -> None:
    """Take over the scores of all components, with their details; failures, too.

    Scores and details of a chunk are committed together.
    """
    has_scores = _Presence(merging, Score)
    details = _Details(merging)
    for rows in merging.rows(Score):
        good = [row for row in rows if _is_sound(row)]
        merging.result.of("scores").damaged += len(rows) - len(good)
        mapped = _mapped(merging, good)
        there = [one for one in mapped if has_scores.of(one["component_id"])]
        with merging.store.reading() as connection:
            found = _values(connection, there)
        wanted = [row for row in mapped if _wins(merging, row, found)]
        more = details.of(wanted)
        if merging.dry_run or not wanted:
            continue
        with merging.store.writing() as connection:
            put_scores(connection, wanted, more)


def put_scores(
    connection: Connection,
    rows: Sequence[dict[str, Any]],
    details: Sequence[dict[str, Any]],
) -> None:
    """Store scores, in the place of failures alone, and details."""
    values = [
        (
            row["component_id"], row["content_id"], row["value"], row["error"], row["run_id"],
            of_score(row["component_id"], row["content_id"], row["value"], row["error"]),
        )
        for row in rows
    ]  # fmt: skip
    add_rows(connection, "scores", _NAMES, values, key=_KEY, replace=_FAILED_HERE)
    names = columns(ScoreDetails)
    add_rows(
        connection,
        "score_details",
        names,
        in_order(names, [sealed(ScoreDetails, one) for one in details]),
        key=_KEY,
        replace="score_details.details IS NOT NULL",  # what a failure had reported
    )


def _is_sound(row: Mapping[str, Any]) -> bool:
    return row["crc"] is None or row["crc"] == of_score(
        row["component_id"], row["content_id"], row["value"], row["error"]
    )


def _mapped(merging: Merging, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return rows with the ids of this database; those of damaged components are left out."""
    components = merging.components.all(row["component_id"] for row in rows)
    contents = merging.contents.all(row["content_id"] for row in rows)
    mapped = []
    for row, component, content in zip(rows, components, contents, strict=True):
        if component < 0 or content < 0:
            merging.result.of("scores").left_out += 1
            continue
        mapped.append(
            {
                **row,
                "component_id": component,
                "content_id": content,
                "run_id": merging.runs.get(row["run_id"]),
                "there": (row["component_id"], row["content_id"]),
            }
        )
    return mapped


def _values(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> Found:
    """Return those scores of the rows' keys that are here."""
    found: dict[tuple[int, int], float | None] = {}
    by_component = itemgetter("component_id")
    for component, mine in groupby(sorted(rows, key=by_component), by_component):
        contents = [row["content_id"] for row in mine]
        statement = select(Score.content_id, Score.value).where(
            Score.component_id == component, in_values(connection, Score.content_id, contents)
        )
        for content, value in connection.execute(statement):
            found[component, content] = value
    return found


def _wins(merging: Merging, row: Mapping[str, Any], found: Found) -> bool:
    """Tell whether a score is to be stored here, and count it."""
    tally = merging.result.of("scores")
    key = row["component_id"], row["content_id"]
    if key not in found:
        tally.taken += 1
        return True
    value = found[key]
    if value is None and row["value"] is not None:
        tally.replaced += 1
        return True
    if row["value"] is not None and value != row["value"]:
        tally.conflicts += 1
    else:
        tally.equal += 1
    return False


class _Presence:
    """Which components had any results here before the merge; each is asked for once."""

    def __init__(self, merging: Merging, model: Any) -> None:
        self.merging = merging
        self.model = model
        self._known: dict[int, bool] = {}

    def of(self, component: int) -> bool:
        """Tell whether a component (its id here) had results."""
        if component not in self._known:
            mine = self.model.component_id == component
            with self.merging.store.reading() as connection:
                statement = select(self.model.component_id).where(mine).limit(1)
                self._known[component] = connection.scalar(statement) is not None
        return self._known[component]


class _Details:
    """Finds what scorers there reported, of those that report anything."""

    def __init__(self, merging: Merging) -> None:
        self.merging = merging
        self._reporting = set(
            merging.source.connection.scalars(select(ScoreDetails.component_id).distinct())
        )

    def of(self, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Return the details that belong to scores, by the ids of this database."""
        by_key = {row["there"]: row for row in rows if row["there"][0] in self._reporting}
        found = []
        keys = sorted(by_key)
        for component, mine in groupby(keys, itemgetter(0)):
            for stored in self._read(component, [content for _, content in mine]):
                row = by_key[stored["component_id"], stored["content_id"]]
                ids = {name: row[name] for name in _KEY}
                found.append({**stored, **ids})
        self.merging.result.of("score_details").taken += len(found)
        return found

    def _read(self, component: int, contents: Sequence[int]) -> list[dict[str, Any]]:
        connection, table = self.merging.source.connection, ScoreDetails.__table__
        rows = connection.execute(
            select(table).where(
                table.c.component_id == component,
                in_values(connection, ScoreDetails.content_id, contents),
            )
        ).mappings()
        return self.merging.sound(ScoreDetails, [dict(row) for row in rows])
