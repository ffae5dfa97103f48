"""A plugin with scorers and an embedder that count what they are asked, and small data sets."""

from __future__ import annotations

import json
import sys
import textwrap

import pytest
from PIL import Image

from ig4.core.engine.ingesting.ingest import DatasetSource, ingest
from ig4.core.engine.session import Session
from ig4.core.host.host import Host
from ig4.storage.store import Store

from .learner import LEARNER
from .service import SERVICE

DECLARATION = """
    from ig4.core.hookspecs import hookimpl
    from ig4.core.records import Component

    @hookimpl
    def ig4_components():
        return [
            Component("scorer", "counted", "counting.parts:Counted"),
            Component("scorer", "bright", "counting.parts:Bright"),
            Component("scorer", "pixels", "counting.parts:Pixels"),
            Component("scorer", "short", "counting.parts:Short"),
            Component("scorer", "bare", "counting.parts:Bare"),
            Component("scorer", "batched", "counting.parts:Batched"),
            Component("scorer", "looking", "counting.parts:Looking"),
            Component("embedder", "grouped", "counting.parts:Grouped"),
            Component("scorer", "regrouped", "counting.parts:Regrouped"),
            Component("scorer", "ratio", "counting.parts:Ratio"),
            Component("scorer", "fitting", "counting.parts:Fitting"),
            Component("scorer", "dice", "counting.parts:Dice"),
            Component("scorer", "lost", "counting.parts:Lost"),
            Component("scorer", "around", "counting.parts:Around", api=2),
            Component("embedder", "colour", "counting.parts:Colour"),
            Component("embedder", "letters", "counting.parts:Letters"),
            Component("embedder", "rarity", "counting.parts:Rarity", api=2),
            Component("clusterer", "gaps", "counting.parts:Gaps", api=2),
            Component("clusterer", "chain", "counting.parts:Chain", api=2),
            Component("scorer", "asking", "counting.service:Asking"),
            Component("scorer", "graded", "counting.parts:Graded"),
            Component("scorer", "asking-grades", "counting.service:AskingGrades"),
            Component("trainer", "learner", "counting.learner:Learner"),
            Component("executor", "sent", "counting.parts:Sent"),
            Component("scorer", "pictured", "counting.parts:Pictured"),
            Component("scorer", "locked", "counting.parts:Locked"),
            Component("scorer", "deadly", "counting.parts:Deadly"),
        ]
"""

