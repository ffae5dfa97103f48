"""Descriptions of images for a judge: one for each image, or a list of them in one record."""

from __future__ import annotations

import json

import pytest

from ig4.core.errors import DatasetError
from ig4.core.files.answers.pairs import read_answers, read_contexts
from ig4.core.files.answers.questions import Question


def test_two_descriptions_of_one_image_are_refused_unless_they_are_the_same(tmp_path):
    file = tmp_path / "contexts.jsonl"
    rows = [{"image": "a.png", "caption": "A bus."}, {"image": "a.png", "caption": "A bus."}]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert read_contexts(file).by_image == {"a.png": "A bus."}
    file.write_text(file.read_text() + json.dumps({"image": "a.png", "caption": "A car."}))
    with pytest.raises(DatasetError, match=r"record 3: 'a\.png' has another description already"):
        read_contexts(file)


def test_answers_repeated_as_they_are_count_once_and_are_told(tmp_path):
    questions = [Question(n, str(n), "Hm?", None, {}) for n in range(2)]
    rows = [{"id": 0, "answer": "x"}, {"id": 1, "answer": "y"}, {"id": 0, "answer": "x"}]
    file = tmp_path / "answers.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    told = []
    assert read_answers(file, questions, told.append).texts == {"0": "x", "1": "y"}
    assert told == [f"{file}: 1 row repeats the answer of an earlier one, and counts once"]
    file.write_text(file.read_text() + json.dumps({"id": 1, "answer": "z"}))
    with pytest.raises(DatasetError, match="record 4: the id '1' comes twice, with another answer"):
        read_answers(file, questions)
