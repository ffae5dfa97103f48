"""The views for queries: a row per score, and a row per sample with a column per scorer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select, text

from ig4.storage.schema import DatasetScorer

if TYPE_CHECKING:
    from sqlalchemy import Connection

WIDE_COLUMNS = ("external_id", "dataset", "instruction", "answer")
"""The columns of `scores_wide` before those of the scorers; no scorer may have these names."""

_LONG = """
CREATE VIEW scores_long AS
SELECT d.name AS dataset, s.external_id, ds.name AS scorer, sc.value, sc.error, sd.details,
       c.name AS component, c.version, c.fingerprint, sc.run_id
FROM samples s
JOIN datasets d ON d.id = s.dataset_id
JOIN dataset_scorers ds ON ds.dataset_id = s.dataset_id
JOIN components c ON c.id = ds.component_id
JOIN scores sc ON sc.component_id = ds.component_id AND sc.content_id = s.content_id
LEFT JOIN score_details sd
       ON sd.component_id = sc.component_id AND sd.content_id = sc.content_id
WHERE s.ordinal IS NOT NULL
"""

# A subquery for each scorer, not a join: SQLite joins at most 64 tables.
_WIDE_COLUMN = """
  (SELECT sc.value FROM dataset_scorers ds JOIN scores sc ON sc.component_id = ds.component_id
    WHERE ds.dataset_id = s.dataset_id AND ds.name = '{literal}'
      AND sc.content_id = s.content_id) AS "{column}"
"""


def lock_schema(connection: Connection) -> None:
    """Wait until no other process changes tables or views, and keep them from it until the commit.

    On SQLite a transaction that writes has locked the whole database already.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SELECT pg_advisory_xact_lock({_SCHEMA_LOCK})"))


_SCHEMA_LOCK = 0x696734  # "ig4"


def create_scores_long(connection: Connection) -> None:
    """Create `scores_long`, or replace it."""
    connection.execute(text("DROP VIEW IF EXISTS scores_long"))
    connection.exec_driver_sql(_LONG)


_GROUPS = """
CREATE VIEW groups_long AS
SELECT d.name AS dataset, s.external_id, g.name AS grouping, {name} AS group_name
FROM groupings g
JOIN group_labels gl ON gl.grouping_id = g.id
JOIN samples s ON s.id = gl.sample_id
JOIN datasets d ON d.id = s.dataset_id
WHERE s.ordinal IS NOT NULL
"""

# Not json_extract: SQLite does not let a view call it where queries are not trusted.
_NAME_OF_LABEL = {
    "sqlite": "(SELECT j.value FROM json_each(g.group_names) j WHERE j.key = gl.label)",
    "postgresql": "g.group_names ->> gl.label",
}


def create_groups_long(connection: Connection) -> None:
    """Create `groups_long`, or replace it."""
    connection.execute(text("DROP VIEW IF EXISTS groups_long"))
    connection.exec_driver_sql(_GROUPS.format(name=_NAME_OF_LABEL[connection.dialect.name]))


def refresh_scores_wide(connection: Connection) -> None:
    """Create `scores_wide`, or replace it, with a column for every scorer name in use."""
    names = connection.scalars(
        select(DatasetScorer.name).distinct().order_by(DatasetScorer.name)
    ).all()
    columns = "".join("," + _WIDE_COLUMN.format(**_quoted(name)) for name in names)
    connection.execute(text("DROP VIEW IF EXISTS scores_wide"))
    statement = (
        "CREATE VIEW scores_wide AS SELECT s.external_id, d.name AS dataset, s.instruction, "
        f"s.answer{columns} FROM samples s JOIN datasets d ON d.id = s.dataset_id "
        "WHERE s.ordinal IS NOT NULL"
    )
    if connection.dialect.name == "postgresql":
        statement = statement.replace("%", "%%")  # psycopg treats % as a placeholder
    connection.exec_driver_sql(statement)


def _quoted(name: str) -> dict[str, str]:
    return {"literal": name.replace("'", "''"), "column": name.replace('"', '""')}
