"""Resolves the score database that a command uses."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ig4.core.config import Config


def location(db: str | None, config: Config | None = None) -> str:
    """Return --db, else `db` of the configuration (by default ./ig4.toml), else ig4.db."""
    from ig4.storage.connect import DEFAULT

    if db:
        return db
    if config is None:
        from ig4.core.config import FILE, load

        if not Path(FILE).is_file():
            return DEFAULT
        config = load()
    return config.db or DEFAULT
