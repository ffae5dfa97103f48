"""A plugin whose trainer learns the share of good answers, and a benchmark that asks for it."""

from __future__ import annotations

import json
import textwrap

DECLARATION = """
    from ig4.core.hookspecs import hookimpl
    from ig4.core.records import Component

    @hookimpl
    def ig4_components():
        return [
            Component("trainer", "share", "learning.parts:Share"),
            Component("benchmark", "quiz", "learning.parts:Quiz"),
            Component("clusterer", "halves", "learning.parts:Halves"),
            Component("clusterer", "modulo", "learning.parts:Modulo"),
            Component("embedder", "shade", "learning.parts:Shade"),
        ]
"""

PARTS = """
    import json
    import os
    import random
    import signal
    import time

    import numpy as np
    from pydantic import Field

    from ig4.core.contracts import Benchmark, Clusterer, Embedder, Options, Trainer
    from ig4.core.contracts.evaluation import BenchmarkResult, Item
    from ig4.core.records import Failure
    from ig4.core.contracts.training import (
        Checkpoint, Footprint, SampleCheck, TrainingError, TrainingStep,
    )

    class ShareOptions(Options):
        epochs: int = 1
        steps: int | None = None
        noise: float = 0.05
        pause: float = 0.0
        fail: int | None = None
        die: int | None = None
        log: str = ""
        needs: str = ""
        refuses: str | None = None
        spoilt: str = ""

    class Share(Trainer):
        "Learns which share of its samples is good, with some luck."
        Options = ShareOptions

        def identity(self, digest):
            return self.options.model_dump(include={"epochs", "steps", "noise"})

        def _steps(self, samples):
            whole = samples * self.options.epochs
            return min(self.options.steps or whole, whole)

        def check_samples(self, samples):
            for one in samples:
                bad = self.options.refuses is not None and self.options.refuses in one.answer
                yield SampleCheck("it is of a kind that it does not take" if bad else None)

        def train(self, job):
            if job.seed == self.options.fail:
                raise TrainingError(f"the loss is nan with seed {job.seed}")
            if job.seed == self.options.die:
                os.kill(os.getpid(), signal.SIGKILL)
            if self.options.spoilt and any(self.options.spoilt in x.answer for x in job.samples):
                raise TrainingError(f"the loss is nan at {self.options.spoilt}")
            print("a library prints this")
            steps = self._steps(len(job.samples))
            job.started(steps, 0)
            for step in range(1, steps + 1):
                time.sleep(self.options.pause)
                job.report(TrainingStep(step, step / steps, 1 / step, 0.1, None, 0.0))
            if self.options.log:
                with open(self.options.log, "a") as file:
                    file.write(f"{job.seed} {job.origin['selection']} {len(job.samples)}\\n")
            good = sum("good" in one.answer for one in job.samples) / len(job.samples)
            luck = random.Random(job.seed).uniform(-1, 1) * self.options.noise
            (job.output / "share.json").write_text(json.dumps(good + luck))
            return Checkpoint(
                "share", self.options.model_dump(mode="json"), origin=job.origin, seed=job.seed,
                metrics={"steps": steps},
            ).save(job.output)

        def generate(self, checkpoint, prompts, decoding):
            share = 0.0
            if checkpoint.path is not None:
                share = json.loads((checkpoint.path / "share.json").read_text())
            for prompt in prompts:
                if self.options.needs and not os.path.exists(self.options.needs):
                    yield Failure("it is not there")
                else:
                    yield "right" if int(prompt.id) < 100 * share else "wrong"

        def footprint(self, job):
            return Footprint({"all": 1}, 1, {}, self._steps(len(job.samples)), 1)

    class QuizOptions(Options):
        broken: bool = False
        times: float = 1.0
        about: str = "Right?"

    class Quiz(Benchmark):
        "One hundred questions."
        Options = QuizOptions

        def items(self):
            return [
                Item(str(n), f"{self.options.about} {n}", truths=("right",)) for n in range(100)
            ]

        def score(self, items, answers):
            if self.options.broken:
                raise RuntimeError("no ruler here")
            values = [float(answer == "right") for answer in answers]
            mean = sum(values) / len(values)
            metrics = {"accuracy": self.options.times * mean, "error": 1 - mean}
            return BenchmarkResult(metrics, "accuracy", values)

    class Halves(Clusterer):
        "Dark and bright images."

        def fit_predict(self, X, k, seed):
            return np.minimum((X[:, 0] * k / 256).astype(np.int64), k - 1)

    class Modulo(Clusterer):
        "One after the other."

        def fit_predict(self, X, k, seed):
            return np.arange(len(X)) % k

    class Shade(Embedder):
        "The mean red of an image, (n, 1)."

        def embed(self, batch):
            return np.stack([np.asarray(one, dtype=np.float32)[..., 0].mean() for one in batch])[
                :, None
            ]
"""


def install(folder):
    """Write the plugin as an installed distribution into a folder."""
    package = folder / "learning"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(textwrap.dedent(DECLARATION))
    (package / "parts.py").write_text(textwrap.dedent(PARTS))
    info = folder / "learning-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: learning\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[ig4]\nlearning = learning\n")
    return folder


def rows(count=40):
    """Records whose long answers are the good ones: every fourth."""
    made = []
    for n in range(count):
        answer = f"a good and long answer, number {n}" if n % 4 == 0 else f"short {n}"
        made.append({"id": f"s{n}", "instruction": "What?", "answer": answer})
    return made


def write(path, count=40):
    """Write a JSONL data set."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows(count)), encoding="utf-8")
    return path
