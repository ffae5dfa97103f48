"""A run that is killed again and again ends as one that ran through."""

from __future__ import annotations

import random
import signal
import sqlite3
import sys
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from ...forking import Forked
from ..conftest import install, picture, record

KILLS = 8
SAMPLES = 200
BATCH = 6

CONTENT = (
    "SELECT external_id, counted, bright FROM scores_wide ORDER BY external_id",
    "SELECT i.sha256, e.vector FROM embeddings e JOIN images i ON i.id = e.image_id ORDER BY 1",
    """SELECT s.external_id, l.label FROM cluster_labels l JOIN samples s ON s.id = l.sample_id
    ORDER BY 1""",
    """SELECT x.rank, s.external_id, x.cluster, x.final_score FROM selected_samples x
    JOIN samples s ON s.id = x.sample_id ORDER BY x.rank""",
    "SELECT hash FROM contents ORDER BY hash",
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="kill -9 is a signal"),
]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    import json

    folder = tmp_path_factory.mktemp("kill")
    install(folder / "site")
    records = []
    for n in range(SAMPLES):
        colour = (n, (n * 37) % 256, (n * 91) % 256)
        picture(folder / "set" / f"{n}.png", colour)
        records.append(record(f"s{n:03d}", "word " * (n % 17 + 1), f"{n // 2}.png"))
    (folder / "set" / "llava.json").write_text(json.dumps(records), encoding="utf-8")
    return folder


def start(data: Path, db: Path, log: Path) -> Forked:
    command = [
        "run", str(data / "set"), "--quiet",
        "--scorers", "counted,bright", "--clusterer", "kmeans", "--k", "5", "--size", "20",
        "-o", f"counted.log={log}", "-o", "counted.pause=0.004", "-o", f"counted.batch={BATCH}",
        "--db", str(db), "--out", str(db.with_suffix(".json")), "--images", "none",
        "--config", str(data / "ig4.toml"), "--no-check",
    ]  # fmt: skip
    (data / "ig4.toml").write_text('[run]\nembedder = "colour"\n')
    return Forked(*command, cwd=Path.cwd(), site=data / "site")


def finish(process: Forked) -> None:
    _, told = process.communicate(timeout=120)
    assert process.returncode == 0, told


def content(db: Path) -> list[list[tuple[object, ...]]]:
    with closing(sqlite3.connect(db)) as connection, connection:
        return [connection.execute(sql).fetchall() for sql in CONTENT]


def lines(log: Path) -> list[str]:
    return log.read_text().split() if log.exists() else []


def kill_after(process: Forked, log: Path, scored: int, seconds: float) -> bool:
    """Kill the run when it has scored so many more samples, some moment later; tell if it lived."""
    before = len(lines(log))
    while process.poll() is None and len(lines(log)) < before + scored:
        time.sleep(0.002)
    time.sleep(seconds)
    alive = process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.communicate()
    return alive


def test_killed_at_random_moments_it_ends_the_same_and_repeats_only_what_was_in_flight(
    data, tmp_path
):
    pytest.importorskip("sklearn")
    finish(start(data, tmp_path / "whole.db", tmp_path / "whole.log"))
    log = tmp_path / "torn.log"
    rng = random.Random(5)
    for _ in range(KILLS):
        process = start(data, tmp_path / "torn.db", log)
        assert kill_after(process, log, rng.randint(1, 2 * BATCH), rng.uniform(0, 0.02))
    finish(start(data, tmp_path / "torn.db", log))
    assert content(tmp_path / "torn.db") == content(tmp_path / "whole.db")
    seen = Counter(lines(log))
    assert set(seen) == set(lines(tmp_path / "whole.log"))
    assert sum(seen.values()) - len(seen) <= KILLS * BATCH
