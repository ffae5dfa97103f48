"""Tiny models, and a data set of the demonstration's scenes in MiniGPT-4's format."""

from __future__ import annotations

import json

import pytest
from PIL import Image

from ..tiny_models import make_hf, make_llama, make_llava, make_minigpt4

COLOURS = ["red", "green", "blue", "white", "black", "grey"]


@pytest.fixture(scope="session")
def tiny_models(tmp_path_factory):
    """A folder of tiny models: llama, minigpt4, llava, hf."""
    folder = tmp_path_factory.mktemp("tiny")
    llama = make_llama(folder / "llama")
    make_minigpt4(folder / "minigpt4", llama)
    make_llava(folder / "llava", llama)
    make_hf(folder / "hf")
    return folder


@pytest.fixture
def boats(tmp_path):
    """`boats/filter_cap.json` with six captions, and six questions in `q.jsonl`."""
    (tmp_path / "boats" / "image").mkdir(parents=True)
    annotations, questions = [], []
    for n, colour in enumerate(COLOURS):
        Image.new("RGB", (20 + n, 18), colour).save(tmp_path / "boats" / "image" / f"{n}.jpg")
        caption = f"A {colour} boat." + " It is small." * n
        annotations.append({"image_id": str(n), "caption": caption})
        image = f"boats/image/{n}.jpg"
        questions.append({"id": n, "image": image, "question": "What is in the picture?"})
    path = tmp_path / "boats" / "filter_cap.json"
    path.write_text(json.dumps({"annotations": annotations}))
    (tmp_path / "q.jsonl").write_text("".join(json.dumps(one) + "\n" for one in questions))
    return path
