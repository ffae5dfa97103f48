"""A folder in which the commands of the pages can run: small stand-ins for what they name.

The data are the scenes of `ig4 demo`, CLIP is the tiny one that comes with ig4, trained models are
tiny ones with random weights, and the language model is the server in tests/llm_server.
"""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
from click.testing import CliRunner

from ig4.cli.main import cli
from ig4.plugins.demo import dataset

from .. import tiny_reward
from ..tiny_models import make_clip, make_hf, make_llama, make_llava

SAMPLES = 60
SIZE = 5
"""What a selection has at most here, whatever size a page says."""

TOKENS = 8
"""What an answer has at most here, where neither the page nor the benchmark itself says."""

CONFIG = """\
[scorers.clip]
model = "ig4-tiny"

[scorers.reward]
model = "models/reward"

[embedders.clip]
model = "ig4-tiny"

[embedders.clip-answer]
use = "clip"
model = "ig4-tiny"
reads = "answer"

[trainers.hf]
model = "models/hf"
steps = 2
batch_size = 2
device = "cpu"

[trainers.llava]
model = "models/llava"
vision = "models/clip"
steps = 2
batch_size = 2
device = "cpu"

[ablate]
compare = ["random", "ig4"]

[benchmarks.vqa]
questions = "mine.jsonl"

[benchmarks.okvqa]
use = "vqa"
questions = "test.jsonl"

[benchmarks.vsr]
use = "vqa"
questions = "test.jsonl"

[benchmarks.dev]
use = "vqa"
questions = "dev.jsonl"
"""


def build(folder: Path, ig4) -> None:
    """Fill a folder with data sets, files beside them, and a database with scores."""
    demo = folder / "data"
    dataset.write(demo, SAMPLES)
    shutil.copytree(demo, folder / "my-data")
    shutil.copytree(demo / "images", folder / "images")
    records = json.loads((demo / "llava.json").read_text(encoding="utf-8"))
    for number, record in enumerate(records):
        record["metadata"] = {"kind": ("drawn", "painted")[number % 2]}
    (demo / "llava.json").write_text(json.dumps(records), encoding="utf-8")
    for name in ("llava.json", "data.json"):
        shutil.copy(demo / "llava.json", folder / name)
    ids = [record["id"] for record in records]
    for place in (demo / "cc_sbu_align", folder / "cc_sbu_align"):
        _minigpt4(place, records, demo)
    _tables(folder, records)
    _scores(folder, ids)
    _vectors(folder, ids)
    _questions(folder, records)
    make_hf(folder / "models" / "hf")
    make_llava(folder / "models" / "llava", make_llama(folder / "models" / "llama"))
    make_clip(folder / "models" / "clip")
    tiny_reward.make_deberta(folder / "models" / "reward")
    (folder / "ig4.toml").write_text(CONFIG, encoding="utf-8")
    (folder / "mine.toml").write_text('[run]\nscorers = ["clip", "length"]\n\n[select]\nsize = 5\n')
    shutil.copy(folder / "mine.toml", folder / "learned.toml")
    for line in PREPARED:
        done = ig4(*line.split())
        assert done.exit_code == 0, f"{line}: {done.output} {done.exception}"
    for name in CHECKPOINTS:
        shutil.copytree(folder / "trained" / "pets-1-hf", folder / name)


PREPARED = (
    "ingest data/llava.json",
    "score --scorers clip,length --spaces clip,text,clip-answer --no-check",
    "cluster --clusterer kmeans --k 4",
    "groups",
    "import-vectors features.npy --as sentence",
    "select --size 8",
    "train --trainer hf --selection last --out trained/pets-1-hf",
)
"""What the database has before a block runs."""


BOTH = ("ig4 select --size 4 --name paper", "ig4 select --size 5 --name percentile")
BEST = ("ig4 select --size 4 --name best", "ig4 select --size 5")  # with the prepared one, three
TRAINED = tuple(
    f"ig4 train --trainer hf --selection last --out trained/{n} -o hf.steps={n}" for n in (1, 3)
)  # with the prepared one, three
SCORES = "ig4 import-scores more.json --id id"
NEEDS = (
    ("calls.md", "flags", ("ig4 score --scorers gpt --no-check",)),
    ("checking.md", "gpt", ("ig4 score --scorers gpt --no-check",)),
    ("evaluation.md", "answers.jsonl", ("cp theirs.jsonl answers.jsonl",)),
    ("evaluation.md", "llava-1-llava", ("cp -r trained/all trained/llava-1-llava",)),
    ("methods/capability-style.md", "", ("ig4 score --scorers mmssr --no-check",)),
    ("methods/middle.md", "", (f"{SCORES} --as perplexity --column perplexity",)),
    ("methods/mig.md", "", (f"{SCORES} --as gpt --column rating",)),
    ("methods/mmssr.md", "select", ("ig4 score --scorers mmssr --no-check",)),
    ("plots.md", "training 3", (*BEST, *TRAINED)),
    ("report.md", "", BEST),
    ("selections.md", "--recipe paper", ("ig4 score --scorers reward,gpt --no-check",)),
    ("selections.md", "selections show", BOTH),
    ("selections.md", "ig4 compare", BOTH),
    ("selections.md", "good.txt", ("echo 0001 > good.txt", "echo 0002 > bad.txt")),
    ("training.md", "generate stage2", ("cp -r trained/all stage2",)),
    ("methods/repr-filter.md", "", (f"{SCORES} --as deita --column rating",)),
)
"""What blocks with a text in them need besides, as commands that are run before them."""


