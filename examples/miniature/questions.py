"""Held-out questions: what, whether, and requests for a description, in ig4's own files."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import instructions
import world

BENCHMARKS = ("what", "whether", "describe")
"""Files of questions: for colors and shapes; for yes or no; for descriptions."""


def write(folder: Path, split: world.Split, pictures: int, captions: int, seed: int = 0) -> None:
    """Write two questions on each of so many pictures, and descriptions of the first of them."""
    rng = random.Random(seed)
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in BENCHMARKS}
    (folder / "images").mkdir()
    for number, scene in enumerate(world.scenes(split, limit=pictures)):
        image = f"images/{scene.name}.png"
        (folder / image).write_bytes(scene.path.read_bytes())
        for question, answer in instructions.balanced(scene, rng):
            name = "what" if question.startswith("what") else "whether"
            rows[name].append(
                {"id": f"{name}-{scene.name}-{len(rows[name])}", "image": image,
                 "question": question, "answer": answer,
                 "category": instructions.kind_of(question)}
            )  # fmt: skip
        if number < captions:
            rows["describe"].append(
                {"id": f"describe-{scene.name}", "image": image, "question": world.DESCRIBE[0],
                 "captions": world.references(scene.facts), "category": "description"}
            )  # fmt: skip
    for name, found in rows.items():
        text = "".join(json.dumps(row) + "\n" for row in found)
        (folder / f"{name}.jsonl").write_text(text, encoding="utf-8")
    counts = ", ".join(f"{len(found):,} {name}" for name, found in rows.items())
    print(f"  {counts}")


def read(folder: Path, name: str) -> list[dict[str, Any]]:
    """Return the questions of a file."""
    lines = (folder / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]
