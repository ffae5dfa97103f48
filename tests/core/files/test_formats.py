"""Which format a data set is in."""

import json
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ig4.core.errors import DatasetError, UsageError
from ig4.core.files.formats import detect, resolve
from ig4.core.host.host import Host
from ig4.plugins.formats.jsonl import JsonLines
from ig4.plugins.formats.llava import Llava

LLAVA = [{"id": "1", "conversations": [{"from": "human", "value": "hi"}]}]
SHAREGPT = [{"messages": [{"role": "user", "content": "hi"}], "images": []}]
CAPTIONS = {"annotations": [{"image_id": "2", "caption": "a cat"}]}


@pytest.fixture(scope="module")
def host():
    return Host.discover()


@pytest.mark.parametrize(
    ("name", "text", "format_name"),
    [
        ("filter_cap.json", json.dumps(CAPTIONS), "minigpt4"),
        ("a.json", json.dumps(CAPTIONS, indent=4), "minigpt4"),
        ("a.json", json.dumps(CAPTIONS["annotations"]), "minigpt4"),
        ("a.json", json.dumps(LLAVA), "llava"),
        ("a.jsonl", json.dumps(LLAVA[0]), "llava"),
        ("a.json", json.dumps([None, "junk", *LLAVA]), "llava"),
        ("a.json", json.dumps(SHAREGPT), "sharegpt"),
        ("a.json", json.dumps([{**LLAVA[0], "images": ["a.jpg"]}]), "sharegpt"),
        ("a.jsonl", '{"image": "a.jpg", "caption": "a cat"}', "jsonl"),
        ("a.json", '[{"question": "?", "answer": "!"}]', "jsonl"),
        ("a.json", '{"image1": "an orange cat", "image2": "a black dog"}', "jsonl"),
        ("a.csv", "id,caption\n1,a cat\n", "csv"),
        ("a.tsv", "id\tcaption\n1\ta cat\n", "csv"),
        ("a.csv", '"id";"answer"\r\n', "csv"),
    ],
)
def test_a_file_is_told_by_its_first_bytes(tmp_path, host, name, text, format_name):
    (tmp_path / name).write_text(text, encoding="utf-8")
    assert resolve(host, tmp_path / name)[0] == format_name


@pytest.mark.parametrize(
    ("name", "text", "format_name"),
    [
        ("filter_cap.json", json.dumps(CAPTIONS), "minigpt4"),
        ("a.json", json.dumps(LLAVA), "llava"),
        ("a.json", json.dumps(SHAREGPT), "sharegpt"),
        ("a.jsonl", '{"caption": "a cat"}', "jsonl"),
        ("a.csv", "id,caption\n1,a cat\n", "csv"),
    ],
)
def test_a_folder_is_told_by_a_file_in_it(tmp_path, host, name, text, format_name):
    (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "metadata.json").write_text('{"made": {"by": "me"}}')
    name_found, form = resolve(host, tmp_path)
    assert name_found == format_name
    assert form.sources(tmp_path) == [tmp_path / name]


def test_parquet_is_told_by_its_mark(tmp_path, host):
    pq.write_table(pa.table({"caption": ["a"]}), tmp_path / "a.parquet")
    assert resolve(host, tmp_path / "a.parquet")[0] == "parquet"
    assert resolve(host, tmp_path)[0] == "parquet"


def test_the_encoding_does_not_hide_the_format(tmp_path, host):
    file = tmp_path / "a.json"
    for encoding in ("gb18030", "utf-16"):
        text = json.dumps([*LLAVA, {"note": "出口"}], ensure_ascii=False)
        file.write_bytes(text.encode(encoding))
        assert resolve(host, file)[0] == "llava"


def test_general_formats_are_asked_last_whatever_the_order(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps(LLAVA))
    formats = {"jsonl": JsonLines(JsonLines.Options()), "llava": Llava(Llava.Options())}
    assert formats["jsonl"].detect(tmp_path / "a.json")
    assert detect(formats, tmp_path / "a.json") == "llava"


def test_the_user_may_say_otherwise(tmp_path, host):
    (tmp_path / "a.json").write_text(json.dumps(LLAVA))
    name, form = resolve(host, tmp_path / "a.json", "sharegpt")
    assert (name, type(form).__name__) == ("sharegpt", "ShareGPT")


