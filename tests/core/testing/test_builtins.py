"""The built-in components pass the conformance kit, every one of them, every check."""

from __future__ import annotations

import atexit
import csv
import io
import json
import logging
import shutil
import tarfile
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from ig4.core.contracts import Needs
from ig4.core.host.host import Host, missing_modules
from ig4.core.records import JSON, Choice
from ig4.core.testing import (
    ArrayPoolData,
    Check,
    benchmark_checks,
    clusterer_checks,
    declaration_checks,
    embedder_checks,
    executor_checks,
    format_checks,
    grouper_checks,
    index_checks,
    judge_checks,
    make_picture,
    make_pool_data,
    pool_embedder_checks,
    pool_scorer_checks,
    recipe_checks,
    scorer_checks,
    selector_checks,
    trainer_checks,
)
from ig4.plugins.builtin import COMPONENTS

from ...llm_server.client import LlmServer
from ...tiny_encoders import make_dinov2, make_sentence
from ...tiny_models import make_hf, make_llama, make_llava, make_minigpt4
from ...tiny_reward import make_deberta

HOST = Host.discover()
BY_VECTORS = (
    "facility-location", "graph-cut", "k-center", "mmr", "dpp", "herding", "d2-pruning",
    "semdedup", "repr-filter",
)  # fmt: skip
"""Selectors that decide by vectors, and not by the order of scores alone."""
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
def tiny_encoder(make: Callable) -> str:
    """Make a tiny encoder; return its folder."""
    folder = Path(tempfile.mkdtemp(prefix="ig4-tiny-encoder-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return str(make(folder))


def encoder(name: str, make: Callable) -> Callable:
    """Return what makes a built-in embedder on a tiny encoder."""
    return lambda: HOST.build(
        Choice("embedder", f"ig4/{name}", {"model": tiny_encoder(make), "device": "cpu"})
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


def asking(name: str, **options: object) -> Callable:
    """Return what makes a built-in scorer that asks a server of OpenAI's interface, that one."""
    return lambda: HOST.build(
        Choice("scorer", f"ig4/{name}", {"base_url": llm_server().openai_url, **options})
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


def local(name: str, *models: str) -> Callable:
    """Return what makes a built-in scorer on a tiny language model of this machine."""
    return lambda: HOST.build(
        Choice(
            "scorer",
            f"ig4/{name}",
            {
                "device": "cpu",
                "max_length": 1024,
                **{model: str(tiny_models() / "llama") for model in models},
            },
        )
    )


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


def webdataset(folder: Path) -> Path:
    with tarfile.open(folder / "shard-000000.tar", "w") as tar:
        for row in table(folder):
            image = (folder / row.pop("image")).read_bytes()
            for ending, data in (("jpg", image), ("json", json.dumps(row).encode())):
                member = tarfile.TarInfo(f"{row['id']}.{ending}")
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))
    return folder / "shard-000000.tar"


def hf(folder: Path) -> Path:
    import datasets

    made = datasets.Dataset.from_list(table(folder))
    made.save_to_disk(str(folder / "data"))
    return folder / "data"


QUESTIONS: dict[str, JSON] = {
    "vqa": [
        {"id": 1, "image": "a.jpg", "question": "What is this?", "answers": ["bus", "coach"]},
        {"id": 2, "image": "b.jpg", "question": "And this?", "answer": "a cat", "category": "b"},
    ],
    "caption": [
        {"image": "a.jpg", "captions": ["A red bus waits.", "A bus by a river."]},
        {"image": "b.jpg", "captions": ["Two children under a tree."], "category": "people"},
    ],
    "scienceqa": {
        "7": {"question": "Which is it?", "choices": ["igneous", "a rock"], "answer": 0,
              "image": "image.png", "split": "test", "subject": "natural science"},
        "9": {"question": "Where?", "choices": ["Ohio", "Utah"], "answer": 1,
              "image": "image.png", "split": "test", "subject": "social science"},
        "8": {"question": "Why?", "choices": ["so", "not"], "answer": 1, "image": None,
              "split": "test"},
    },
    "okvqa": {"questions": [{"image_id": 9, "question": "What sport?", "question_id": 91},
                            {"image_id": 9, "question": "What plant?", "question_id": 92}]},
    "vsr": [
        {"image": "1.jpg", "caption": "The cat is on the mat.", "label": 1, "relation": "on"},
        {"image": "2.jpg", "caption": "The cat is in the sea.", "label": 0, "relation": "in"},
    ],
    "vcr-oc": [
        {"image_id": "a/1@2.jpg", "text_in": "How many horses are there?", "text_out": "3"},
        {"image_id": "a/2@2.jpg", "text_in": "How many cats are there?", "text_out": "1"},
    ],
    "vcr-mci": [
        {"image_id": "a/1@2.jpg", "text_in": "Does a tie exist?", "text_out": "Yes."},
        {"image_id": "a/2@2.jpg", "text_in": "Does a cat exist?", "text_out": "No."},
    ],
    "flickr30k": {"1.jpg": ["a dog runs", "the dog runs fast"], "2.jpg": ["a red boat lies here"],
                  "3.jpg": ["two people talk"]},
    "nocaps": {
        "images": [{"id": 1, "file_name": "1.jpg", "domain": "in-domain"},
                   {"id": 2, "file_name": "2.jpg"}],
        "annotations": [{"image_id": 1, "caption": "a dog runs over a field"},
                        {"image_id": 2, "caption": "a boat lies on a lake"}],
    },
    "llava-bench": [
        {"question_id": 0, "image": "001.jpg", "text": "What is it?", "category": "conv"},
        {"question_id": 1, "image": "001.jpg", "text": "Describe it.", "category": "detail"},
    ],
}  # fmt: skip
"""A few questions for each benchmark, as its files have them."""


@cache
def question_folder() -> Path:
    """Write the questions once for all checks; pytest's folders are not there yet."""
    folder = Path(tempfile.mkdtemp(prefix="ig4-questions-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    for name, questions in QUESTIONS.items():
        (folder / f"{name}.json").write_text(json.dumps(questions), encoding="utf-8")
    annotations = [{"question_id": 92, "image_id": 9, "answers": [{"answer": "fern"}] * 5},
                   {"question_id": 91, "image_id": 9, "answers": [{"answer": "golf"}]}]  # fmt: skip
    (folder / "answers.json").write_text(json.dumps({"annotations": annotations}))
    (folder / "told.json").write_text(json.dumps([{"image": "001.jpg", "caption": "A hill."}]))
    return folder


def benchmark(name: str, **options: str) -> Callable:
    """Return what makes a built-in benchmark of a few questions."""
    return lambda: HOST.build(
        Choice(
            "benchmark",
            f"ig4/{name}",
            {
                "questions": str(question_folder() / f"{name}.json"),
                **{key: str(question_folder() / file) for key, file in options.items()},
            },
        )
    )


@cache
def authors_checkpoint() -> str:
    """Write a network of the authors' form with random weights, for spaces of eight numbers."""
    folder = Path(tempfile.mkdtemp(prefix="ig4-authors-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    rng, d = np.random.default_rng(0), 8 + 8 + 4
    tensors = {"linear.weight": rng.normal(size=(1, d)), "linear.bias": rng.normal(size=1)}
    for layer in range(2):
        for name, rows, place in (
            ("weight", 3 * d, f"multihead_attns.{layer}.in_proj_"),
            ("weight", d, f"multihead_attns.{layer}.out_proj."),
            ("weight", d, f"linears.{layer}."),
        ):
            tensors[place + name] = rng.normal(scale=0.1, size=(rows, d))
            tensors[place + "bias"] = rng.normal(size=rows)
    np.savez(folder / "network.npz", **tensors)
    return str(folder / "network.npz")


def authors_selector() -> Callable:
    """Return what makes the authors' selector with such a checkpoint."""
    return lambda: HOST.build(
        Choice("scorer", "ig4/authors-selector", {"checkpoint": authors_checkpoint()})
    )


def rated(n: int) -> ArrayPoolData:
    """Return a pool all of whose ratings are good enough."""
    data = make_pool_data(n, Needs(columns=("gpt",)))
    data.raw_by_scorer = {"gpt": 90.0 + 10.0 * data.raw_by_scorer["gpt"]}
    return data


CAPABILITIES = {"capabilities": ["charts", "text", "places"]}

CASES: dict[tuple[str, str], list[Check]] = {
    ("scorer", "length"): scorer_checks(builtin("scorer", "length")),
    ("scorer", "clip"): scorer_checks(clip("scorer")),
    ("scorer", "reward"): scorer_checks(reward()),
    ("scorer", "gpt"): scorer_checks(gpt()),
    ("scorer", "claude"): scorer_checks(claude()),
    ("scorer", "alpagasus"): scorer_checks(asking("alpagasus")),
    ("scorer", "mlm-filter"): scorer_checks(asking("mlm-filter")),
    ("scorer", "mmssr"): scorer_checks(asking("mmssr")),
    ("scorer", "digit-rating"): scorer_checks(asking("digit-rating")),
    ("scorer", "deita"): scorer_checks(asking("deita")),
    ("scorer", "selectit"): scorer_checks(asking("selectit")),
    ("scorer", "deita-local"): scorer_checks(
        local("deita-local", "complexity_model", "quality_model")
    ),
    ("scorer", "selectit-local"): scorer_checks(local("selectit-local", "model")),
    ("embedder", "clip"): embedder_checks(clip("embedder")),
    ("embedder", "text"): pool_embedder_checks(builtin("embedder", "text")),
    ("embedder", "pca"): pool_embedder_checks(builtin("embedder", "pca")),
    ("embedder", "tsne"): pool_embedder_checks(builtin("embedder", "tsne")),
    ("embedder", "sentence"): embedder_checks(encoder("sentence", make_sentence)),
    ("embedder", "vision"): embedder_checks(encoder("vision", make_dinov2)),
    ("embedder", "phash"): embedder_checks(builtin("embedder", "phash")),
    ("clusterer", "kmeans"): clusterer_checks(builtin("clusterer", "kmeans")),
    ("clusterer", "spectral"): clusterer_checks(builtin("clusterer", "spectral")),
    ("selector", "quota"): selector_checks(builtin("selector", "quota")),
    ("selector", "topk"): selector_checks(builtin("selector", "topk")),
    ("selector", "random"): selector_checks(builtin("selector", "random"), by_score=False),
    ("grouper", "auto"): grouper_checks(builtin("grouper", "auto")),
    ("grouper", "source"): grouper_checks(builtin("grouper", "source", min_size=1)),
    ("grouper", "form"): grouper_checks(builtin("grouper", "form", min_size=2)),
    ("grouper", "clusters"): grouper_checks(builtin("grouper", "clusters")),
    ("grouper", "product"): grouper_checks(builtin("grouper", "product", min_size=3)),
    ("grouper", "dataset"): grouper_checks(builtin("grouper", "dataset")),
    **{
        ("selector", name): selector_checks(builtin("selector", name), by_score=False)
        for name in BY_VECTORS
    },
    ("index", "exact"): index_checks(builtin("index", "exact")),
    ("index", "faiss"): index_checks(builtin("index", "faiss", exact_below=0)),
    ("scorer", "negclip-loss"): pool_scorer_checks(builtin("scorer", "negclip-loss")),
    ("scorer", "own-picture"): pool_scorer_checks(builtin("scorer", "own-picture")),
    ("scorer", "normsim"): pool_scorer_checks(builtin("scorer", "normsim")),
    ("scorer", "density"): pool_scorer_checks(builtin("scorer", "density")),
    ("scorer", "leverage"): pool_scorer_checks(builtin("scorer", "leverage")),
    ("scorer", "prototypicality"): pool_scorer_checks(
        builtin("scorer", "prototypicality", groups="form")
    ),
    ("scorer", "authors-selector"): pool_scorer_checks(authors_selector()),
    ("scorer", "given-again"): pool_scorer_checks(builtin("scorer", "given-again")),
    ("scorer", "ending-in-pool"): pool_scorer_checks(builtin("scorer", "ending-in-pool")),
    ("scorer", "ending"): scorer_checks(builtin("scorer", "ending")),
    ("scorer", "repetition"): scorer_checks(builtin("scorer", "repetition")),
    ("scorer", "odd-characters"): scorer_checks(builtin("scorer", "odd-characters")),
    ("scorer", "language"): scorer_checks(builtin("scorer", "language")),
    ("selector", "ccs"): selector_checks(builtin("selector", "ccs"), by_score=False),
    ("selector", "middle"): selector_checks(builtin("selector", "middle"), by_score=False),
    ("selector", "mig"): selector_checks(builtin("selector", "mig"), by_score=False),
    ("selector", "capability-style"): selector_checks(
        builtin("selector", "capability-style", **CAPABILITIES), by_score=False
    ),
    ("selector", "metaclip"): selector_checks(builtin("selector", "metaclip"), by_score=False),
    ("selector", "alpagasus"): selector_checks(
        builtin("selector", "alpagasus"), by_score=False, data=rated
    ),
    ("selector", "longest"): selector_checks(builtin("selector", "longest"), by_score=False),
    ("selector", "balanced"): selector_checks(builtin("selector", "balanced"), by_score=False),
    **{
        ("recipe", one.name): recipe_checks(builtin("recipe", one.name))
        for one in COMPONENTS
        if one.kind == "recipe"
    },
    ("trainer", "minigpt4"): trainer_checks(
        trainer("minigpt4", epochs=2, steps_per_epoch=2, learning_rate=0.01)
    ),
    ("trainer", "llava"): trainer_checks(trainer("llava", epochs=2, learning_rate=0.01)),
    ("trainer", "hf"): trainer_checks(trainer("hf", epochs=2, learning_rate=0.01)),
    ("judge", "gpt"): judge_checks(gpt("judge")),
    ("judge", "claude"): judge_checks(claude("judge", vision=True)),
    ("judge", "reference"): judge_checks(builtin("judge", "reference")),
    ("benchmark", "scienceqa"): benchmark_checks(benchmark("scienceqa")),
    ("benchmark", "okvqa"): benchmark_checks(benchmark("okvqa", annotations="answers.json")),
    ("benchmark", "vsr"): benchmark_checks(benchmark("vsr")),
    ("benchmark", "vcr-oc"): benchmark_checks(benchmark("vcr-oc")),
    ("benchmark", "vcr-mci"): benchmark_checks(benchmark("vcr-mci")),
    ("benchmark", "flickr30k"): benchmark_checks(benchmark("flickr30k")),
    ("benchmark", "nocaps"): benchmark_checks(benchmark("nocaps")),
    ("benchmark", "llava-bench"): benchmark_checks(benchmark("llava-bench", context="told.json")),
    ("benchmark", "vqa"): benchmark_checks(benchmark("vqa")),
    ("benchmark", "caption"): benchmark_checks(benchmark("caption")),
    ("format", "minigpt4"): format_checks(builtin("format", "minigpt4"), minigpt4, "out"),
    ("format", "llava"): format_checks(builtin("format", "llava"), llava, "out.json"),
    ("format", "sharegpt"): format_checks(builtin("format", "sharegpt"), sharegpt, "out.json"),
    ("format", "jsonl"): format_checks(builtin("format", "jsonl"), jsonl, "out.jsonl"),
    ("format", "csv"): format_checks(builtin("format", "csv"), csv_, "out.csv"),
    ("format", "parquet"): format_checks(builtin("format", "parquet"), parquet, "out.parquet"),
    ("format", "webdataset"): format_checks(builtin("format", "webdataset"), webdataset, "out.tar"),
    ("format", "hf"): format_checks(builtin("format", "hf"), hf, "out"),
    ("executor", "local"): executor_checks(builtin("executor", "local")),
    ("executor", "ray"): executor_checks(builtin("executor", "ray")),
}


_LOADED = ("clip", "reward", "sentence", "vision", "deita-local", "selectit-local", "ray")
"""Components that load a model, or start a cluster, for every check."""


def cases() -> list:
    """Return every check of every component as a parameter; those that cannot run are skipped."""
    made = []
    for (kind, name), checks in CASES.items():
        missing = missing_modules(HOST.find(kind, f"ig4/{name}"))
        marks = [pytest.mark.skip(reason=f"needs {', '.join(missing)}")] if missing else []
        marks += [pytest.mark.slow] if kind == "trainer" or name in _LOADED else []
        made += [
            pytest.param(check, id=f"{kind}-{name}-{check.name}", marks=marks) for check in checks
        ]
    return made


@pytest.mark.parametrize("check", cases())
def test_component(check, monkeypatch, request):
    monkeypatch.setenv("ANTHROPIC_API_KEY", "a key that the server takes")
    if "executor-ray" in request.node.name:
        request.getfixturevalue("cluster")
    check()


@pytest.fixture(scope="module")
def cluster():
    """A cluster of Ray for all checks: to start one takes longer than any check."""
    ray = pytest.importorskip("ray")
    ray.init(log_to_driver=False, logging_level=logging.ERROR)
    yield
    ray.shutdown()


@pytest.mark.slow
@pytest.mark.parametrize("check", declaration_checks(COMPONENTS))
def test_declaration(check):
    check()


def test_every_built_in_component_goes_through_the_kit():
    assert {(c.kind, c.name) for c in COMPONENTS} == set(CASES)


LEAST = {
    "scorer": 26,
    "pool scorer": 17,
    "embedder": 17,
    "grouper": 16,
    "clusterer": 20,
    "index": 17,
    "selector": 22,
    "selector by score": 24,
    "recipe": 11,
    "trainer": 24,
    "judge": 21,
    "benchmark": 20,
    "format": 24,
    "executor": 16,
}
"""How many checks the kit has for each kind; it must never shrink unnoticed."""

BY_SCORE = ("quota", "topk")
"""Selectors that put better samples first."""


def test_the_number_of_checks_does_not_shrink():
    for (kind, name), checks in CASES.items():
        names = {check.name for check in checks}
        of = kind
        if kind == "scorer" and "one_row_is_a_pool" in names:
            of = "pool scorer"
        elif kind == "selector" and name in BY_SCORE:
            of = "selector by score"
        assert len(checks) >= LEAST[of], (kind, name)
    assert {kind for kind, _ in CASES} <= set(LEAST)
    assert len(declaration_checks(COMPONENTS)) == 4 * len(COMPONENTS)
