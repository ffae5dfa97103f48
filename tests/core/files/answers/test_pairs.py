"""Descriptions of images for a judge: one for each image, or a list of them in one record."""

from __future__ import annotations

import json

import pytest

from ig4.core.errors import DatasetError
from ig4.core.files.answers.pairs import read_contexts


def test_two_descriptions_of_one_image_are_refused_unless_they_are_the_same(tmp_path):
    file = tmp_path / "contexts.jsonl"
    rows = [{"image": "a.png", "caption": "A bus."}, {"image": "a.png", "caption": "A bus."}]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert read_contexts(file).by_image == {"a.png": "A bus."}
    file.write_text(file.read_text() + json.dumps({"image": "a.png", "caption": "A car."}))
    with pytest.raises(DatasetError, match=r"record 3: 'a\.png' has another description already"):
        read_contexts(file)