def test_an_option_rules_out_the_formats_without_it(tmp_path, host):
    (tmp_path / "a.json").write_text(json.dumps(LLAVA))
    name, form = resolve(host, tmp_path / "a.json", options={"messages_column": "conversations"})
    assert name == "sharegpt"
    assert form.options.messages_column == "conversations"


def test_an_option_of_no_format_is_a_usage_error(tmp_path, host):
    (tmp_path / "a.json").write_text(json.dumps(LLAVA))
    with pytest.raises(UsageError, match="encodign: unknown option; did you mean encoding"):
        resolve(host, tmp_path / "a.json", options={"encodign": "utf-8"})
    with pytest.raises(UsageError, match="unknown format 'lava'; did you mean llava"):
        resolve(host, tmp_path / "a.json", "lava")


def test_what_nobody_knows_is_described(tmp_path, host):
    (tmp_path / "notes.md").write_text("# Notes")
    with pytest.raises(DatasetError, match=r"begins with b'# Notes'.*--format: .*minigpt4"):
        resolve(host, tmp_path / "notes.md")
    with pytest.raises(DatasetError, match=r"a folder with notes\.md"):
        resolve(host, tmp_path)


@pytest.mark.parametrize(
    ("name", "text", "place"),
    [
        ("a.json", '[\n {"id": "1", "conversations": [{"fro', "line 2, column 33"),
        ("a.json", '{"annotations": [\n{"image_id" "2"}]}', "line 2, column 13"),
        ("a.jsonl", '{"caption: "a"}', "line 1, column 13"),
    ],
)
def test_json_broken_in_its_first_record_is_told_as_such(tmp_path, host, name, text, place):
    (tmp_path / name).write_text(text)
    with pytest.raises(DatasetError, match=rf"{name}: {place}: not valid JSON"):
        resolve(host, tmp_path / name)


def test_missing_and_empty_paths_are_told_apart(tmp_path, host):
    with pytest.raises(DatasetError, match="no such file or folder"):
        resolve(host, tmp_path / "absent", "llava")
    with pytest.raises(DatasetError, match="is an empty folder"):
        resolve(host, tmp_path)
    (tmp_path / "a.json").touch()
    with pytest.raises(DatasetError, match=r"a\.json is empty"):
        resolve(host, tmp_path / "a.json")


def test_telling_a_format_imports_no_arrow(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps(LLAVA))
    program = (
        "import sys, pathlib; from ig4.core.host.host import Host;"
        "from ig4.core.files.formats import resolve;"
        "resolve(Host.discover(), pathlib.Path(sys.argv[1]));"
        "assert not {'pyarrow', 'datasets', 'pandas'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path / "a.json")], check=True)


@pytest.mark.shared
@pytest.mark.parametrize(
    ("path", "format_name", "count"),
    [
        ("fixtures/minigpt4-tiny/cc_sbu_align", "minigpt4", 4),
        ("data/photos-fsac", "minigpt4", 1615),
        ("data/photos-documerica", "llava", 36),
        ("data/formats/llama-factory", "sharegpt", 6),
        ("data/formats/llama-factory/v1_multimodal_demo.jsonl", "sharegpt", None),
        ("data/formats/clipscore-example/good_captions.json", "jsonl", 2),
        ("data/formats/clipscore-example/refs.json", "jsonl", 2),
        ("data/instructiongpt4/full_score_data.json", "minigpt4", 3439),
    ],
)
def test_real_data_sets_are_recognised_and_come_back_whole(
    shared, host, tmp_path, path, format_name, count
):
    name, form = resolve(host, shared / path)
    assert name == format_name
    records = list(form.read(shared / path))
    assert count is None or len(records) == count
    assert all(record.turns for record in records)
    form.write(iter(records), tmp_path / "out", form.header(shared / path))
    assert list(form.read(tmp_path / "out")) == records
    source = form.sources(shared / path)[0]
    if source.suffix == ".json":
        copy = form.sources(tmp_path / "out")[0]
        assert json.loads(copy.read_text("utf-8")) == json.loads(source.read_text("utf-8"))


@pytest.mark.shared
def test_several_data_sets_in_a_folder_are_listed(shared, host):
    folder = shared / "data" / "formats" / "clipscore-example"
    _, form = resolve(host, folder)
    with pytest.raises(DatasetError, match=r"bad_captions\.json, good_captions\.json"):
        form.sources(folder)
