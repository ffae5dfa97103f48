"""CLIP scoring end to end against the bare forward passes and against a plain script.

    python benchmarks/bench_clip.py DATASET [--limit 200] [--model ViT-B-32] [--pretrained FILE]

DATASET is in MiniGPT-4 layout. In one run, on the same samples:

- plain: what a short script does: one sample at a time, all of the context, nothing reused;
- bare: batched forward passes on tensors that lie ready in memory, each distinct image and
  sentence once, texts sorted and cut: as fast as the model can be;
- ig4: the engine from an ingested data set on: decoding, embedding, scoring, committing.

Bare and ig4 take turns, and the best of `--rounds` counts, so that other work on the machine
harms both alike. Without --pretrained the weights are random; that changes no speed.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ig4.core.engine.ingesting.ingest import DatasetSource, ingest
from ig4.core.engine.scoring.plan import ScoreRequest
from ig4.core.engine.scoring.score import score
from ig4.core.engine.session import Session
from ig4.core.files.images.decode import decode
from ig4.core.host.host import Host
from ig4.core.records import Choice
from ig4.plugins.models import clipoptions, openclip
from ig4.storage.store import Store

SHARED = Path(os.environ.get("IG4_SHARED", Path(__file__).resolve().parents[2] / "shared"))
IMAGES, TEXTS, SENTENCES = 32, 64, 10


@dataclass
class Sample:
    """An image file and the sentences that count of its answer."""

    path: Path
    sentences: list[str]


def main() -> None:
    given = arguments()
    with tempfile.TemporaryDirectory(prefix="ig4-bench-") as name:
        folder = Path(name)
        dataset = subset(given.dataset, folder / "set", given.limit)
        samples = read(dataset)
        pretrained = given.pretrained or random_weights(given.model, folder / "random.pt")
        options = {"model": given.model, "pretrained": str(pretrained), "device": "cpu"}
        print(f"{len(samples)} samples, {given.model}, {torch.get_num_threads()} threads")
        plain = measure_plain(spread(samples, given.plain), options)
        print(f"plain script          {plain:7.1f} samples/s")
        scores = {}
        for precision in precisions():
            chosen = {**options, "precision": precision}
            bare, ours, scores[precision] = measure(dataset, samples, chosen, given.rounds)
            print(
                f"{precision}: bare passes     {bare:7.1f} samples/s\n"
                f"{precision}: ig4 end to end  {ours:7.1f} samples/s   "
                f"{ours / bare:.2f} of bare, {ours / plain:.1f} x plain"
            )
    for precision, values in scores.items():
        if precision != "fp32":
            report_difference(precision, np.abs(values - scores["fp32"]))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = SHARED / "data" / "photos-fsac"
    parser.add_argument("dataset", nargs="?", type=Path, default=default)
    parser.add_argument("--limit", type=int, default=None, help="only the first samples")
    parser.add_argument(
        "--plain", type=int, default=60, help="how many samples the plain script gets"
    )
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--model", default="ViT-B-32")
    parser.add_argument("--pretrained", type=Path, help="checkpoint file; random without")
    given = parser.parse_args()
    if not given.dataset.exists():
        raise SystemExit(f"no data set at {given.dataset}: name one in MiniGPT-4 layout")
    return given


def precisions() -> list[str]:
    auto = clipoptions.ClipModelOptions(device="cpu").resolved_precision
    return ["fp32"] if auto == "fp32" else ["fp32", auto]


def subset(dataset: Path, folder: Path, limit: int | None) -> Path:
    """Copy the first samples, with their images; all without a limit."""
    (folder / "image").mkdir(parents=True)
    captions = json.loads((dataset / "filter_cap.json").read_text(encoding="utf-8"))["annotations"]
    chosen = captions[:limit]
    for caption in chosen:
        name = f"{caption['image_id']}.jpg"
        shutil.copyfile(dataset / "image" / name, folder / "image" / name)
    (folder / "filter_cap.json").write_text(json.dumps({"annotations": chosen}))
    return folder


def read(dataset: Path) -> list[Sample]:
    captions = json.loads((dataset / "filter_cap.json").read_text())["annotations"]
    return [
        Sample(
            dataset / "image" / f"{caption['image_id']}.jpg",
            [part.strip() for part in caption["caption"].split(".") if part.strip()][:SENTENCES],
        )
        for caption in captions
    ]


def random_weights(model: str, path: Path) -> Path:
    import open_clip

    torch.manual_seed(0)
    torch.save(open_clip.create_model(model).state_dict(), path)
    return path


def spread(samples: Sequence[Sample], number: int) -> Sequence[Sample]:
    """Return about so many samples, evenly from all of them: they differ along the file."""
    return samples[:: max(1, len(samples) // number)]


def measure_plain(samples: Sequence[Sample], options: dict[str, str]) -> float:
    """Return samples a second of a script that does one sample at a time, in fp32."""
    import open_clip

    model, _, preprocess = open_clip.create_model_and_transforms(
        options["model"], pretrained=options["pretrained"]
    )
    model.eval()
    tokenizer = open_clip.get_tokenizer(options["model"])
    began = time.perf_counter()
    with torch.no_grad():
        for sample in samples:
            image = model.encode_image(preprocess(decode(sample.path))[None])
            image /= image.norm(dim=-1, keepdim=True)
            cosines = []
            for sentence in sample.sentences:
                text = model.encode_text(tokenizer([sentence]))
                text /= text.norm(dim=-1, keepdim=True)
                cosines.append((text @ image.T).item())
    return len(samples) / (time.perf_counter() - began)


def measure(
    dataset: Path, samples: Sequence[Sample], options: dict[str, str], rounds: int
) -> tuple[float, float, np.ndarray]:
    """Return samples a second of the bare passes and of ig4, and ig4's scores (n,)."""
    shared = clipoptions.ClipModelOptions(**options)
    clip = openclip.acquire(shared)  # held, so that loading it is in no figure
    pixels = [clip.preprocess(decode(path)) for path in {sample.path: None for sample in samples}]
    texts = list(dict.fromkeys(text for sample in samples for text in sample.sentences))
    tokens = clip.tokenizer(texts)
    bare, ours = [], []
    try:
        for _ in range(rounds):
            bare.append(bare_passes(clip, pixels, tokens))
            seconds, scores = end_to_end(dataset, options)
            ours.append(seconds)
    finally:
        openclip.release(shared)
    return len(samples) / min(bare), len(samples) / min(ours), scores


