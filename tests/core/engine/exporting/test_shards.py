"""A data set through WebDataset shards and back is the data set."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile

import pytest
from sqlalchemy import text

from ig4.core.engine.exporting.export import ExportTarget, export
from ig4.core.engine.ingesting.ingest import DatasetSource, ingest
from ig4.core.errors import UsageError

from ...conftest import record


def contents(session, dataset):
    with session.store.reading() as connection:
        sql = (
            "SELECT s.external_id, c.hash FROM samples s JOIN contents c ON c.id = s.content_id "
            f"WHERE s.dataset_id = {dataset.id} ORDER BY s.ordinal"
        )
        return [tuple(row) for row in connection.execute(text(sql))]


def test_an_export_as_shards_reads_as_the_same_samples(session, folder, read, tmp_path):
    for name in ("a", "b", "c"):
        folder.picture(f"{name}.png", {"a": "red", "b": "green", "c": "blue"}[name])
    folder.write(
        record("one", "A.", "a.png"),
        record("two", "B."),
        record("x/3", "C.", ["b.png", "c.png"], "<image>\nWhich?"),
    )
    dataset = read().dataset
    target = ExportTarget(tmp_path / "out", format="webdataset", options={"maxcount": 2})
    done = export(session, dataset, target)
    assert (done.samples, done.inside, done.copied, done.linked) == (3, 3, 0, 0)
    again = ingest(session, DatasetSource(tmp_path / "out", name="again")).dataset
    assert contents(session, again) == contents(session, dataset)


def test_shards_are_written_back_as_they_were_read(session, folder, read, tmp_path):
    folder.picture("a.png", "red")
    folder.write(record("one", "A.", "a.png"), record("two", "B.", "a.png"))
    export(session, read().dataset, ExportTarget(tmp_path / "first.tar"))
    dataset = ingest(session, DatasetSource(tmp_path / "first.tar", name="shard")).dataset
    export(session, dataset, ExportTarget(tmp_path / "again.tar"))
    first, again = (tmp_path / name for name in ("first.tar", "again.tar"))
    assert first.read_bytes() == again.read_bytes()


def test_an_export_is_refused_where_shards_of_an_earlier_one_would_be_read_with_it(
    session, folder, read, tmp_path
):
    folder.picture("a.png", "red")
    folder.write(*(record(str(n), "A.", "a.png") for n in range(4)))
    dataset = read().dataset
    one, two = (
        ExportTarget(tmp_path / "out", "webdataset", {"maxcount": count}) for count in (1, 2)
    )
    export(session, dataset, one)
    export(session, dataset, one)  # the same once more
    with pytest.raises(UsageError, match="holds 2 files that would be read with the export"):
        export(session, dataset, two)
    for number in (2, 3):
        (tmp_path / "out" / f"shard-00000{number}.tar").unlink()
    export(session, dataset, two)
    assert ingest(session, DatasetSource(tmp_path / "out", name="again")).samples == 4


@pytest.mark.shared
@pytest.mark.slow
def test_photographs_come_back_from_shards(session, shared, tmp_path):
    source = shared / "data" / "photos-fsac"
    first = ingest(session, DatasetSource(source, name="first")).dataset
    export(session, first, ExportTarget(tmp_path / "w", "webdataset", {"maxcount": 500}))
    middle = ingest(session, DatasetSource(tmp_path / "w", name="middle")).dataset
    assert contents(session, middle) == contents(session, first)
    target = ExportTarget(tmp_path / "back", format="minigpt4", images="copy")
    export(session, middle, target)
    records = [json.loads((folder / "filter_cap.json").read_text())
               for folder in (source, tmp_path / "back")]  # fmt: skip
    assert records[0] == records[1]
    digests = [
        {file.name: hashlib.sha256(file.read_bytes()).digest()
         for file in (folder / "image").iterdir()}
        for folder in (source, tmp_path / "back")
    ]  # fmt: skip
    named = {f"{one['image_id']}.jpg" for one in records[0]["annotations"]}
    assert {name: digests[0][name] for name in named} == digests[1]


def test_an_export_says_what_in_its_shards_is_not_as_it_was(session, notices, tmp_path):
    pair = json.dumps({"question": "What?", "answer": "That."}).encode()
    with tarfile.open(tmp_path / "in.tar", "w") as tar:
        for name in ("000000001.json", "CON.json", "z.0 1.json", "z.json"):
            member = tarfile.TarInfo(name)
            member.size = len(pair)
            tar.addfile(member, io.BytesIO(pair))
    dataset = ingest(session, DatasetSource(tmp_path / "in.tar", name="in")).dataset
    assert export(session, dataset, ExportTarget(tmp_path / "out.tar")).samples == 3
    told = "\n".join(notices())
    assert "1 sample has another key in the shards" in told
    assert "1 member has another ending in the shards" in told
    again = ingest(session, DatasetSource(tmp_path / "out.tar", name="again"))
    assert again.samples == 3
