"""Databases to merge, and what is in them."""

from __future__ import annotations

import json
from pathlib import Path

from sqlalchemy import select, text, update

from ig4.core.engine.ingesting.ingest import DatasetSource, ingest
from ig4.core.engine.pooling.spaces import space_vectors
from ig4.core.engine.scoring.plan import ScoreRequest
from ig4.core.engine.scoring.score import score
from ig4.core.records import Choice
from ig4.storage import datasets, samples
from ig4.storage.integrity.checksums import of_score
from ig4.storage.schema import Base, Component, Score
from ig4.storage.transfer.rows import TableDigest, read_rows
from ig4.storage.transfer.source import open_source

LENGTH = ScoreRequest([Choice("scorer", "length")], spaces=[Choice("embedder", "phash")])


def write_other(path):
    """Write a data set of one sample, which is like none of the others."""
    turns = [{"from": "human", "value": "q"}, {"from": "gpt", "value": "other"}]
    path.write_text(json.dumps([{"id": "a", "conversations": turns}]))


def rows_of(place, *, without=("runs",)) -> dict[str, tuple[int, str]]:
    found = {}
    with open_source(place) as source:
        for table in Base.metadata.sorted_tables:
            digest = TableDigest()
            for rows in read_rows(source.connection, table):
                digest.add(rows)
            found[table.name] = digest.rows, digest.value
    return {name: one for name, one in found.items() if name not in without}


def values(store) -> dict[str, float]:
    with store.reading() as connection:
        rows = connection.execute(text("SELECT external_id, value FROM scores_long"))
        return dict(rows.all())


def set_score(store, content, value, error=None):
    with store.writing() as connection:
        component = connection.scalar(
            select(Component.id).where(Component.kind == "scorer", Component.name == "length")
        )
        where = (Score.component_id == component, Score.content_id == content)
        crc = of_score(component, content, value, error)
        changed = update(Score).where(*where).values(value=value, error=error, crc=crc)
        assert connection.execute(changed).rowcount == 1


def get_score(store, content):
    with store.reading() as connection:
        return connection.execute(
            select(Score.value, Score.error)
            .join(Component, Component.id == Score.component_id)
            .where(Score.content_id == content, Component.name == "length")
        ).one()


def scored(opened, data, name):
    session = opened(name)
    score(session, ingest(session, DatasetSource(data, name="harbour")).dataset, LENGTH)
    return session


def harbour_data(harbour):
    with open_source(harbour / "ig4.db") as source:
        return Path(datasets.list_all(source.connection)[0].path)


def values_of(store, name):
    with store.reading() as connection:
        rows = connection.execute(text(f'SELECT external_id, "{name}" FROM scores_wide'))
        return dict(rows.all())


def space_of(session, dataset, name):
    """Return the vector of each sample in a space, in the order of the data set."""
    with session.store.reading() as connection:
        sample_ids, contents = samples.ordered_ids(connection, dataset.id)
    found = space_vectors(session, dataset, name, {}, sample_ids, contents)
    return found.matrix()


def ids_of(session, selection):
    """Return the ids of the samples of a selection, best first."""
    with session.store.reading() as connection:
        rows = text("SELECT external_id FROM selections_wide WHERE selection_id = :n ORDER BY rank")
        return connection.scalars(rows, {"n": selection}).all()
