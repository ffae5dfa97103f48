"""Tables about selections: their names, the scores that they went by, and stored pins."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    ForeignKey,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column

from ig4.storage.schema.base import CASCADE, Base


class SelectionName(Base):
    """The name that a user gave a selection, one of its kind in the data set, and a note on it."""

    __tablename__ = "selection_names"
    __table_args__ = (UniqueConstraint("dataset_id", "name"),)
    selection_id: Mapped[int] = mapped_column(
        ForeignKey("selections.id", ondelete=CASCADE), primary_key=True
    )
    dataset_id: Mapped[int] = mapped_column(ForeignKey("datasets.id", ondelete=CASCADE))
    name: Mapped[str]
    note: Mapped[str | None]
    created_at: Mapped[datetime]
    crc: Mapped[int | None] = mapped_column(BigInteger)


class SelectionScorer(Base):
    """A scorer that counted in a selection, by the name that it had then.

    `values_crc` is the checksum of the values and percents in `selected_scores`.
    """

    __tablename__ = "selection_scorers"
    selection_id: Mapped[int] = mapped_column(
        ForeignKey("selections.id", ondelete=CASCADE), primary_key=True
    )
    position: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    component_id: Mapped[int] = mapped_column(ForeignKey("components.id"))
    values_crc: Mapped[int] = mapped_column(BigInteger)
    crc: Mapped[int | None] = mapped_column(BigInteger)


class SelectedScore(Base):
    """The score that a sample was selected by: its value, and its percent on the scale used."""

    __tablename__ = "selected_scores"
    __table_args__ = ({"sqlite_with_rowid": False},)
    selection_id: Mapped[int] = mapped_column(
        ForeignKey("selections.id", ondelete=CASCADE), primary_key=True
    )
    rank: Mapped[int] = mapped_column(primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    value: Mapped[float | None]
    percent: Mapped[float | None]


class Pin(Base):
    """A sample that a user wants in every selection (`keep`), or in none, with a note on why."""

    __tablename__ = "pins"
    dataset_id: Mapped[int] = mapped_column(
        ForeignKey("datasets.id", ondelete=CASCADE), primary_key=True
    )
    sample_id: Mapped[int] = mapped_column(
        ForeignKey("samples.id", ondelete=CASCADE), primary_key=True
    )
    keep: Mapped[bool]
    note: Mapped[str | None]
    created_at: Mapped[datetime]
    crc: Mapped[int | None] = mapped_column(BigInteger)
