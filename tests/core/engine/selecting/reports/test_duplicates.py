"""Which samples of a selection repeat another one of it."""

from __future__ import annotations

import numpy as np

from ig4.core.engine.selecting.reports.duplicates import MOST, SelectedText, find_duplicates


def text(content, image, words="What color is the bus? Red."):
    return SelectedText(content, () if image is None else (image,), words)


def test_equal_contents_are_the_same():
    found = find_duplicates([text(1, 1), text(2, 2, "other"), text(1, 1), text(1, 1)])
    assert (found.same, found.near) == (2, 0)
    assert found.pairs == ((0, 2), (0, 3))


def test_nearly_equal_texts_about_one_image_are_near():
    words = "one two three four five six seven eight nine ten"
    found = find_duplicates([text(1, 7, words), text(2, 7, words.upper() + "!"), text(3, 8, words)])
    assert (found.same, found.near, found.pairs) == (0, 1, ((0, 1),))


def test_different_questions_about_one_image_are_no_duplicates():
    found = find_duplicates([text(1, 7, "What color? Red."), text(2, 7, "How many? Two.")])
    assert found.near == 0


def test_images_are_compared_by_vectors_where_there_are_any():
    unit = np.array([[1, 0], [0.999, 0.0447], [0, 1]], dtype=np.float32)
    chosen = [text(n, n) for n in range(3)]
    assert find_duplicates(chosen).near == 0
    found = find_duplicates(chosen, dict(enumerate(unit)))
    assert found.pairs == ((0, 1),)
    assert found.by_vectors


def test_samples_without_image_are_compared_by_their_texts():
    assert find_duplicates([text(1, None), text(2, None)]).near == 1


def test_texts_without_words_are_alike_only_to_each_other():
    assert find_duplicates([text(1, 5, "?"), text(2, 5, "!"), text(3, 5, "a")]).near == 1


def test_of_a_huge_selection_only_equal_samples_are_told():
    chosen = [text(n, n) for n in range(MOST)] + [text(0, 0)]
    found = find_duplicates(chosen)
    assert (found.same, found.near, found.near_searched) == (1, 0, False)
