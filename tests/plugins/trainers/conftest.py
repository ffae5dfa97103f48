"""Tiny models for the trainers, and the fixture of golden numbers from the original code."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from ...conftest import ROOT
from ...tiny_models import make_clip, make_hf, make_llama, make_llava, make_minigpt4, make_qwen


@pytest.fixture(scope="session")
def tiny(tmp_path_factory) -> Path:
    """A folder of tiny models: llama, minigpt4, llava, clip, hf, qwen."""
    folder = tmp_path_factory.mktemp("tiny")
    llama = make_llama(folder / "llama")
    make_minigpt4(folder / "minigpt4", llama)
    make_llava(folder / "llava", llama)
    make_clip(folder / "clip")
    make_hf(folder / "hf")
    make_qwen(folder / "qwen")
    return folder


ROUNDING = 1e-6
"""What rounding in fp32 adds, of the largest value: about eight of its last bits."""


def allowed(golden, limit: float) -> float:
    """Return the limit of a difference, with what large values are rounded by."""
    return limit + ROUNDING * float(golden.abs().max())


class Golden:
    """A folder with what the original code computed: `golden.json` and tensors."""

    def __init__(self, folder: Path) -> None:
        from safetensors.torch import load_file

        self.folder = folder
        self.json = json.loads((folder / "golden.json").read_text(encoding="utf-8"))
        self.config = self.json["config"]
        self.tensors = load_file(folder / "tensors.safetensors")
        self.state = load_file(folder / "state_dict.safetensors")

    def close(self, name: str, value, limit: float) -> None:
        """Hold a tensor to the golden one."""
        golden = self.tensors[name]
        assert value.shape == golden.shape, name
        assert float((value - golden).abs().max()) <= allowed(golden, limit), name


@pytest.fixture(scope="session")
def fixture_folder() -> Path:
    """The folder of IG4_PARITY_FIXTURE, by default the shared one, or a skip."""
    shared = Path(os.environ.get("IG4_SHARED", ROOT.parent / "shared"))
    usual = shared / "fixtures" / "minigpt4-tiny"
    folder = Path(os.environ.get("IG4_PARITY_FIXTURE", usual))
    if not (folder / "golden.json").is_file():
        pytest.skip(f"no parity fixture at {folder}")
    return folder


@pytest.fixture(scope="session")
def golden(fixture_folder) -> Golden:
    """MiniGPT-4's golden numbers."""
    return Golden(fixture_folder)


@pytest.fixture(scope="session")
def golden_llava(fixture_folder) -> Golden:
    """LLaVA's golden numbers."""
    if not (fixture_folder / "llava" / "golden.json").is_file():
        pytest.skip("the parity fixture has no LLaVA")
    return Golden(fixture_folder / "llava")
