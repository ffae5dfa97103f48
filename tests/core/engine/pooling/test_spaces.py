"""Spaces: vectors by name, joined, kept, and missed with the command that makes them."""

from __future__ import annotations

import numpy as np
import pytest

from ig4.core.engine.pooling import vectorfiles
from ig4.core.engine.pooling.neighbours import space_neighbours
from ig4.core.engine.pooling.spaces import require_space, space_vectors
from ig4.core.engine.scoring.plan import ScoreRequest
from ig4.core.engine.scoring.score import score
from ig4.core.errors import UsageError
from ig4.core.records import Choice
from ig4.core.statistics.neighbours import exact_neighbours
from ig4.storage import samples

from ...conftest import record

LETTERS = Choice("embedder", "letters")
COLOUR = Choice("embedder", "colour")


@pytest.fixture
def dataset(folder, read):
    folder.picture("red.png", (255, 0, 0))
    folder.picture("blue.png", (0, 0, 255))
    folder.write(
        record("1", "first", "red.png", instruction="aab"),
        record("2", "second", "blue.png", instruction="cc"),
        record("3", "third", "red.png", instruction="aab"),
        record("4", "fourth", instruction="b"),
        record("5", "", "blue.png", instruction="z"),
    )
    return read().dataset


def found(session, dataset, space, choices=None, ask=space_vectors):
    with session.store.reading() as connection:
        ids, contents = samples.ordered_ids(connection, dataset.id)
    return ask(session, dataset, space, choices or {}, ids, contents)


def test_a_text_space_has_each_distinct_text_once(session, dataset):
    score(session, dataset, ScoreRequest((), spaces=[LETTERS]))
    space = found(session, dataset, "letters")
    np.testing.assert_array_equal(space.vectors, [[2, 1, 0], [0, 0, 2], [0, 1, 0]])
    np.testing.assert_array_equal(space.row_of, [0, 1, 0, 2, -1])  # z is refused


def test_an_image_space_takes_the_first_image(session, dataset):
    score(session, dataset, ScoreRequest((), spaces=[COLOUR]))
    space = found(session, dataset, "colour")
    np.testing.assert_array_equal(space.vectors, [[255, 0, 0], [0, 0, 255]])
    np.testing.assert_array_equal(space.row_of, [0, 1, 0, -1, 1])


def test_samples_may_be_asked_for_in_any_order(session, dataset):
    score(session, dataset, ScoreRequest((), spaces=[LETTERS]))
    with session.store.reading() as connection:
        ids, contents = samples.ordered_ids(connection, dataset.id)
    order = np.array([3, 0])
    space = space_vectors(session, dataset, "letters", {}, ids[order], contents[order])
    np.testing.assert_array_equal(space.matrix(), [[0, 1, 0], [2, 1, 0]])


def test_a_name_remembers_the_options_that_its_vectors_were_made_with(session, dataset):
    other = Choice("embedder", "letters", {"reads": "answer"}, "words")
    score(session, dataset, ScoreRequest((), spaces=[other]))
    np.testing.assert_array_equal(found(session, dataset, "words").row_of, [0, 1, 2, 3, -1])


def test_configured_options_mean_other_vectors(session, dataset):
    score(session, dataset, ScoreRequest((), spaces=[LETTERS]))
    shifted = {"letters": Choice("embedder", "letters", {"shift": 1.0})}
    assert found(session, dataset, "letters", shifted) is None
    score(session, dataset, ScoreRequest((), spaces=[shifted["letters"]]))
    assert found(session, dataset, "letters", shifted).vectors.min() == 1


def test_the_cosine_of_joined_vectors_is_the_weighted_mean(session, dataset):
    score(session, dataset, ScoreRequest((), spaces=[LETTERS, COLOUR]))
    joined = found(session, dataset, "letters=0.7,colour=0.3")
    np.testing.assert_array_equal(joined.row_of, [0, 1, 0, -1, -1])
    parts = [found(session, dataset, name).matrix()[:3] for name in ("letters", "colour")]
    cosines = [_cosines(part) for part in parts]
    np.testing.assert_allclose(
        _cosines(joined.matrix()[:3]), 0.7 * cosines[0] + 0.3 * cosines[1], atol=1e-6
    )