PARTS = """
    import os
    import pickle
    import threading
    import time
    from contextlib import contextmanager
    from pathlib import Path

    import numpy as np

    from ig4.core.contracts import (
        Clusterer, Embedder, Executor, Needs, Options, PoolEmbedder, PoolScorer, Scorer,
    )
    from ig4.core.errors import PrerequisiteError
    from ig4.core.records import NO_IMAGE, Choice, Failure, Score

    class Logged(Options):
        log: str = ""
        batch: int = 4
        pause: float = 0.0
        shift: float = 0.0
        weights: str = "here"

    def note(options, name):
        if options.log:
            with open(options.log, "a") as file:
                file.write(name + "\\n")
                file.flush()

    class Counted(Scorer):
        "The number of words; fails, raises or misbehaves as the answer says."
        Options = Logged

        @property
        def batch_size(self):
            return self.options.batch

        def identity(self, digest):
            return {"shift": self.options.shift}

        def open(self):
            if self.options.weights == "missing":
                raise PrerequisiteError("the weights are missing")

        def score(self, batch):
            if any("raise" in sample.answer for sample in batch):
                raise RuntimeError("this one raises")
            return [self._one(sample) for sample in batch]

        def _one(self, sample):
            note(self.options, sample.id)
            time.sleep(self.options.pause)
            if "fail" in sample.answer:
                return Failure("the answer says fail")
            if "nan" in sample.answer:
                return Score(float("nan"))
            told = {"seen": sample.id}
            if "numpy" in sample.answer:
                told["n"] = np.int64(2)
            return Score(len(sample.answer.split()) + self.options.shift, told)

    class Pictured(Scorer):
        "The number of images, of which it asks for no pixels."

        def score(self, batch):
            return [Score(len(s.images)) if s.images else Failure(NO_IMAGE) for s in batch]

    class Locked(Counted):
        "Cannot be sent anywhere."

        def __init__(self, options):
            super().__init__(options)
            self.lock = threading.Lock()

    class Deadly(Counted):
        "Ends its process with the first answer that says so."

        def _one(self, sample):
            if "die" in sample.answer:
                os._exit(3)
            return super()._one(sample)

    class Sent(Executor):
        "Works here, but on copies: work, tasks and results go through pickle, as to a cluster."

        @contextmanager
        def start(self, work):
            there = copied(work)
            there.open()
            try:
                yield lambda tasks: (copied(there(copied(task))) for task in tasks)
            finally:
                there.close()

    def copied(value):
        return pickle.loads(pickle.dumps(value))

    class Batched(Scorer):
        "Notes each batch; a file beside the log whose name ends in .stop interrupts it."
        Options = Logged

        @property
        def batch_size(self):
            return self.options.batch

        def score(self, batch):
            if Path(self.options.log + ".stop").exists():
                raise KeyboardInterrupt
            note(self.options, ",".join(sample.id for sample in batch))
            return [
                Failure("it will not") if "fail" in s.answer else Score(float(len(batch)))
                for s in batch
            ]

    class Looking(Batched):
        reads_pixels = True

    class Grouped(Embedder):
        "Notes each batch of images by their widths."
        Options = Logged

        @property
        def batch_size(self):
            return self.options.batch

        def identity(self, digest):
            return {}

        def embed(self, batch):
            if Path(self.options.log + ".stop").exists():
                raise KeyboardInterrupt
            note(self.options, ",".join(str(image.width) for image in batch))
            return np.array([[image.width] for image in batch], dtype=np.float32)

    class Regrouped(Batched):
        def embedder(self):
            options = {"log": self.options.log + "-images", "batch": 3}
            return Choice("embedder", "grouped", options)

    class Short(Scorer):
        def score(self, batch):
            return [Score(1.0)] * (len(batch) - 1)

    class Bare(Scorer):
        def score(self, batch):
            return [1.0 for _ in batch]

    class RatioOptions(Options):
        maximum: float = 100.0
        base_url: str | None = None
        access_token: str | None = None

    class Ratio(Scorer):
        "The number of words; percents are of `maximum`, which changes no score."
        Options = RatioOptions

        def identity(self, digest):
            return {}

        def score(self, batch):
            return [Score(float(len(sample.answer.split()))) for sample in batch]

        def to_percent(self, values):
            if self.options.maximum == 13:
                raise ValueError("13 is unlucky")
            return 100.0 / self.options.maximum * values

    class GradedOptions(Logged):
        maximum: float = 10.0
        names: str = "letters,words"

    class Graded(Scorer):
        "The number of characters, with the outputs `letters` and `words`, or as the answer says."
        Options = GradedOptions

        @property
        def batch_size(self):
            return self.options.batch

        @property
        def outputs(self):
            return tuple(self.options.names.split(","))

        def identity(self, digest):
            return {"shift": self.options.shift}

        def score(self, batch):
            return [self._one(sample) for sample in batch]

        def _one(self, sample):
            note(self.options, sample.id)
            time.sleep(self.options.pause)
            answer = sample.answer
            if "fail" in answer and not os.environ.get("COUNTING_MENDED"):
                return Failure("the answer says fail")
            given = {"letters": sum(map(str.isalpha, answer)), "words": len(answer.split())}
            if "no words" in answer and not os.environ.get("COUNTING_MENDED"):
                del given["words"]
            if "stranger" in answer:
                given["stranger"] = 1.0
            if "endless" in answer:
                given["letters"] = float("inf")
            named = {name: value for name, value in given.items()
                     if name in self.outputs or name == "stranger"}
            return Score(float("nan") if "nan" in answer else len(answer), outputs=named)

        def to_percent(self, values):
            return 100.0 / self.options.maximum * values

        def output_to_percent(self, output, values):
            return values if output == "letters" else self.to_percent(values) + 1

    class Colour(Embedder):
        "The mean colour of an image, (n, 3)."
        Options = Logged

        def identity(self, digest):
            return {}

        def prepare(self, image):
            if image.width == 13:
                raise ValueError("13 is unlucky")
            if image.width == 17:
                return np.full(3, np.inf)
            return np.asarray(image, dtype=np.float32).reshape(-1, 3).mean(axis=0)

        def embed(self, batch):
            if any(np.isinf(vector).any() for vector in batch):
                raise RuntimeError("17 tears it")
            for vector in batch:
                note(self.options, ",".join(str(round(float(x))) for x in vector))
            return np.stack(batch)

    class LettersOptions(Logged):
        reads: str = "instruction"

    class Letters(Embedder):
        "How often a text has the letters a, b and c; refuses texts with z, and is ended by y."
        Options = LettersOptions

        @property
        def reads(self):
            return self.options.reads

        @property
        def batch_size(self):
            return self.options.batch

        def identity(self, digest):
            return {"reads": self.options.reads, "shift": self.options.shift}

        def embed(self, batch):
            if Path(self.options.log + ".stop").exists() and any("y" in text for text in batch):
                raise KeyboardInterrupt
            note(self.options, "|".join(batch))
            if any("z" in text for text in batch):
                raise ValueError("z is no letter")
            counts = [[text.count(letter) for letter in "abc"] for text in batch]
            return np.array(counts, dtype=np.float32) + np.float32(self.options.shift)

    class Rarity(PoolEmbedder):
        "How many samples of the pool have an answer that begins as this one does, and its length."
        Options = Logged

        def needs(self):
            return Needs(samples=True)

        def embed_pool(self, pool):
            note(self.options, str(pool.n))
            first = [sample.answer[:1] for sample in pool.samples]
            made = [[first.count(one), len(s.answer)] for one, s in zip(first, pool.samples)]
            vectors = np.array(made, dtype=np.float32)
            vectors[[not one for one in first]] = np.nan
            return vectors

    class Gaps(Clusterer):
        "Clusters by the first number of a vector; a vector that is alone with its own is noise."
        uses_k = False
        leaves_noise = True

        def fit_predict(self, X, k, seed):
            values, place, counts = np.unique(X[:, 0], return_inverse=True, return_counts=True)
            number = np.where(counts > 1, np.cumsum(counts > 1) - 1, -1)
            return number[place].astype(np.int64)

    class Chain(Clusterer):
        "Clusters each vector with its nearest one, as an index finds it."
        uses_k = False
        Options = Logged

        def needed_neighbours(self, n, k):
            return 1

        def fit_predict(self, X, k, seed):
            raise AssertionError("it was to be given neighbours")

        def fit_neighbours(self, X, neighbours, k, seed):
            note(self.options, "%dx%d" % neighbours.indices.shape)
            labels = np.arange(len(X))
            for row, near in enumerate(neighbours.indices[:, 0]):
                labels[labels == labels[row]] = labels[near]
            return np.unique(labels, return_inverse=True)[1]

    class Bright(Scorer):
        "The brightness of the first image, by way of the embedder."
        Options = Logged

        @property
        def batch_size(self):
            return self.options.batch

        def identity(self, digest):
            return {}

        def embedder(self):
            return Choice("embedder", "colour", {"log": self.options.log})

        def score(self, batch):
            return [
                Failure("no image") if s.embeddings is None else Score(float(s.embeddings.mean()))
                for s in batch
            ]

    class Fitting(Bright):
        "How much the image has of the colour that the answer names."

        def score(self, batch):
            note(self.options, str(len(batch)))
            return [self._one(s) for s in batch]

        def _one(self, sample):
            if "fail" in sample.answer:
                return Failure("the answer says fail")
            channel = ("red", "green", "blue").index(sample.answer.split()[0])
            return Score(float(sample.embeddings[0][channel]))

    class LostOptions(Logged):
        falls: bool = False

    class Lost(Fitting):
        "How much the image lacks of the colour that the answer names: less is better."
        Options = LostOptions

        def _one(self, sample):
            found = super()._one(sample)
            return found if isinstance(found, Failure) else Score(255.0 - found.value)

        def to_percent(self, values):
            return 100.0 - values / 2.55 if self.options.falls else values / 2.55

    class Dice(Bright):
        "A number that depends on answer and image together, and means nothing."

        def score(self, batch):
            import zlib
            seen = ((s.answer + str(s.embeddings.tolist())).encode() for s in batch)
            return [Score(float(zlib.crc32(text) % 9973)) for text in seen]

    class AroundOptions(Options):
        reads: str = "groups"
        name: str = ""

    class Around(PoolScorer):
        "What a pool shows of each sample: its group, its cluster, its meta, a column, or a space."
        Options = AroundOptions

        def needs(self):
            reads = self.options.reads
            shown = True if reads in ("clusters", "meta") else (self.options.name,)
            return Needs(**{reads: shown})

        def score_pool(self, pool):
            reads, name = self.options.reads, self.options.name
            if reads == "groups":
                found = pool.groups(name).labels
            elif reads == "clusters":
                found = pool.clusters
            elif reads == "meta":
                found = [len(str(told.get("source"))) for told in pool.meta]
            elif "columns" in reads:
                found = pool.raw(name) if pool.has_column(name) else np.zeros(pool.n)
            else:
                found = pool.vectors(name)[:, 0] if pool.has_space(name) else np.zeros(pool.n)
            return np.asarray(found, dtype=np.float64)

    class Pixels(Scorer):
        "The width of the first image, by way of its pixels."
        reads_pixels = True

        def score(self, batch):
            return [Score(float(s.images[0].pixels().width)) if s.images else Failure("no image")
                    for s in batch]
"""


