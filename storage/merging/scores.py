"""Takes over scores and what scorers reported beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any, TypeAlias

from sqlalchemy import select

from ig4.storage.bulk import in_values
from ig4.storage.integrity.checksums import of_score
from ig4.storage.merging.idmaps import NOWHERE
from ig4.storage.merging.merging import Merging, columns, in_order, sealed
from ig4.storage.schema import Score, ScoreDetails
from ig4.storage.transfer.upserting import add_rows

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from ig4.storage.merging.tally import TableTally

_NAMES = ("component_id", "content_id", "value", "error", "run_id", "crc")
_KEY = ("component_id", "content_id")
_FAILED_HERE = "scores.value IS NULL"

# Plain tuples throughout: a million scores take seconds.
StoredScore: TypeAlias = tuple[int, int, "float | None", "str | None", "int | None", "int | None"]
"""A row of `scores`: component, content, value, error, run, checksum."""

Key: TypeAlias = tuple[int, int]
"""A component and a content."""


def take_scores(merging: Merging) -> None:
    """Take over the scores of all components, with their details; failures, too.

    Scores and details of a chunk are committed together.
    """
    assert tuple(columns(Score)) == _NAMES
    presence = ComponentPresence(merging)
    details = _Details(merging)
    tally = merging.result.of("scores")
    for rows in merging.values(Score):
        mapped = _mapped(merging, rows, tally)
        asked = [row for row in mapped.values() if presence.of(row[0])]
        with merging.store.reading() as connection:
            found = _values(connection, asked)
        wanted = {there: row for there, row in mapped.items() if _wins(tally, row, found)}
        more = details.of(wanted)
        if merging.dry_run or not wanted:
            continue
        with merging.store.writing() as connection:
            _put(connection, list(wanted.values()), more)


def _put(
    connection: Connection, rows: Sequence[StoredScore], details: Sequence[dict[str, Any]]
) -> None:
    """Store scores, in the place of failures alone, and details."""
    add_rows(connection, "scores", _NAMES, rows, key=_KEY, replace=_FAILED_HERE)
    names = columns(ScoreDetails)
    own = [sealed(ScoreDetails, one) for one in details]
    # What is there belongs to the failure that has given way.
    replace = "score_details.details IS NOT NULL"
    add_rows(connection, "score_details", names, in_order(names, own), key=_KEY, replace=replace)


def _mapped(
    merging: Merging, rows: Sequence[StoredScore], tally: TableTally
) -> dict[Key, StoredScore]:
    """Return the sound rows with the ids and checksums of this database, by their key there."""
    components = merging.components.all(row[0] for row in rows)
    contents = merging.contents.all(row[1] for row in rows)
    runs = {one: merging.runs.get(one) for one in {row[4] for row in rows}}
    mapped: dict[Key, StoredScore] = {}
    for row, component, content in zip(rows, components, contents, strict=True):
        there, own, value, error, run, crc = row
        if crc is not None and crc != of_score(there, own, value, error):
            tally.damaged += 1
        elif NOWHERE in (component, content):
            tally.left_out += 1
        else:
            here = of_score(component, content, value, error)
            mapped[there, own] = (component, content, value, error, runs[run], here)
    return mapped


def _values(connection: Connection, rows: Sequence[StoredScore]) -> Mapping[Key, float | None]:
    """Return those scores of the rows' keys that are here, None for a failure."""
    found: dict[Key, float | None] = {}
    by_component = itemgetter(0)
    for component, mine in groupby(sorted(rows, key=by_component), by_component):
        contents = [row[1] for row in mine]
        statement = select(Score.content_id, Score.value).where(
            Score.component_id == component, in_values(connection, Score.content_id, contents)
        )
        for content, value in connection.execute(statement):
            found[component, content] = value
    return found


def _wins(tally: TableTally, row: StoredScore, found: Mapping[Key, float | None]) -> bool:
    """Tell whether a score is to be stored here, and count it."""
    key, value = row[:2], row[2]
    if key not in found:
        tally.taken += 1
        return True
    here = found[key]
    if here is None and value is not None:
        tally.replaced += 1
        return True
    if value is not None and here != value:
        tally.conflicts += 1
    else:
        tally.equal += 1
    return False


class ComponentPresence:
    """Which components had any scores here before the merge; each is asked for once."""

    def __init__(self, merging: Merging) -> None:
        self.merging = merging
        self._known: dict[int, bool] = {}

    def of(self, component: int) -> bool:
        """Tell whether a component (its id here) had scores."""
        if component not in self._known:
            statement = select(Score.component_id).where(Score.component_id == component).limit(1)
            with self.merging.store.reading() as connection:
                self._known[component] = connection.scalar(statement) is not None
        return self._known[component]


class _Details:
    """Finds what scorers there reported, of those that report anything."""

    def __init__(self, merging: Merging) -> None:
        self.merging = merging
        self._reporting = set(
            merging.source.connection.scalars(select(ScoreDetails.component_id).distinct())
        )

    def of(self, rows: Mapping[Key, StoredScore]) -> list[dict[str, Any]]:
        """Return the details that belong to scores, by the ids of this database."""
        found = []
        keys = sorted(key for key in rows if key[0] in self._reporting)
        for component, mine in groupby(keys, itemgetter(0)):
            for stored in self._read(component, [content for _, content in mine]):
                own = rows[stored["component_id"], stored["content_id"]]
                found.append({**stored, "component_id": own[0], "content_id": own[1]})
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