def needs(block) -> list[str]:
    """Return the commands that have to come before those of a block."""
    found = [more for page, text, more in NEEDS if page == block.page and text in block.text]
    return [command for more in found for command in more]


CHECKPOINTS = (
    "trained/cc_sbu_align-1-hf", "trained/cc_sbu_align-1-minigpt4",
    "trained/selected", "trained/all",
)  # fmt: skip
"""Checkpoints that pages name; here all are copies of one."""


def _minigpt4(folder: Path, records: list, demo: Path) -> None:
    (folder / "image").mkdir(parents=True)
    annotations = []
    for number, record in enumerate(records):
        shutil.copy(demo / record["image"], folder / "image" / f"{number}.jpg")
        caption = record["conversations"][1]["value"]
        annotations.append({"image_id": str(number), "caption": caption})
    text = json.dumps({"annotations": annotations})
    (folder / "filter_cap.json").write_text(text, encoding="utf-8")


def _tables(folder: Path, records: list) -> None:
    rows = [
        {"key": r["id"], "file": r["image"], "caption": r["conversations"][1]["value"]}
        for r in records
    ]
    with (folder / "captions.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["key", "file", "caption"])
        writer.writeheader()
        writer.writerows(rows)
    stems = [{"id": Path(row["file"]).stem, "answer": row["caption"]} for row in rows]
    (folder / "captions.json").write_text(json.dumps(stems), encoding="utf-8")


def _scores(folder: Path, ids: list[str]) -> None:
    values = np.random.default_rng(0).uniform(1, 9, (len(ids), 4)).round(3).tolist()
    paper = [
        {"image_id": one, "clip_score": 3 * a, "reward_score": b, "length_score": c}
        for one, (a, b, c, _) in zip(ids, values, strict=True)
    ]
    numbered = [{**row, "image_id": str(n)} for n, row in enumerate(paper)]
    gpt = [{"image_id": str(n), "gpt_score": 10 * v[3]} for n, v in enumerate(values)]
    clusters = [{"image_id": one, "cluster": n % 4} for n, one in enumerate(ids)]
    more = [
        {"id": one, "rating": 10 * a, "perplexity": b}
        for one, (a, b, _, _) in zip(ids, values, strict=True)
    ]
    (folder / "scores.json").write_text(json.dumps(paper))
    (folder / "full_score_data.json").write_text(json.dumps(numbered))
    (folder / "gpt_final_score.json").write_text(json.dumps(gpt), encoding="gb18030")
    (folder / "more.json").write_text(json.dumps(more))
    (folder / "spectral.json").write_text(json.dumps(clusters))
    numbered = [{"image_id": str(n), "cluster": n % 4} for n in range(len(ids))]
    (folder / "spectral_clusters.json").write_text(json.dumps(numbered))


def _vectors(folder: Path, ids: list[str]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq
    import torch

    vectors = np.random.default_rng(1).normal(size=(len(ids), 16)).astype(np.float32)
    for name in ("features.npy", "clip.npy"):
        np.save(folder / name, vectors)
    np.save(folder / "imagenet.npy", np.random.default_rng(2).normal(size=(9, 128)))
    table = pa.table({"uid": ids, "embedding": [row.tolist() for row in vectors]})
    pq.write_table(table, folder / "mine.parquet")
    torch.save(torch.from_numpy(vectors), folder / "features.pt")
    rows = "\n".join(["image_id", *ids])
    (folder / "rows.csv").write_text(f"{rows}\n")


def _questions(folder: Path, records: list) -> None:
    shutil.copy(folder / records[0]["image"], folder / "photo.jpg")
    questions = [
        {"id": n, "image": record["image"], "question": "What is this?", "answers": ["ball", "box"]}
        for n, record in enumerate(records[:4])
    ]
    answers = [{"id": n, "answer": "a ball"} for n in range(4)]
    contexts = [{"id": n, "caption": "There is a ball."} for n in range(4)]
    reviews = [{"question_id": n, "content": "7 8\nBoth are good."} for n in range(4)]
    files = {
        **dict.fromkeys(("q", "questions", "mine", "test", "all_vsr"), questions),
        "dev": [{**one, "id": f"d{one['id']}", "question": "Which?"} for one in questions],
        **dict.fromkeys(("theirs", "ours"), answers),
        **dict.fromkeys(("context", "contexts"), contexts),
        "reviews": reviews,
    }
    for name, rows in files.items():
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (folder / f"{name}.jsonl").write_text(text)


def invoke(*arguments: str):
    """Run `ig4` in this process; gives click's result."""
    return CliRunner().invoke(cli, list(arguments))