def _cosines(vectors):
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit @ unit.T


def test_what_was_never_computed_is_none_and_the_command_is_told(session, dataset):
    assert found(session, dataset, "letters") is None
    assert found(session, dataset, "letters,rarity") is None
    with pytest.raises(UsageError, match="run `ig4 score --spaces letters`"):
        found(session, dataset, "rarity,letters", ask=require_space)
    with pytest.raises(UsageError, match="import-vectors FILE --as mine"):
        found(session, dataset, "mine", ask=require_space)


def test_a_sample_that_came_later_is_not_passed_over(session, folder, read, dataset):
    score(session, dataset, ScoreRequest((), spaces=[LETTERS]))
    folder.write(record("1", "first", instruction="aab"), record("6", "x", instruction="new"))
    again = read().dataset
    with pytest.raises(UsageError, match="1 sample of set has a text that was not embedded"):
        found(session, again, "letters")


def test_a_pool_embedder_is_computed_when_asked_for_and_kept(session, dataset, tmp_path):
    choices = {"rarity": Choice("embedder", "rarity", {"log": str(tmp_path / "log")})}
    space = found(session, dataset, "rarity", choices)

    np.testing.assert_array_equal(space.row_of, [0, 1, 2, 3, -1])
    np.testing.assert_array_equal(space.vectors[:4, 1], [5, 6, 5, 6])
    found(session, dataset, "rarity", choices)
    assert (tmp_path / "log").read_text() == "5\n"


def test_files_may_be_deleted_or_cut_and_are_made_again(session, dataset, tmp_path):
    choices = {"rarity": Choice("embedder", "rarity", {"log": str(tmp_path / "log")})}
    before = np.array(found(session, dataset, "rarity", choices).vectors)
    (file,) = session.store.vector_folder.glob("*.npy")
    whole = file.read_bytes()
    for broken in (whole[:-4], whole + b"more", b"no array", b""):
        file.write_bytes(broken)
        np.testing.assert_array_equal(found(session, dataset, "rarity", choices).vectors, before)
    assert file.read_bytes() == whole


def test_another_pool_is_embedded_anew(session, folder, read, dataset):
    found(session, dataset, "rarity")
    folder.write(record("1", "first", instruction="aab"), record("2", "fifth", instruction="b"))
    space = found(session, read().dataset, "rarity")
    np.testing.assert_array_equal(space.vectors, [[2, 5], [2, 5]])


@pytest.mark.parametrize("name", ["letters", "colour", "letters,colour"])
def test_large_spaces_are_memory_mapped_and_equal(session, dataset, monkeypatch, name):
    score(session, dataset, ScoreRequest((), spaces=[LETTERS, COLOUR]))
    small = found(session, dataset, name)
    monkeypatch.setattr(vectorfiles, "MAPPED_FROM", 1)
    for _ in range(2):  # written, then read
        mapped = found(session, dataset, name)
        assert isinstance(mapped.vectors, np.memmap)
        np.testing.assert_array_equal(mapped.vectors, small.vectors)
        assert mapped.digest == small.digest


def test_neighbours_are_those_of_the_samples_and_kept(session, dataset):
    score(session, dataset, ScoreRequest((), spaces=[LETTERS]))
    space = found(session, dataset, "letters").take(np.array([0, 1, 2, 3]))
    near = space_neighbours(session, space, 2)
    unit = space.matrix() / np.linalg.norm(space.matrix(), axis=1, keepdims=True)
    naive = exact_neighbours(unit, 2)
    for _ in range(2):
        np.testing.assert_array_equal(near.indices, naive.indices)
        near = space_neighbours(session, space, 2)
    assert isinstance(near.indices, np.memmap)


def test_a_sample_without_a_vector_is_near_to_none(session, dataset):
    score(session, dataset, ScoreRequest((), spaces=[LETTERS]))
    space = found(session, dataset, "letters")
    near = space_neighbours(session, space, 2)
    (without,) = np.flatnonzero(space.row_of < 0)
    assert near.similarity[without].tolist() == [0, 0]
    assert (near.similarity[near.indices == without] == 0).all()
