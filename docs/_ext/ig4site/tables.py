"""The tables and views of the score database, as a new database tells them."""

from __future__ import annotations

import tempfile
from pathlib import Path

import ig4
from ig4.storage.admin import existing_url
from ig4.storage.querying.describe import describe_tables
from ig4site.writing import PageFolder, code, prose, table

INTRODUCTION = """\
# Tables and columns

What `ig4 query --schema` tells of a new database. `scores_wide` has a further column for each
scorer of yours. [The score database](../database.md) says what it is for, and
`ig4 query --examples` shows queries that work.
"""


def write(pages: PageFolder) -> None:
    """Write the page of all tables with their columns."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "empty.db"
        with ig4.open(file):
            pass
        found = describe_tables(existing_url(file), None)
    lines = [INTRODUCTION]
    for kind, title in (("view", "Views"), ("table", "Tables")):
        lines += [f"## {title}", ""]
        for one in found:
            if one.kind == kind:
                lines += [f"### `{one.name}`", "", prose(one.meaning), ""]
                rows = [(code(c.name), code(c.type), prose(c.meaning)) for c in one.columns]
                lines += [table(("column", "type", "meaning"), rows)]
    pages.write("tables/index", "\n".join(lines))
