"""The executor `ray` against `local` on the same images, in turns.

    python benchmarks/bench_ray.py [DATASET] [--limit 400] [--model ViT-B-32] [--rounds 2]

DATASET is in MiniGPT-4 layout. Each side embeds the images with weights that are random, from the
first batch that is committed to the last: starting Ray and loading the model are not in it. One
actor has all the cores, as the command's own process has them. The vectors must be equal.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

from bench_clip import SHARED, random_weights, subset

from ig4.core.engine.ingesting.ingest import DatasetSource, ingest
from ig4.core.engine.scoring.plan import ScoreRequest
from ig4.core.engine.scoring.score import score
from ig4.core.engine.session import Session
from ig4.core.events import Event, StageAdvanced
from ig4.core.host.host import Host
from ig4.core.records import JSON, Choice
from ig4.storage.store import Store

GOAL = 1.15


def embedded(
    dataset: Path, options: dict[str, JSON], executor: Choice
) -> tuple[float, list[bytes]]:
    """Return the seconds of an image from the first committed batch on, and all vectors."""
    committed: list[tuple[float, int]] = []

    def listen(event: Event) -> None:
        if isinstance(event, StageAdvanced) and event.done and event.stage.startswith("clip"):
            committed.append((time.perf_counter(), event.done))

    with tempfile.TemporaryDirectory() as name, Store.open(Path(name) / "ig4.db") as store:
        session = Session(store, Host.discover(), [listen])
        row = ingest(session, DatasetSource(dataset)).dataset
        clip = Choice("embedder", "clip", options)
        score(session, row, ScoreRequest((), embedders=[clip], executor=executor))
        with store.reading() as connection:
            rows = connection.exec_driver_sql(
                "SELECT vector FROM embeddings JOIN images ON images.id = image_id ORDER BY sha256"
            )
            vectors = [bytes(vector) for (vector,) in rows]
    (began, _), (ended, _) = committed[0], committed[-1]
    return (ended - began) / sum(done for _, done in committed[1:]), vectors


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("dataset", nargs="?", type=Path, default=SHARED / "data" / "photos-fsac")
    parser.add_argument("--limit", type=int, default=400, help="only the first samples")
    parser.add_argument("--model", default="ViT-B-32")
    parser.add_argument("--rounds", type=int, default=2)
    given = parser.parse_args()
    cores = os.cpu_count() or 1
    sides = {
        "local": Choice("executor", "local"),
        "ray": Choice("executor", "ray", {"num_cpus": cores}),
    }
    best = dict.fromkeys(sides, float("inf"))
    found: dict[str, list[bytes]] = {}
    with tempfile.TemporaryDirectory(prefix="ig4-bench-") as name:
        folder = Path(name)
        dataset = subset(given.dataset, folder / "set", given.limit)
        weights = random_weights(given.model, folder / "random.pt")
        options: dict[str, JSON] = {
            "model": given.model, "pretrained": str(weights), "device": "cpu", "precision": "fp32",
        }  # fmt: skip
        for _ in range(given.rounds):
            for side, executor in sides.items():
                took, found[side] = embedded(dataset, options, executor)
                best[side] = min(best[side], took)
    for side, took in best.items():
        print(f"{side:6} {1 / took:7.1f} images a second")
    print(f"ray takes {best['ray'] / best['local']:.3f} times as long (goal {GOAL})")
    print("the vectors are", "equal" if found["ray"] == found["local"] else "NOT equal")


if __name__ == "__main__":
    main()
