"""Data sets on the Hugging Face hub and in Google Cloud Storage, as a server here speaks for them.

The libraries are the real ones, in processes of their own: they look for their server once.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import pytest
from sqlalchemy import text

from ig4.core.engine.exporting.export import ExportTarget, export
from ig4.core.engine.ingesting.ingest import DatasetSource, ingest
from ig4.storage.store import Store

from ....store_server import BUCKET, REPO, serving_store
from ...conftest import picture, record

pytestmark = pytest.mark.slow

HOMES = {"hf": f"hf://datasets/{REPO}", "gs": f"gs://{BUCKET}"}
SETS = ("llava.json", "inside.parquet", "shards/shard-*.tar", "shards/shard-{000000..000001}.tar")


@pytest.fixture
def home(session, tmp_path):
    """A data set as JSON with images, and the same in Parquet and in tar shards."""
    folder = tmp_path / "served"
    for number, colour in enumerate(("red", "green", "blue")):
        picture(folder / "images" / f"{number} #x.png", colour)
    records = [record(str(n), f"answer {n}", f"images/{n} #x.png") for n in range(3)]
    (folder / "llava.json").write_text(json.dumps(records))
    made = ingest(session, DatasetSource(folder / "llava.json", name="made")).dataset
    parquet = ExportTarget(folder / "inside.parquet", format="parquet", images="copy")
    shards = ExportTarget(folder / "shards", format="webdataset", options={"maxcount": 2})
    export(session, made, parquet)
    export(session, made, shards)
    return folder


@pytest.fixture
def server(home):
    with serving_store(home) as running:
        yield running


@pytest.fixture
def ig4(server, tmp_path):
    """Run ig4 where hub and cloud are the server; returns what it prints as JSON."""
    settings = {
        "HF_ENDPOINT": server.url, "HF_HOME": str(tmp_path / "hub"),
        "STORAGE_EMULATOR_HOST": server.url, "FSSPEC_GS_TOKEN": "anon",
        "GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT": "false",  # which speaks gRPC with TLS

        "IG4_CACHE_DIR": str(tmp_path / "cache"),
    }  # fmt: skip

    def command(*arguments, check=True):
        done = subprocess.run(
            [sys.executable, "-m", "ig4", *map(str, arguments)], cwd=tmp_path,
            env=os.environ | settings, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if not check:
            return done
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return command


CONTENTS = (
    "SELECT s.external_id, c.hash FROM samples s JOIN contents c ON c.id = s.content_id "
    "JOIN datasets d ON d.id = s.dataset_id WHERE d.name = :name ORDER BY s.ordinal"
)


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("store", HOMES)
def test_a_data_set_in_a_store_is_the_one_it_is_a_copy_of(ig4, home, server, tmp_path, store, name):
    ig4("ingest", home / name, "--name", "near", "--db", "far.db", "--json")
    far = ig4("ingest", f"{HOMES[store]}/{name}", "--name", "far", "--db", "far.db", "--json")
    assert (far["samples"], far["unreadable_images"]) == (3, 0)
    with Store.open(tmp_path / "far.db") as opened, opened.reading() as connection:
        near, copied = (
            connection.execute(text(CONTENTS), {"name": one}).fetchall() for one in ("near", "far")
        )
    assert len(near) == 3
    assert copied == near
    before = len(server.requests)
    again = ig4("ingest", f"{HOMES[store]}/{name}", "--name", "far", "--db", "far.db", "--json")
    assert again["unchanged"]
    sent = [path for _, path, _ in server.requests[before:] if "resolve" in path or "media" in path]
    assert sent == []


@pytest.mark.parametrize("store", HOMES)
def test_images_that_the_cache_lost_are_fetched_to_be_scored(ig4, tmp_path, store, server):
    ig4("ingest", f"{HOMES[store]}/shards/shard-*.tar", "--name", "far", "--db", "far.db", "--json")
    shutil.rmtree(tmp_path / "cache")
    before = len(server.requests)
    done = ig4(
        "export",
        "out",
        "--selection",
        "all",
        "--format",
        "llava",
        "--images",
        "copy",
        "--db",
        "far.db",
        "--json",
    )
    assert (done["samples"], done["missing_images"]) == (3, 0)
    assert any(asked for *_, asked in server.requests[before:])


@pytest.mark.parametrize("store", HOMES)
def test_what_is_not_there_is_told_in_one_line(ig4, store):
    done = ig4("ingest", f"{HOMES[store]}/none.json", "--db", "far.db", check=False)
    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 1
    assert "none.json cannot be read: nothing is there" in done.stderr
