"""Time groups, in seconds of a core: of texts alone, and of a stored data set, page by page.

python benchmarks/bench_groups.py                      # a million instructions
python benchmarks/bench_groups.py --samples 200000 --stored 50000
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ig4.core.contracts import Grouper
from ig4.core.engine.ingesting.ingest import DatasetSource, ingest
from ig4.core.engine.pooling.groups import groups_of
from ig4.core.engine.session import Session
from ig4.core.host.host import Host
from ig4.core.records import Choice, Image, Sample, Turn
from ig4.core.testing import ArrayPoolData, make_pool
from ig4.plugins.groupers.kmeans import kmeans
from ig4.storage import samples
from ig4.storage.store import Store

NOUNS = (
    "man", "dog", "car", "table", "shirt", "sign", "bus", "building", "cat", "plate", "tree",
    "child", "phone", "hat", "ball",
)  # fmt: skip
QUESTIONS = (
    "What color is the {a} near the {b}?",
    "How many {a}s are there beside the {b}?",
    "Is there a {a} on the left of the {b} number {n}?",
    "What is the {a} doing with the {b} number {n}?",
    "What kind of {a} is in front of the {b}?",
    "Describe the {a} and the {b} number {n} in detail.",
    "Which {a} is closer to {b} {n}?\nAnswer the question using a single word or phrase.",
)
ANSWERS = ("red", "Yes", "A {a} stands by the {b}.", "The {a} is here. It waits for the {b}. " * 3)
PICTURE = (Image(None),)


class Generated(Sequence[Sample]):
    """Samples made as they are asked for: a million of them would take a gigabyte."""

    def __init__(self, count: int) -> None:
        self.count = count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, place: int) -> Any:
        raise NotImplementedError

    def __iter__(self) -> Iterator[Sample]:
        for question, answer in texts(self.count):
            turns = (Turn("user", question), Turn("assistant", answer))
            yield Sample("x", question, answer, turns, PICTURE)


def texts(count: int) -> Iterator[tuple[str, str]]:
    rng = random.Random(0)
    for _ in range(count):
        words = {"a": rng.choice(NOUNS), "b": rng.choice(NOUNS), "n": rng.randrange(count)}
        yield rng.choice(QUESTIONS).format(**words), rng.choice(ANSWERS).format(**words)


def seconds(work: Callable[[], object]) -> float:
    """Return the seconds of one core that work takes: others may be at work on the machine."""
    began = time.process_time()
    work()
    return time.process_time() - began


def grouper(name: str) -> Grouper:
    built = Host.discover().build(Choice("grouper", name))
    assert isinstance(built, Grouper)
    return built


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=1_000_000)
    parser.add_argument("--stored", type=int, default=200_000)
    args = parser.parse_args()
    made = Generated(args.samples)
    alone = seconds(lambda: sum(1 for _ in made))
    form = grouper("form")
    pool = make_pool(ArrayPoolData(args.samples, samples=made), form.needs())
    both = seconds(lambda: form.group(pool))
    print(
        f"form of {args.samples:,} instructions: {both - alone:.1f} s (making them {alone:.1f} s)"
    )

    vectors = np.random.default_rng(0).normal(size=(100_000, 512)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    print(f"20 clusters of 100,000 x 512: {seconds(lambda: kmeans(vectors, 20, 0)):.1f} s")
    stored(args.stored)


def stored(count: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "data.jsonl"
        with path.open("w", encoding="utf-8") as file:
            for number, (question, answer) in enumerate(texts(count)):
                row = {"question": question, "answer": answer, "source": NOUNS[number % 9]}
                file.write(json.dumps(row) + "\n")
        with Store.open(Path(folder) / "ig4.db") as store:
            session = Session(store, Host.discover())
            dataset = ingest(session, DatasetSource(path)).dataset
            with store.reading() as connection:
                ids, contents = samples.ordered_ids(connection, dataset.id)
            for name in ("form", "source", "auto"):
                choice = Choice("grouper", name)
                first, again = (
                    seconds(lambda: groups_of(session, dataset, choice, ids, contents))  # noqa: B023
                    for _ in range(2)
                )
                print(f"{name} of {count:,} stored samples: {first:.1f} s; read back {again:.2f} s")


if __name__ == "__main__":
    main()
