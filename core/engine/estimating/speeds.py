"""How fast components are, as earlier runs of this database have measured it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ig4.storage import runs

if TYPE_CHECKING:
    from ig4.storage.runs import MeasuredSpeed
    from ig4.storage.store import Store

ENOUGH = 100
"""A run with so many units says more than an earlier one with more: machines change."""


class SpeedTable:
    """The speed of each component by its fingerprint."""

    def __init__(self, measured: Mapping[str, Sequence[MeasuredSpeed]]) -> None:
        self._measured = measured

    @classmethod
    def of(cls, store: Store) -> SpeedTable:
        """Read what the last runs have measured."""
        with store.reading() as connection:
            return cls(runs.measured_speeds(connection))

    def of_component(self, fingerprint: str) -> MeasuredSpeed | None:
        """Return what the newest run with enough units has measured, else that with the most."""
        known = self._measured.get(fingerprint, ())
        newest = next((one for one in known if one.units >= ENOUGH), None)
        return newest or max(known, key=lambda one: one.units, default=None)
