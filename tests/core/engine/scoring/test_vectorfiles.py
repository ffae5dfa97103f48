"""Scoring where vectors lie in files: the same scores, and a folder that breaks stops nothing."""

from __future__ import annotations

import pytest

from ig4.core.engine.scoring.plan import ScoreRequest
from ig4.core.engine.scoring.score import score
from ig4.core.events import Notice
from ig4.core.records import Choice
from ig4.storage.vectors import reading
from ig4.storage.vectors.placing import move_into
from ig4.storage.vectors.report import describe_vectors

from ...conftest import record


@pytest.fixture
def dataset(folder, read):
    names = ("red", "green", "blue", "white", "black")
    for name in names:
        folder.picture(f"{name}.png", name)
    folder.write(
        *(record(str(n), f"answer {n}", f"{names[n % 5]}.png") for n in range(20)),
    )
    return read().dataset


@pytest.fixture
def files(session, tmp_path):
    """Let vectors lie in files of a vector or two."""
    move_into(session.store, tmp_path / "files", 16)
    return tmp_path / "files"


def request():
    return ScoreRequest(
        [Choice("scorer", "bright", {})], spaces=[Choice("embedder", "letters", {"reads": "text"})]
    )


def values(session):
    with session.store.reading() as connection:
        sql = "SELECT external_id, scorer, value, error FROM scores_long ORDER BY 1, 2"
        return connection.exec_driver_sql(sql).all()


def vectors(session):
    """All vectors of images, by component and image, as they are read."""
    with session.store.reading() as connection:
        keys = connection.exec_driver_sql("SELECT component_id, image_id FROM embeddings").all()
        found = {}
        for component, image in keys:
            ((_, vector),) = reading.of_images(
                connection, session.store.vectors, component, [image]
            )
            found[component, image] = vector if isinstance(vector, str) else vector.tobytes()
    return found


def test_scores_and_vectors_are_those_of_a_database_that_holds_them(
    session, dataset, tmp_path, files
):
    score(session, dataset, request())
    inside = sum(one.inside for one in describe_vectors(session.store).places)
    outside = sum(one.outside for one in describe_vectors(session.store).places)
    assert inside == 0
    assert outside >= 5
    found = values(session), vectors(session)
    with session.store.writing() as connection:
        for table in ("scores", "embeddings", "input_embeddings", "vector_files", "settings"):
            connection.exec_driver_sql(f"DELETE FROM {table}")
    session.store.vectors.close()
    score(session, dataset, request())
    assert describe_vectors(session.store).folder is None
    assert found == (values(session), vectors(session))
    assert len(found[0]) == 20


def test_nothing_is_computed_again(session, dataset, files):
    assert score(session, dataset, request()).embedded > 0
    again = score(session, dataset, request())
    assert (again.embedded, again.done) == (0, {"bright": 0})


def test_a_folder_that_cannot_be_written_is_told_once_and_vectors_stay_in_the_database(
    session, dataset, files
):
    heard = []
    session.listeners = (
        *session.listeners,
        lambda event: heard.append(event.text) if isinstance(event, Notice) else None,
    )
    files.rename(files.with_name("elsewhere"))
    files.write_text("not a folder")
    score(session, dataset, request())
    assert len([text for text in heard if "stay in the database" in text]) == 1
    files.unlink()
    files.with_name("elsewhere").rename(files)
    places = describe_vectors(session.store).places
    assert sum(one.outside for one in places) == 0
    assert sum(one.inside for one in places) >= 5
    assert len(values(session)) == 20
