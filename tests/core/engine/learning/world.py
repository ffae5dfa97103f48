"""Samples of two kinds, half of them good: length tells of that, `taste` more, `noise` nothing."""

from __future__ import annotations

import json
import random


def write(folder, count=240):
    """Write set.jsonl and scores.csv into a folder."""
    rng = random.Random(1)
    records, scores = [], ["id,noise,taste,twin"]
    for n in range(count):
        good = rng.random() < 0.5
        answer = f"{'good' if good else 'bad'} {n} " + "x" * (rng.randint(0, 40) + 25 * good)
        question = "How many?" if n % 3 == 0 else "What?"
        records.append({"id": f"s{n}", "instruction": question, "answer": answer})
        taste = 0.2 * good + rng.gauss(0, 0.15)
        scores.append(f"s{n},{rng.random()},{taste},{taste * 2}")
    text = "".join(json.dumps(record) + "\n" for record in records)
    (folder / "set.jsonl").write_text(text, encoding="utf-8")
    (folder / "scores.csv").write_text("\n".join(scores) + "\n", encoding="utf-8")
