"""Scorers whose computations can be counted, by process, and what tells of stored values."""

from __future__ import annotations

import sys
import textwrap
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import pytest
from sqlalchemy import text

from ig4.storage.store import Store
from ig4.storage.vectors.reading import filled

TALLIES = '''
    import os
    import time

    import numpy as np

    from ig4.core.calls import presence, worker
    from ig4.core.contracts import Embedder, Options, Scorer
    from ig4.core.records import Choice, Failure, Score

    class TallyOptions(Options):
        log: str
        batch: int = 4
        pause: float = 0.0
        silence: float = 60.0

    def tally(options, names):
        """Note this process and what it computes, in one write."""
        line = f"{os.getpid()} {','.join(names)}\\n".encode()
        file = os.open(options.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(file, line)
        os.close(file)
        time.sleep(options.pause)

    class Tallied(Scorer):
        """A value depends on all that is in the batch, as in low precision."""
        Options = TallyOptions

        @property
        def batch_size(self):
            return self.options.batch

        def identity(self, digest):
            return {}

        def open(self):
            if self.options.silence < 60:
                worker.SILENCE = self.options.silence
                presence.BEAT_SECONDS = self.options.silence / 4

        def score(self, batch):
            tally(self.options, [one.id for one in batch])
            whole = sum(len(one.answer) for one in batch) / 7
            return [
                Failure("the answer says so") if "refuse" in one.answer
                else Score(whole + place / 3) for place, one in enumerate(batch)
            ]

    class Looked(Tallied):
        """Reads the vectors of images."""

        def embedder(self):
            names = ("pause", "batch", "silence")
            given = {name: getattr(self.options, name) for name in names}
            return Choice("embedder", "widths", {"log": self.options.log + "-images", **given})

        def score(self, batch):
            tally(self.options, [one.id for one in batch])
            return [Score(float(one.embeddings.sum()) + len(batch)) for one in batch]

    class Widths(Embedder):
        Options = TallyOptions

        @property
        def batch_size(self):
            return self.options.batch - 1

        def identity(self, digest):
            return {}

        def embed(self, batch):
            tally(self.options, [str(image.width) for image in batch])
            whole = sum(image.width for image in batch) / 3
            return np.array([[image.width, whole] for image in batch], dtype=np.float32)
'''

DECLARATION = """
    from ig4.core.hookspecs import hookimpl
    from ig4.core.records import Component

    @hookimpl
    def ig4_components():
        return [
            Component("scorer", "tallied", "tallies.parts:Tallied"),
            Component("scorer", "looked", "tallies.parts:Looked"),
            Component("embedder", "widths", "tallies.parts:Widths"),
        ]
"""


def install_tallies(folder: Path) -> Path:
    """Write the plugin as an installed distribution into a folder, beside that of other tests."""
    package, info = folder / "tallies", folder / "tallies-1.0.dist-info"
    package.mkdir(parents=True)
    info.mkdir()
    (package / "__init__.py").write_text(textwrap.dedent(DECLARATION))
    (package / "parts.py").write_text(textwrap.dedent(TALLIES))
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tallies\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[ig4]\ntallies = tallies\n")
    return folder


@pytest.fixture
def plugin(plugin):
    """The plugins of tests, for this process."""
    yield install_tallies(plugin)
    for name in [name for name in sys.modules if name.partition(".")[0] == "tallies"]:
        del sys.modules[name]


class Computation(NamedTuple):
    """A batch that a process has begun to compute."""

    process: int
    batch: str


def computations(log: Path) -> list[Computation]:
    """Return what was computed, in the order in which it was begun."""
    lines = log.read_text().splitlines() if log.exists() else []
    return [Computation(int(process), batch) for process, _, batch in map(_parts, lines)]


def _parts(line: str) -> tuple[str, str, str]:
    return line.partition(" ")


def times(log: Path, *without: int) -> Counter[str]:
    """Return how often each batch was computed by other processes than those."""
    return Counter(one.batch for one in computations(log) if one.process not in without)


STORED = (
    """SELECT s.external_id, c.name, x.value, x.error FROM scores x
    JOIN components c ON c.id = x.component_id JOIN samples s ON s.content_id = x.content_id
    ORDER BY 1, 2""",
    """SELECT i.sha256, e.vector, e.error, e.file_id, e.file_row FROM embeddings e
    JOIN images i ON i.id = e.image_id ORDER BY 1""",
)


def stored(location: object) -> list[list[tuple[object, ...]]]:
    """Return all values and vectors of a database, bit for bit, wherever the vectors lie."""
    with Store.open(location) as store, store.reading() as connection:
        values, vectors = (
            [dict(row) for row in connection.execute(text(sql)).mappings()] for sql in STORED
        )
        vectors = filled(connection, store.vectors, vectors)
    return [
        [tuple(bytes(v) if isinstance(v, memoryview) else v for v in row.values()) for row in rows]
        for rows in (values, vectors)
    ]


def claims_left(location: object) -> int:
    """Return how many claims there are."""
    with Store.open(location) as store, store.reading() as connection:
        return connection.scalar(text("SELECT count(*) FROM score_claims"))
