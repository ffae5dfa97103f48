"""The views for queries: a row a score, a row a sample with its scores, a row a selected sample."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select, text

from ig4.storage.membership import MIXTURE
from ig4.storage.schema import DatasetScorer, SelectionScorer
from ig4.storage.subsets import OWN, SUBSETS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

WIDE_COLUMNS = (
    "external_id", "dataset", "instruction", "answer", "image_path", "cluster", "final_score",
    "selected",
)  # fmt: skip
"""The columns of `scores_wide` beside those of the scorers; no scorer may have these names."""

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


_WIDE = """
CREATE VIEW scores_wide AS
SELECT s.external_id, d.name AS dataset, s.instruction, s.answer, {image} AS image_path{columns},
  (SELECT cl.label FROM cluster_labels cl
    WHERE cl.clustering_id = l.clustering_id AND cl.sample_id = s.id) AS cluster,
  (SELECT x.final_score FROM selected_samples x
    WHERE x.sample_id = s.id AND x.selection_id = l.selection_id) AS final_score,
  EXISTS (SELECT 1 FROM selected_samples x
    WHERE x.sample_id = s.id AND x.selection_id = l.selection_id) AS selected
FROM samples s
JOIN datasets d ON d.id = s.dataset_id
LEFT JOIN ({latest}) l ON l.dataset_id = s.dataset_id
WHERE s.ordinal IS NOT NULL
"""

_IMAGE = """
  (SELECT f.path FROM sample_images si JOIN image_files f ON f.id = si.file_id
    WHERE si.sample_id = s.id ORDER BY si.position LIMIT 1)
"""

# The latest results that each data set has, alone or in a mixture. DISTINCT lets SQLite work them
# out once, and not for each sample.
_LATEST = """
WITH pools AS (
  SELECT id AS pool_id, id AS dataset_id FROM datasets WHERE format <> '{mixture}'
  UNION ALL SELECT dataset_id, member_id FROM dataset_members
), newest AS (
  SELECT p.dataset_id, max(x.id) AS selection_id FROM pools p
  JOIN selections x ON x.dataset_id = p.pool_id
  JOIN components c ON c.id = x.component_id
  WHERE NOT (c.kind = 'selector' AND c.name = '{subsets}' AND c.distribution = '{own}')
  GROUP BY p.dataset_id
), times AS (
  SELECT p.dataset_id, max(k.created_at) AS created_at FROM pools p
  JOIN clusterings k ON k.dataset_id = p.pool_id GROUP BY p.dataset_id
), clustered AS (
  SELECT p.dataset_id, max(k.id) AS clustering_id FROM pools p
  JOIN clusterings k ON k.dataset_id = p.pool_id
  JOIN times t ON t.dataset_id = p.dataset_id AND t.created_at = k.created_at
  GROUP BY p.dataset_id
)
SELECT DISTINCT d.id AS dataset_id, n.selection_id,
  COALESCE(x.clustering_id, k.clustering_id) AS clustering_id
FROM datasets d
LEFT JOIN newest n ON n.dataset_id = d.id
LEFT JOIN selections x ON x.id = n.selection_id
LEFT JOIN clustered k ON k.dataset_id = d.id
"""


def refresh_scores_wide(connection: Connection) -> None:
    """Create `scores_wide`, or replace it, with a column for every scorer name in use."""
    names = connection.scalars(
        select(DatasetScorer.name).distinct().order_by(DatasetScorer.name)
    ).all()
    taken = _Taken(WIDE_COLUMNS)
    columns = "".join(
        "," + _WIDE_COLUMN.format(literal=_literal(name), column=taken.free(name)) for name in names
    )
    connection.execute(text("DROP VIEW IF EXISTS scores_wide"))
    latest = _LATEST.format(mixture=MIXTURE, subsets=SUBSETS, own=OWN)
    _create(connection, _WIDE.format(image=_IMAGE, columns=columns, latest=latest))


_SELECTED = """
CREATE VIEW selections_wide AS
SELECT x.selection_id, n.name AS selection, d.name AS dataset,
  CASE WHEN e.dataset_id = s.dataset_id THEN s.external_id
       ELSE o.name || '/' || s.external_id END AS external_id,
  x.rank, x.final_score, x.cluster, x.quota, s.instruction, s.answer,
  {image} AS image_path{columns}
FROM selected_samples x
JOIN selections e ON e.id = x.selection_id
JOIN components c ON c.id = e.component_id
JOIN datasets d ON d.id = e.dataset_id
JOIN samples s ON s.id = x.sample_id
JOIN datasets o ON o.id = s.dataset_id
LEFT JOIN selection_names n ON n.selection_id = x.selection_id
WHERE NOT (c.kind = 'selector' AND c.name = '{subsets}' AND c.distribution = '{own}')
"""

_SELECTED_BY = """
  (SELECT v.{what} FROM selection_scorers p JOIN selected_scores v
      ON v.selection_id = p.selection_id AND v.position = p.position AND v.rank = x.rank
    WHERE p.selection_id = x.selection_id AND p.name = '{literal}') AS "{column}"
"""

SELECTED_COLUMNS = (
    "selection_id", "selection", "dataset", "external_id", "rank", "final_score", "cluster",
    "quota", "instruction", "answer", "image_path",
)  # fmt: skip
"""The columns of `selections_wide` beside those of the scorers."""


def refresh_selections_wide(connection: Connection) -> None:
    """Create `selections_wide`, or replace it, with two columns for every scorer ever used."""
    names = connection.scalars(
        select(SelectionScorer.name).distinct().order_by(SelectionScorer.name)
    ).all()
    taken = _Taken(SELECTED_COLUMNS)
    values = [taken.free(name) for name in names]
    percents = [taken.free(f"{name}_percent") for name in names]  # no scorer gives way to them
    columns = "".join(
        "," + _SELECTED_BY.format(what=what, literal=_literal(name), column=column)
        for name, *pair in zip(names, values, percents, strict=True)
        for what, column in zip(("value", "percent"), pair, strict=True)
    )
    connection.execute(text("DROP VIEW IF EXISTS selections_wide"))
    statement = _SELECTED.format(image=_IMAGE, columns=columns, subsets=SUBSETS, own=OWN)
    _create(connection, statement)


class _Taken:
    """The names of a view's columns so far; databases do not tell them apart by case."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = {name.lower() for name in names}

    def free(self, name: str) -> str:
        """Return the name of a scorer's column, quoted: `scorer:NAME` where NAME is taken."""
        while name.lower() in self.names:
            name = f"scorer:{name}"
        self.names.add(name.lower())
        return name.replace('"', '""')


def _create(connection: Connection, statement: str) -> None:
    if connection.dialect.name == "postgresql":
        statement = statement.replace("%", "%%")  # psycopg treats % as a placeholder
    connection.exec_driver_sql(statement)


def _literal(name: str) -> str:
    return name.replace("'", "''")
