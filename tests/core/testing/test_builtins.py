"""The built-in components pass the conformance kit, every one of them, every check."""

from __future__ import annotations

import atexit
import csv
import json
import shutil
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from ig4.core.contracts import CONTRACTS
from ig4.core.host import Host, missing_modules
from ig4.core.records import Choice
from ig4.core.testing import (
    Check,
    clusterer_checks,
    declaration_checks,
    embedder_checks,
    executor_checks,
    format_checks,
    judge_checks,
    make_picture,
    scorer_checks,
    selector_checks,
    trainer_checks,
)
from ig4.plugins.builtin import COMPONENTS

from ...llm_server.client import LlmServer
from ...tiny_models import make_hf, make_llama, make_llava, make_minigpt4
from ...tiny_reward import make_deberta

HOST = Host.discover()
ROWS = [
    ("first", "What is this?", "A red bus,\nseen from behind."),
    ("second", "And this?", 'Two "children" under a tree.'),
    ("third", "This?", "Ein alter Kahn am Fluß: 船."),
]
"""Id, instruction and answer of the records in the data sets below."""


def builtin(kind: str, name: str, **options: object) -> Callable:
    """Return what makes a built-in component: the host, as for everybody."""
    return lambda: HOST.build(Choice(kind, f"ig4/{name}", options))


