"""An export whose keys and speakers have own names says so, and is read as the same samples."""

from __future__ import annotations

import json

import pytest

from ig4.core.engine.exporting.export import ExportTarget, export
from ig4.core.engine.ingesting.ingest import DatasetSource, ingest
from ig4.core.errors import UsageError
from ig4.storage import samples

from ...conftest import picture

TAGS = {"role_tag": "r", "content_tag": "c", "user_tag": "U", "assistant_tag": "A"}


def seen(session, dataset):
    with session.store.reading() as connection:
        rows = list(samples.stream(connection, dataset.id))
    return [
        (row.external_id, row.instruction, row.answer, row.turns, row.problem,
         [image.sha256 for image in row.images]) for row in rows
    ]  # fmt: skip


def own_names(answer):
    talk = [{"r": "U", "c": "<image>Who?"}, {"r": "A", "c": answer}]
    return {"id": answer, "dialogue": talk, "pictures": ["a.png"]}


def alpaca(answer):
    return {"id": answer, "q": "<image>Who?", "a": answer, "before": [["Hi", "Hello."]],
            "s": "Be kind.", "pictures": ["a.png"]}  # fmt: skip


ALPACA = {"prompt": "q", "response": "a", "history": "before", "system": "s", "images": "pictures",
          "query": "about"}  # fmt: skip
KINDS = {
    "sharegpt": (own_names, {"formatting": "sharegpt", "tags": TAGS,
                             "columns": {"messages": "dialogue", "images": "pictures"}}),
    "alpaca": (alpaca, {"columns": ALPACA}),
}  # fmt: skip


@pytest.fixture
def source(tmp_path):
    """Write a folder with a dataset_info.json of a kind."""

    def _source(kind):
        make, entry = KINDS[kind]
        folder = tmp_path / "set"
        folder.mkdir()
        picture(folder / "a.png", "red")
        (folder / "mine.json").write_text(json.dumps([make("One."), make("Two.")]))
        info = {"mine": {"file_name": "mine.json", "num_samples": 1, **entry}}
        (folder / "dataset_info.json").write_text(json.dumps(info))
        return folder

    return _source


def read(session, path, name, **options):
    return ingest(session, DatasetSource(path, name=name, options=options)).dataset


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("target", ["best.json", "best"])
def test_an_export_with_names_of_its_own_reads_as_the_same_samples(
    session, tmp_path, source, kind, target
):
    dataset = read(session, source(kind), "in")
    place = tmp_path / "out" / target
    done = export(session, dataset, ExportTarget(place, images="copy"))
    folder = place if place.is_dir() else place.parent
    assert done.beside == (folder / "dataset_info.json",)
    (entry,) = json.loads(done.beside[0].read_text()).values()
    assert (folder / entry["file_name"]).is_file()
    assert "num_samples" not in entry
    rows = json.loads((folder / entry["file_name"]).read_text())
    assert set(entry["columns"].values()) <= set(rows[0])  # no column that is nowhere
    for path, name in ((folder, "folder"), (folder / entry["file_name"], "file")):
        assert seen(session, read(session, path, name)) == seen(session, dataset)


def test_a_data_set_read_with_options_is_described_as_whole(session, tmp_path):
    """LLaMA-Factory's defaults are others than ig4's, so all names are said."""
    talk = [{"role": "U", "content": "Who?"}, {"role": "assistant", "content": "Two."}]
    path = tmp_path / "mine.json"
    path.write_text(json.dumps([{"id": "1", "messages": talk}]))
    dataset = read(session, path, "in", user_tag="U")
    export(session, dataset, ExportTarget(tmp_path / "out" / "best.json"))
    (entry,) = json.loads((tmp_path / "out" / "dataset_info.json").read_text()).values()
    assert entry["columns"] == {"messages": "messages"}
    assert {"role_tag": "role", "content_tag": "content", "user_tag": "U",
            "assistant_tag": "assistant"}.items() <= entry["tags"].items()  # fmt: skip
    again = read(session, tmp_path / "out" / "best.json", "again")
    assert seen(session, again) == seen(session, dataset)


def test_the_second_export_in_a_folder_keeps_the_entry_of_the_first(session, tmp_path, source):
    dataset = read(session, source("sharegpt"), "in")
    for name in ("one", "two", "two"):
        export(session, dataset, ExportTarget(tmp_path / "out" / f"{name}.json", images="copy"))
    entries = json.loads((tmp_path / "out" / "dataset_info.json").read_text())
    assert sorted(entries) == ["one", "two"]
    again = read(session, tmp_path / "out", "again", dataset="one")
    assert seen(session, again) == seen(session, dataset)


def test_a_list_of_the_user_is_not_replaced_and_overwriting_keeps_its_entries(
    session, tmp_path, source
):
    dataset = read(session, source("alpaca"), "in")
    info = tmp_path / "out" / "dataset_info.json"
    info.parent.mkdir()
    info.write_text(json.dumps({"theirs": {"file_name": "theirs.json"}}))
    target = ExportTarget(tmp_path / "out" / "best.json", images="none")
    with pytest.raises(UsageError, match=r"dataset_info\.json exists"):
        export(session, dataset, target)
    assert list(json.loads(info.read_text())) == ["theirs"]
    export(session, dataset, ExportTarget(target.path, images="none", overwrite=True))
    assert list(json.loads(info.read_text())) == ["theirs", "best"]


def test_a_record_made_anew_has_the_names_of_the_others(session, tmp_path, source):
    """Samples of another format are written with the names that the options give."""
    path = tmp_path / "pairs.jsonl"
    path.write_text(json.dumps({"id": "1", "question": "Who?", "answer": "Two."}))
    dataset = read(session, path, "in")
    target = ExportTarget(tmp_path / "out" / "best.json", "sharegpt", dict(TAGS))
    export(session, dataset, target)
    (row,) = json.loads(target.path.read_text())
    assert row["messages"] == [{"r": "U", "c": "Who?"}, {"r": "A", "c": "Two."}]
    assert seen(session, read(session, target.path, "again")) == seen(session, dataset)


def test_a_usual_export_has_no_description(session, tmp_path):
    path = tmp_path / "pairs.jsonl"
    path.write_text(json.dumps({"id": "1", "question": "Who?", "answer": "Two."}))
    dataset = read(session, path, "in")
    assert (
        export(session, dataset, ExportTarget(tmp_path / "o" / "b.json", "sharegpt")).beside == ()
    )


def test_for_llama_factory_the_names_that_the_options_give_are_told(session, tmp_path, source):
    dataset = read(session, source("alpaca"), "in")
    target = ExportTarget(tmp_path / "out", None, dict(TAGS), "copy", trainer="llamafactory")
    export(session, dataset, target)
    entry = json.loads((tmp_path / "out" / "dataset_info.json").read_text())["ig4"]
    assert TAGS.items() <= entry["tags"].items()
    assert seen(session, read(session, tmp_path / "out", "again")) == seen(session, dataset)
    with pytest.raises(UsageError, match="--for trl reads messages by their usual names"):
        export(session, dataset, ExportTarget(tmp_path / "trl", None, dict(TAGS), trainer="trl"))
