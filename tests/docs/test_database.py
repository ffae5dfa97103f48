"""docs/database.md explains every table."""

from __future__ import annotations

from pathlib import Path

from ig4.storage.schema import Base

PAGE = (Path(__file__).parents[2] / "docs" / "database.md").read_text(encoding="utf-8")


def test_every_table_is_explained():
    rows = [line for line in PAGE.splitlines() if line.startswith("| `")]
    explained = {name for line in rows for name in line.split("|")[1].replace("`", "").split(", ")}
    assert {name.strip() for name in explained} == set(Base.metadata.tables)