@cache
def tiny_clip() -> str:
    """Make a randomly initialised CLIP of 2 layers; return the name open_clip loads it by."""
    import open_clip
    import torch
    from safetensors.torch import save_file

    architecture = {
        "embed_dim": 32,
        "vision_cfg": {"image_size": 32, "layers": 2, "width": 64, "patch_size": 8},
        "text_cfg": {
            "context_length": 77,
            "vocab_size": 49408,
            "width": 64,
            "heads": 2,
            "layers": 2,
        },
    }
    folder = Path(tempfile.mkdtemp(prefix="ig4-tiny-clip-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    config = {"model_cfg": architecture, "preprocess_cfg": {}}
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = open_clip.CLIP(**architecture)
    save_file(model.state_dict(), folder / "open_clip_model.safetensors")
    return f"local-dir:{folder}"


def clip(kind: str) -> Callable:
    """Return what makes the built-in CLIP scorer or embedder on the tiny model, in fp32."""
    return lambda: HOST.build(
        Choice(kind, "ig4/clip", {"model": tiny_clip(), "precision": "fp32", "device": "cpu"})
    )


@cache
def tiny_reward() -> str:
    """Make a tiny reward model; return its folder."""
    folder = Path(tempfile.mkdtemp(prefix="ig4-tiny-reward-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return str(make_deberta(folder))


def reward() -> Callable:
    """Return what makes the built-in reward scorer on a tiny model."""
    return lambda: HOST.build(
        Choice("scorer", "ig4/reward", {"model": tiny_reward(), "device": "cpu"})
    )


@cache
def llm_server() -> LlmServer:
    """Start a server on this machine that speaks both vendors' interfaces."""
    server = LlmServer().__enter__()
    atexit.register(server.__exit__)
    return server


def gpt(kind: str = "scorer", **options: object) -> Callable:
    """Return what makes a built-in component that asks OpenAI, asking that server."""
    return lambda: HOST.build(
        Choice(kind, "ig4/gpt", {"base_url": llm_server().openai_url, **options})
    )


def claude(kind: str = "scorer", **options: object) -> Callable:
    """Return what makes a built-in component that asks Claude, asking that server."""
    return lambda: HOST.build(
        Choice(kind, "ig4/claude", {"base_url": llm_server().anthropic_url, **options})
    )


@cache
def tiny_models() -> Path:
    """Make tiny vision-language models; return the folder that holds them by name."""
    folder = Path(tempfile.mkdtemp(prefix="ig4-tiny-models-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    llama = make_llama(folder / "llama")
    make_minigpt4(folder / "minigpt4", llama)
    make_llava(folder / "llava", llama)
    make_hf(folder / "hf")
    return folder


def trainer(name: str, **options: object) -> Callable:
    """Return what makes a built-in trainer on a tiny model, for a few steps."""
    usual = {"device": "cpu", "precision": "fp32", "workers": 0, "save_every": 1, "batch_size": 3}
    places = {
        "minigpt4": {"llm": "llama", "model": "minigpt4"},
        "llava": {"model": "llava"},
        "hf": {"model": "hf"},
    }
    return lambda: HOST.build(
        Choice(
            "trainer",
            f"ig4/{name}",
            {
                **usual,
                **options,
                **{key: str(tiny_models() / place) for key, place in places[name].items()},
            },
        )
    )


def images(folder: Path) -> None:
    """Put one picture for each row into `folder`/image."""
    (folder / "image").mkdir()
    for number, (name, _, _) in enumerate(ROWS):
        make_picture(number).save(folder / "image" / f"{name}.jpg")


def minigpt4(folder: Path) -> Path:
    images(folder)
    captions = [{"image_id": name, "caption": answer} for name, _, answer in ROWS]
    (folder / "filter_cap.json").write_text(json.dumps({"annotations": captions}))
    return folder


def llava(folder: Path) -> Path:
    images(folder)
    records = [
        {
            "id": name,
            "image": f"image/{name}.jpg",
            "conversations": [
                {"from": "human", "value": f"<image>\n{instruction}"},
                {"from": "gpt", "value": answer},
            ],
        }
        for name, instruction, answer in ROWS
    ]
    (folder / "data.json").write_text(json.dumps(records))
    return folder / "data.json"


def sharegpt(folder: Path) -> Path:
    images(folder)
    records = [
        {
            "id": name,
            "messages": [
                {"role": "user", "content": f"<image>{instruction}"},
                {"role": "assistant", "content": answer},
            ],
            "images": [f"image/{name}.jpg"],
        }
        for name, instruction, answer in ROWS
    ]
    (folder / "data.json").write_text(json.dumps(records))
    return folder / "data.json"


def table(folder: Path) -> list[dict[str, str]]:
    images(folder)
    return [
        {"id": name, "image": f"image/{name}.jpg", "instruction": instruction, "answer": answer}
        for name, instruction, answer in ROWS
    ]


def jsonl(folder: Path) -> Path:
    lines = [json.dumps(row) for row in table(folder)]
    (folder / "data.jsonl").write_text("\n".join([*lines, ""]))
    return folder / "data.jsonl"


def csv_(folder: Path) -> Path:
    rows = table(folder)
    with (folder / "data.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return folder / "data.csv"


def parquet(folder: Path) -> Path:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.Table.from_pylist(table(folder)), folder / "data.parquet")
    return folder / "data.parquet"


def hf(folder: Path) -> Path:
    import datasets

    made = datasets.Dataset.from_list(table(folder))
    made.save_to_disk(str(folder / "data"))
    return folder / "data"


CASES: dict[tuple[str, str], list[Check]] = {
    ("scorer", "length"): scorer_checks(builtin("scorer", "length")),
    ("scorer", "clip"): scorer_checks(clip("scorer")),
    ("scorer", "reward"): scorer_checks(reward()),
    ("scorer", "gpt"): scorer_checks(gpt()),
    ("scorer", "claude"): scorer_checks(claude()),
    ("embedder", "clip"): embedder_checks(clip("embedder")),
    ("clusterer", "kmeans"): clusterer_checks(builtin("clusterer", "kmeans")),
    ("clusterer", "spectral"): clusterer_checks(builtin("clusterer", "spectral")),
    ("selector", "quota"): selector_checks(builtin("selector", "quota")),
    ("selector", "topk"): selector_checks(builtin("selector", "topk")),
    ("selector", "random"): selector_checks(builtin("selector", "random"), by_score=False),
    ("trainer", "minigpt4"): trainer_checks(
        trainer("minigpt4", epochs=2, steps_per_epoch=2, learning_rate=0.01)
    ),
    ("trainer", "llava"): trainer_checks(trainer("llava", epochs=2, learning_rate=0.01)),
    ("trainer", "hf"): trainer_checks(trainer("hf", epochs=2, learning_rate=0.01)),
    ("judge", "gpt"): judge_checks(gpt("judge")),
    ("judge", "claude"): judge_checks(claude("judge", vision=True)),
    ("judge", "reference"): judge_checks(builtin("judge", "reference")),
    ("format", "minigpt4"): format_checks(builtin("format", "minigpt4"), minigpt4, "out"),
    ("format", "llava"): format_checks(builtin("format", "llava"), llava, "out.json"),
    ("format", "sharegpt"): format_checks(builtin("format", "sharegpt"), sharegpt, "out.json"),
    ("format", "jsonl"): format_checks(builtin("format", "jsonl"), jsonl, "out.jsonl"),
    ("format", "csv"): format_checks(builtin("format", "csv"), csv_, "out.csv"),
    ("format", "parquet"): format_checks(builtin("format", "parquet"), parquet, "out.parquet"),
    ("format", "hf"): format_checks(builtin("format", "hf"), hf, "out"),
    ("executor", "local"): executor_checks(builtin("executor", "local")),
    ("executor", "ray"): executor_checks(builtin("executor", "ray")),
}


def cases() -> list:
    """Return every check of every component as a parameter; those that cannot run are skipped."""
    made = []
    for (kind, name), checks in CASES.items():
        missing = missing_modules(HOST.find(kind, f"ig4/{name}"))
        marks = [pytest.mark.skip(reason=f"needs {', '.join(missing)}")] if missing else []
        made += [
            pytest.param(check, id=f"{kind}-{name}-{check.name}", marks=marks) for check in checks
        ]
    return made


@pytest.mark.parametrize("check", cases())
def test_component(check, monkeypatch):
    monkeypatch.setenv("ANTHROPIC_API_KEY", "a key that the server takes")
    check()


@pytest.mark.parametrize("check", declaration_checks(COMPONENTS))
def test_declaration(check):
    check()


def test_every_built_in_component_goes_through_the_kit():
    assert {(c.kind, c.name) for c in COMPONENTS} == set(CASES)


EXPECTED = {
    "scorer": 22,
    "embedder": 18,
    "clusterer": 20,
    "selector": 18,
    "trainer": 23,
    "judge": 21,
    "format": 21,
    "executor": 16,
}
"""How many checks the kit has for each kind; it must never shrink unnoticed."""


def test_the_number_of_checks_is_what_it_should_be():
    assert set(EXPECTED) == set(CONTRACTS)
    for (kind, name), checks in CASES.items():
        by_score = 2 if (kind, name) == ("selector", "random") else 0
        assert len(checks) == EXPECTED[kind] - by_score, (kind, name)
    assert len(declaration_checks(COMPONENTS)) == 4 * len(COMPONENTS)
