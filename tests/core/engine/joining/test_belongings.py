"""Merges of what refers to samples: data sets, imported scores, selections, pins and images."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from contextlib import closing

import pytest
from sqlalchemy import func, insert, select, text

from ig4.core.engine.checking import check
from ig4.core.engine.ingesting.imports import ScoreColumn, import_scores
from ig4.core.engine.ingesting.ingest import DatasetSource, ingest
from ig4.core.engine.joining.merge import merge
from ig4.core.engine.scoring.estimate import estimate
from ig4.core.engine.scoring.score import score
from ig4.core.engine.selecting.candidates import SelectionRequest
from ig4.core.engine.selecting.select import select as choose
from ig4.core.records import Choice
from ig4.storage import datasets, pins, selectionnames
from ig4.storage.schema import (
    Clustering,
    DatasetScorer,
    ImageFile,
    Pin,
    Selection,
    SelectionName,
)

from ....harbour import N
from .databases import LENGTH, ids_of, rows_of, write_other


def test_imported_scores_names_selections_and_pins_come_over(harbour, opened, tmp_path):
    there = opened("harbour/ig4.db")
    dataset = there.dataset("harbour")
    with there.store.writing() as connection:
        selectionnames.put(connection, 2, "best", "a note")
        pins.put(connection, dataset.id, [3, 4], keep=True, note="mine")
    here = opened("here.db")
    merge(here, [harbour / "ig4.db"])
    request = SelectionRequest(
        size=12, scorers=("gpt", "look"), weights={"gpt": 0.7, "look": 0.3}, seed=5
    )
    own = choose(here, here.dataset("harbour"), request)
    assert own.id in (1, 5)
    with here.store.reading() as connection:
        assert connection.scalars(select(SelectionName.name)).all() == ["best"]
        assert connection.scalars(select(Pin.note)).all() == ["mine", "mine"]
        assert connection.scalar(select(func.count()).select_from(Clustering)) == 1
        assert set(connection.scalars(select(DatasetScorer.name))) == {"gpt", "look", "length"}
        wide = text("SELECT count(*) FROM selections_wide WHERE selection = 'best'")
        assert connection.scalar(wide) == 10
    assert check(tmp_path / "here.db").sound


def test_selections_find_their_samples_where_numbers_differ(harbour, opened, tmp_path, location):
    there = opened("harbour/ig4.db")
    write_other(tmp_path / "first.json")
    here = opened(location)
    ingest(here, DatasetSource(tmp_path / "first.json", name="first"))
    (result,) = merge(here, [harbour / "ig4.db"], take_datasets=True)
    query = text("SELECT rank, external_id, final_score, cluster FROM selections_wide "
                 "WHERE selection_id = :n ORDER BY rank")  # fmt: skip
    with there.store.reading() as before, here.store.reading() as after:
        first = before.execute(query, {"n": 1}).all()
        number = after.scalar(select(func.min(Selection.id)))
        assert after.execute(query, {"n": number}).all() == first
        assert len(first) == 12
    assert check(location).sound
    assert any("computed anew" in note for note in result.notes) is False  # they were imported
    before = rows_of(location)
    (again,) = merge(here, [harbour / "ig4.db"], take_datasets=True)
    assert again.total("changes") == 0
    assert rows_of(location) == before


def test_a_data_set_that_is_not_here_is_left_out_unless_asked_for(shards, opened, tmp_path):
    here = opened("here.db")
    write_other(tmp_path / "own.json")
    ingest(here, DatasetSource(tmp_path / "own.json", name="own"))
    (result,) = merge(here, shards[:1])
    assert result.datasets == {"harbour": "left out: it is not here (--datasets takes it over)"}
    (result,) = merge(here, shards[:1], take_datasets=True)
    assert result.datasets == {"harbour": "harbour (taken over)"}
    with here.store.reading() as connection:
        assert [row.name for row in datasets.list_all(connection)] == ["own", "harbour"]
    assert check(tmp_path / "here.db").sound


def embedded(folder, opened):
    """Make a database whose data set contains its image; return the place of the image."""
    there = opened(folder)
    picture = b"not really a picture"
    digest = hashlib.sha256(picture).hexdigest()
    place = there.store.image_folder / digest[:2] / digest
    place.parent.mkdir(parents=True)
    place.write_bytes(picture)
    write_other(place.parents[2] / "other.json")
    dataset = ingest(there, DatasetSource(place.parents[2] / "other.json", name="inside")).dataset
    values = {"dataset_id": dataset.id, "name": f"sha256:{digest}", "embedded": True}
    with there.store.writing() as connection:
        connection.execute(insert(ImageFile).values(values | {"path": str(place)}))
    return place


def image_path(store):
    with store.reading() as connection:
        return connection.scalar(select(ImageFile.path).where(ImageFile.embedded.is_(True)))


def test_images_inside_a_data_set_come_with_it(opened, tmp_path):
    place = embedded("there.db", opened)
    here = opened("here.db")
    merge(here, [tmp_path / "there.db"])
    copied = tmp_path / "here-images" / place.parent.name / place.name
    assert copied.read_bytes() == place.read_bytes()
    assert image_path(here.store) == str(copied)


@pytest.mark.parametrize("place", ["../secret", "ab/../../secret"])
def test_a_path_that_leads_out_of_the_images_is_not_copied(opened, tmp_path, place):
    folder = embedded("there.db", opened).parents[1]
    (tmp_path / "secret").write_text("secret")
    with closing(sqlite3.connect(tmp_path / "there.db")) as connection, connection:
        connection.execute("UPDATE image_files SET path = ?", [f"{folder}/{place}"])
    before = sorted(path for path in tmp_path.rglob("*") if path.is_file())
    merge(opened("here.db"), [tmp_path / "there.db"])
    after = sorted(path for path in tmp_path.rglob("*") if path.is_file())
    assert {path.name.partition(".")[0] for path in set(after) - set(before)} == {"here"}


def test_a_mixture_comes_over_with_its_parts(data, opened, tmp_path):
    write_other(tmp_path / "other.json")
    there = opened("there.db")
    ingest(there, DatasetSource(data, name="harbour"))
    ingest(there, DatasetSource(tmp_path / "other.json", name="other"))
    mixture = there.dataset("harbour,other")
    score(there, mixture, LENGTH)
    chosen = choose(there, mixture, SelectionRequest(size=6, selector=Choice("selector", "topk")))
    here = opened("here.db")
    (result,) = merge(here, [tmp_path / "there.db"])
    assert result.datasets["harbour+other"] == "harbour+other (taken over)"
    taken = here.dataset("harbour,other")
    assert sum(estimate(here, taken, LENGTH).calls.values()) == 0
    again = choose(here, taken, SelectionRequest(size=6, selector=Choice("selector", "topk")))
    assert ids_of(here, again.id) == ids_of(there, chosen.id)
    assert merge(here, [tmp_path / "there.db"])[0].total("changes") == 0
    assert check(tmp_path / "here.db").sound


@pytest.mark.parametrize("shared", [1, N - 1])
def test_imported_scores_come_where_most_samples_are_the_same(data, opened, tmp_path, shared):
    records = json.loads(data.read_text())
    for one in records[shared:]:
        one["conversations"][1]["value"] += " otherwise"
    (data.parent / "theirs.json").write_text(json.dumps(records))
    there, here = opened("there.db"), opened("here.db")
    theirs = ingest(there, DatasetSource(data.parent / "theirs.json", name="data")).dataset
    (tmp_path / "own.csv").write_text(
        "id,length\n" + "".join(f"harbour-{n:03d},{n}\n" for n in range(N))
    )
    import_scores(there, theirs, ScoreColumn(tmp_path / "own.csv", "length", "length"))
    own = ingest(here, DatasetSource(data, name="data")).dataset
    (result,) = merge(here, [tmp_path / "there.db"])
    named = result.tables["dataset_scorers"]
    if shared > 1:
        assert (named.taken, named.conflicts) == (1, 0)
        return
    assert (named.taken, named.conflicts) == (0, 1)
    assert "no more than half of their samples are the same" in result.conflicts[0]
    assert score(here, own, LENGTH).done["length"] >= N - 3  # some samples are alike
