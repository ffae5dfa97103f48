"""Placeholders of images among tokens, and rows of tokens filled up to one length."""

from __future__ import annotations

import pytest
import torch

from ig4.plugins.training.placeholders import IGNORED, IMAGE, embed, pad_rows, padding_mask

pytestmark = pytest.mark.slow


def test_images_stand_where_their_places_are():
    table = torch.arange(12.0).reshape(6, 2)
    ids = torch.tensor([[1, IMAGE, IMAGE, 2], [IMAGE, IMAGE, 3, 0]])
    images = -torch.arange(1.0, 9.0).reshape(2, 2, 2)
    made = embed(lambda one: table[one], ids, images)
    assert made[0].tolist() == [[2, 3], [-1, -2], [-3, -4], [4, 5]]
    assert made[1].tolist() == [[-5, -6], [-7, -8], [6, 7], [0, 1]]


@pytest.mark.parametrize("images", [None, torch.zeros(2, 2, 2)])
def test_places_without_images_or_too_many_images_are_refused(images):
    table = torch.zeros(6, 2)
    with pytest.raises(ValueError, match="placeholders for"):
        embed(lambda one: table[one], torch.tensor([[1, IMAGE, IMAGE]]), images)


def test_rows_are_filled_up_right_or_left():
    rows = [[1, 2, 3], [4]]
    assert pad_rows(rows, 0).tolist() == [[1, 2, 3], [4, 0, 0]]
    assert pad_rows(rows, IGNORED, left=True).tolist() == [[1, 2, 3], [IGNORED, IGNORED, 4]]
    assert padding_mask(rows).tolist() == [[1, 1, 1], [1, 0, 0]]
    assert padding_mask(rows, left=True).tolist() == [[1, 1, 1], [0, 0, 1]]