def bare_passes(
    clip: openclip.ClipModel, pixels: Sequence[torch.Tensor], tokens: torch.Tensor
) -> float:
    order = clip.text.ends(tokens).argsort(stable=True)
    began = time.perf_counter()
    for start in range(0, len(pixels), IMAGES):
        clip.encode_images(pixels[start : start + IMAGES])
    for start in range(0, len(tokens), TEXTS):
        clip.encode_texts(tokens[order[start : start + TEXTS]])
    return time.perf_counter() - began


def end_to_end(dataset: Path, options: dict[str, str]) -> tuple[float, np.ndarray]:
    """Return the seconds of the scoring stage in a new database, and the scores (n,)."""
    folder = tempfile.TemporaryDirectory(prefix="ig4-bench-")
    with folder as name, Store.open(Path(name) / "ig4.db") as store:
        session = Session(store, Host.discover())
        row = ingest(session, DatasetSource(dataset)).dataset
        began = time.perf_counter()
        score(session, row, ScoreRequest([Choice("scorer", "clip", options)]))
        seconds = time.perf_counter() - began
        with store.reading() as connection:
            rows = connection.exec_driver_sql("SELECT clip FROM scores_wide ORDER BY external_id")
            values = np.array([value for (value,) in rows], dtype=np.float64)
    assert np.isfinite(values).all()
    return seconds, values


def report_difference(precision: str, off: np.ndarray) -> None:
    near, far = (off <= 0.1).mean(), (off <= 0.3).mean()
    print(
        f"{precision} against fp32: {near:.2%} of scores within 0.1, {far:.2%} within 0.3, "
        f"largest {off.max():.3f}"
    )


if __name__ == "__main__":
    main()
