"""Options that all trainers share."""

from __future__ import annotations

from pathlib import Path

from ig4.plugins.trainers.hf.options import HuggingFaceOptions
from ig4.plugins.trainers.minigpt4.options import MiniGPT4Options


def test_folders_are_named_in_full_so_that_a_checkpoint_finds_them_from_anywhere(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    Path("tiny").mkdir()
    assert HuggingFaceOptions(model="tiny").model == str(tmp_path / "tiny")
    assert MiniGPT4Options(vit=Path("eva.pth")).vit == tmp_path / "eva.pth"


def test_names_on_the_hub_stay_as_they_are(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert HuggingFaceOptions(model="Qwen/Qwen2.5-VL-3B-Instruct").model.startswith("Qwen/")