def install(folder):
    """Write the plugin as an installed distribution into a folder."""
    package = folder / "counting"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(textwrap.dedent(DECLARATION))
    (package / "parts.py").write_text(textwrap.dedent(PARTS))
    (package / "service.py").write_text(textwrap.dedent(SERVICE))
    (package / "learner.py").write_text(textwrap.dedent(LEARNER))
    info = folder / "counting-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: counting\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[ig4]\ncounting = counting\n")
    return folder


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    """The folder the plugin is installed in; it is on this process's path."""
    folder = install(tmp_path / "site")
    monkeypatch.syspath_prepend(folder)
    yield folder
    for name in [name for name in sys.modules if name.split(".")[0] == "counting"]:
        del sys.modules[name]


@pytest.fixture
def session(tmp_path, plugin):
    """A session on a new database, with its notices in `session.told`."""
    told = []
    with Store.open(tmp_path / "ig4.db") as store:
        made = Session(store, Host.discover(), [told.append])
        yield made


@pytest.fixture
def notices(session):
    """The texts of all notices so far."""
    from ig4.core.events import Notice

    def texts():
        return [event.text for event in session.listeners[0].__self__ if isinstance(event, Notice)]

    return texts


def record(name, answer, image=None, instruction="What is this?"):
    """A LLaVA record."""
    shown = "<image>\n" if image else ""
    made = {
        "id": name,
        "conversations": [
            {"from": "human", "value": shown + instruction},
            {"from": "gpt", "value": answer},
        ],
    }
    return made | ({"image": image} if image else {})


def picture(path, colour, size=(8, 8)):
    """Write an image of one colour."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)


class Folder:
    """A LLaVA data set that tests change on disk."""

    def __init__(self, folder):
        self.path = folder / "llava.json"
        folder.mkdir(parents=True, exist_ok=True)

    def write(self, *records):
        self.path.write_text(json.dumps(list(records)), encoding="utf-8")
        return self

    def picture(self, name, colour, **options):
        picture(self.path.parent / name, colour, **options)


@pytest.fixture
def folder(tmp_path):
    """An empty folder for a data set called `set`."""
    return Folder(tmp_path / "set")


@pytest.fixture
def read(session, folder):
    """Ingest the folder's data set and return what that did."""

    def _read(**options):
        return ingest(session, DatasetSource(folder.path, name="set", **options))

    return _read
