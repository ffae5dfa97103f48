"""A small data set with all that a page shows, scored and selected from; made once, then copied."""

from __future__ import annotations

import json
from pathlib import Path

from PIL import Image

from ig4.core.engine.ingesting.imports import ScoreColumn, import_clusters, import_scores
from ig4.core.engine.ingesting.ingest import DatasetSource, ingest
from ig4.core.engine.scoring.plan import ScoreRequest
from ig4.core.engine.scoring.score import score
from ig4.core.engine.selecting.candidates import SelectionRequest
from ig4.core.engine.selecting.funnel import Stage
from ig4.core.engine.selecting.select import select
from ig4.core.engine.session import Session
from ig4.core.host.host import Host
from ig4.core.records import Choice
from ig4.storage.store import Store

N = 80
QUOTA, TOPK, RANDOM, BALANCED = 1, 2, 3, 4
"""The selections of the database, the last one made being the last."""

NO_GPT = (7, 16, 27)
ALIKE = (60, 65, 70)
TEXT_ONLY = tuple(range(2, N, 5))
COLOURS = ("red", "green", "blue", "white", "black", "grey", "navy", "olive")


def turn(who: str, text: str) -> dict[str, str]:
    """Return a turn of a LLaVA record."""
    return {"from": who, "value": text}


def record(n: int) -> dict[str, object]:
    """Return a record: of one image, two images, none, or several turns, about this or that."""
    if n in (65, 70):  # 60 once more, and nearly so
        again = record(60) | {"id": f"harbour-{n:03d}"}
        again["conversations"] = [
            *again["conversations"][:1],
            turn("gpt", _answer(60) + "!" * (n - 65)),
        ]
        return again
    answer = _answer(n)
    asked = "What color is the ferryboat?" if n % 2 else "How many seagulls are there?"
    kind = n % 5
    made: dict[str, object] = {"id": f"harbour-{n:03d}"}
    if kind != 2:
        images = (
            [f"pictures/quay{n}.png"]
            if kind != 3
            else [f"pictures/quay{n}.png", "pictures/buoy.png"]
        )
        made["image"] = images[0] if len(images) == 1 else images
        asked = "<image>\n" * len(images) + asked
    made["conversations"] = [turn("human", asked), turn("gpt", answer)]
    if kind == 4:
        made["conversations"] += [turn("human", "And the lighthouse?"), turn("gpt", f"Tall{n}.")]
    return made


def _answer(n: int) -> str:
    return f"It is anchorword{n} near pier{n * 7}." + " Indeed." * (n % 9)


def gpt_score(n: int) -> float | None:
    """Return the imported score `gpt` of a sample, from 0 to 90; more of some that are alike."""
    if n in ALIKE:
        return 95.0 + (n == 70)
    return None if n in NO_GPT else (n * 37) % 91


def look_score(n: int) -> float | None:
    """Return the imported score `look`: none of samples without an image."""
    n = 60 if n == 65 else n  # the same sample once more
    return None if n in TEXT_ONLY else (n * 53) % 97 / 2


def write_data(folder: Path) -> Path:
    """Write the data set; return its file. The picture of sample 10 is missing."""
    pictures = folder / "pictures"
    pictures.mkdir(parents=True)
    for n in range(N):
        if n % 5 != 2 and n != 10:
            colour = COLOURS[n % len(COLOURS)]
            Image.new("RGB", (40 + n, 30), colour).save(pictures / f"quay{n}.png")
    Image.new("RGB", (32, 64), "orange").save(pictures / "buoy.png")
    path = folder / "llava.json"
    path.write_text(json.dumps([record(n) for n in range(N)]), encoding="utf-8")
    return path


def write_scores(folder: Path) -> None:
    """Write the scores and clusters that are imported."""
    rows = [
        {"id": f"harbour-{n:03d}", "gpt": gpt_score(n), "look": look_score(n)} for n in range(N)
    ]
    (folder / "scores.json").write_text(json.dumps(rows), encoding="utf-8")
    parts: dict[str, list[str]] = {"3": [], "5": [], "9": []}
    for n in range(N):
        parts["3" if n < 40 else "5" if n < 65 else "9"].append(f"harbour-{n:03d}")
    (folder / "clusters.json").write_text(json.dumps(parts), encoding="utf-8")


REQUESTS = {
    QUOTA: SelectionRequest(
        size=12, scorers=("gpt", "look"), weights={"gpt": 0.7, "look": 0.3}, seed=5
    ),
    TOPK: SelectionRequest(
        size=10, scorers=("gpt",), selector=Choice("selector", "topk"),
        stages=(Stage("reject", tails={"length": (10, 100)}), Stage("dedup")),
    ),
    RANDOM: SelectionRequest(size=8, scorers=None, selector=Choice("selector", "random"), seed=3),
    BALANCED: SelectionRequest(
        size=14, scorers=("gpt", "length"),
        selector=Choice("selector", "balanced", {"image_space": "text"}),
    ),
}  # fmt: skip


def make_harbour(folder: Path, url: str | None = None) -> Path:
    """Make the data set, its database (in `url`, else `ig4.db`), and the selections of it."""
    path = write_data(folder / "data")
    write_scores(folder)
    with Store.open(url or folder / "ig4.db") as store:
        session = Session(store, Host.discover(), [])
        dataset = ingest(session, DatasetSource(path, name="harbour")).dataset
        for name in ("gpt", "look"):
            import_scores(session, dataset, ScoreColumn(folder / "scores.json", name, name))
        score(session, dataset, ScoreRequest((Choice("scorer", "length"),)))
        import_clusters(session, dataset, folder / "clusters.json", "given")
        for number, request in REQUESTS.items():
            assert select(session, dataset, request).id == number
    return folder
