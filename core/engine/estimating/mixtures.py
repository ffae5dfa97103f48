"""Leaves no mixture behind that was made only to be asked about."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ig4.storage import datasets, membership

if TYPE_CHECKING:
    from ig4.core.engine.session import Session


@contextmanager
def passing_mixtures(session: Session) -> Iterator[None]:
    """Remove at the end those mixtures that the block has made."""
    before = set(_mixtures(session))
    try:
        yield
    finally:
        made = [number for number in _mixtures(session) if number not in before]
        if made:
            with session.store.writing() as connection:
                for number in made:
                    membership.remove(connection, number)


def _mixtures(session: Session) -> list[int]:
    with session.store.reading() as connection:
        return [row.id for row in datasets.list_all(connection) if row.is_mixture]
