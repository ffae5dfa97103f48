"""Real images by address and from shards, of a server that fails: the scores of local files."""

from __future__ import annotations

import json
import shutil

import pytest
from sqlalchemy import text

from ig4.core.engine.exporting.export import ExportTarget, export
from ig4.core.engine.ingesting.ingest import DatasetSource, ingest
from ig4.core.engine.scoring.plan import ScoreRequest
from ig4.core.engine.scoring.score import score
from ig4.core.engine.session import Session
from ig4.core.files.remote import fetching, web
from ig4.core.records import Choice
from ig4.storage.store import Store

from ....file_server import serving
from ...conftest import record

pytestmark = [pytest.mark.shared, pytest.mark.slow]

EACH = 60
FAULTS = 0.05


@pytest.fixture
def home(shared, tmp_path):
    """A data set of images of cc_sbu_align and daquar."""
    folder = tmp_path / "served"
    (folder / "images").mkdir(parents=True)
    records = []
    for name in ("cc_sbu_align", "daquar"):
        files = sorted((shared / "data" / name / "image").iterdir())
        for file in files[:: max(1, len(files) // EACH)][:EACH]:
            shutil.copyfile(file, folder / "images" / f"{name}-{file.name}")
            records.append(record(f"{name}-{file.stem}", "x", f"images/{name}-{file.name}"))
    (folder / "llava.json").write_text(json.dumps(records))
    return folder


def scored(session, dataset):
    """Return the values of two scorers, of pixels and of vectors, by sample."""
    scorers = (Choice("scorer", "pixels"), Choice("scorer", "bright"))
    done = score(session, dataset, ScoreRequest(scorers=scorers))
    assert not any(done.failed.values())
    sql = (
        "SELECT s.external_id, c.name, x.value FROM scores x "
        "JOIN samples s ON s.content_id = x.content_id "
        f"JOIN components c ON c.id = x.component_id WHERE s.dataset_id = {dataset.id}"
    )
    with session.store.reading() as connection:
        return {(sample, name): value for sample, name, value in connection.execute(text(sql))}


@pytest.mark.parametrize("lost", [False, True], ids=["warm", "cold"])
def test_scores_do_not_depend_on_where_images_lie(session, home, tmp_path, monkeypatch, lost):
    monkeypatch.setenv("IG4_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(web, "wait_seconds", lambda error, tries: 0.01)
    fetching._unreached.clear()
    near = ingest(session, DatasetSource(home / "llava.json", name="near")).dataset
    expected = scored(session, near)
    assert len(expected) == 4 * EACH
    export(session, near, ExportTarget(home / "shards", "webdataset", {"maxcount": 50}))
    with serving(home, faults=FAULTS) as server:
        for number, source in enumerate(
            (
                f"{server.url}/llava.json",
                home / "shards",
                f"{server.url}/shards/shard-{{000000..000002}}.tar",
            )
        ):
            with Store.open(tmp_path / f"{number}.db") as store:
                other = Session(store, session.host, [])
                dataset = ingest(other, DatasetSource(source, name="far")).dataset
                if lost:
                    shutil.rmtree(tmp_path / "cache", ignore_errors=True)
                assert scored(other, dataset) == expected
        assert server.spoiled.total() > 0
