"""An ablation of a real, tiny vision-language model on questions about images."""

from __future__ import annotations

import json

import pytest
from PIL import Image

import ig4

pytestmark = pytest.mark.slow

COLOURS = {"red": (220, 20, 20), "blue": (20, 20, 220)}


@pytest.fixture
def world(tmp_path, monkeypatch):
    """A scored data set of coloured squares, and questions about them."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    records, questions = [], []
    for n in range(8):
        name = list(COLOURS)[n % 2]
        Image.new("RGB", (16, 16), COLOURS[name]).save(tmp_path / f"{n}.png")
        turns = [
            {"from": "human", "value": "<image>\nWhat colour is it?"},
            {"from": "gpt", "value": f"It is {name}" + "!" * n},
        ]
        records.append({"id": f"s{n}", "image": f"{n}.png", "conversations": turns})
        asked = {"id": n, "question": "Which colour?", "image": f"{n}.png", "answer": name}
        questions.append(asked)
    (tmp_path / "llava.json").write_text(json.dumps(records))
    (tmp_path / "q.jsonl").write_text("".join(json.dumps(one) + "\n" for one in questions))
    ig4.run("llava.json", scorers=["length"], size=4, select={"selector": "topk"},
            cluster={"clusterer": "none"})  # fmt: skip
    return tmp_path


def test_a_real_model_is_trained_evaluated_and_compared_with_itself_untrained(world, tiny):
    pytest.importorskip("torch")
    options = {"model": str(tiny / "hf"), "epochs": 1, "batch_size": 2, "workers": 0,
               "device": "cpu"}  # fmt: skip
    done = ig4.ablate(
        benchmarks={"vqa": {"questions": str(world / "q.jsonl")}}, trainer="hf", options=options,
        arms=["base", "ig4"], seeds=1, size=4, select={"selector": "topk"}, ablate={"limit": 2},
    )  # fmt: skip
    assert (done.done, done.failed, done.unanswered) == (2, 0, 0)
    assert [row.samples for row in done.report.tables[0].rows] == ["0", "4"]
    assert done.report.headlines == {"vqa": "accuracy"}
