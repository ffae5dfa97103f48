"""Several files of one split are read as one data set, in every format of files."""

import csv
import gzip
import json

import pytest

from ig4.core.errors import DatasetError, UsageError
from ig4.plugins.formats.csv import Csv
from ig4.plugins.formats.hf import HuggingFace
from ig4.plugins.formats.jsonl import JsonLines
from ig4.plugins.formats.llava import Llava
from ig4.plugins.formats.minigpt4 import MiniGPT4
from ig4.plugins.formats.sharegpt import ShareGPT


def pair(text):
    return {"image": f"{text}.jpg", "question": "What?", "answer": text}


def llava(text):
    turns = [{"from": "human", "value": "<image>\nWhat?"}, {"from": "gpt", "value": text}]
    return {"image": f"{text}.jpg", "conversations": turns}


def sharegpt(text):
    turns = [{"role": "user", "content": "<image>What?"}, {"role": "assistant", "content": text}]
    return {"messages": turns, "images": [f"{text}.jpg"]}


FORMATS = {
    "jsonl": (JsonLines, pair),
    "llava": (Llava, llava),
    "sharegpt": (ShareGPT, sharegpt),
    "csv": (Csv, pair),
}
ENDINGS = {"csv": ("csv", "csv.gz", "tsv")}


def write(file, records):
    """Write records as the ending of the file says."""
    plain = file.name.removesuffix(".gz")
    if ".json" in plain:
        text = "\n".join(map(json.dumps, records)) if plain.endswith("l") else json.dumps(records)
    else:
        mark = "\t" if plain.endswith(".tsv") else ","
        rows = [list(records[0]), *(list(one.values()) for one in records)]
        text = "".join(mark.join(row) + "\n" for row in rows)
    (gzip.open if file.suffix == ".gz" else open)(file, "wt").write(text)


def shards(folder, make, ending, split="train", count=3, first="a"):
    """Write shards of two records each; returns the answers in their order."""
    answers = [chr(ord(first) + n) for n in range(2 * count)]
    for n in reversed(range(count)):
        name = f"{split}-{n:05}-of-{count:05}.{ending}"
        write(folder / name, [make(answer) for answer in answers[2 * n : 2 * n + 2]])
    return answers


CASES = [
    (name, ending)
    for name in FORMATS
    for ending in ENDINGS.get(name, ("jsonl", "json", "jsonl.gz", "json.gz"))
]


@pytest.mark.parametrize(("name", "ending"), CASES)
def test_shards_are_one_data_set_and_their_rows_are_numbered_on(tmp_path, name, ending):
    cls, make = FORMATS[name]
    answers = shards(tmp_path, make, ending)
    form = cls(cls.Options())
    assert form.detect(tmp_path)
    records = list(form.read(tmp_path))
    assert [record.turns[-1].text for record in records] == answers
    assert [record.id for record in records] == list("012345")
    assert [record.images for record in records] == [(f"{answer}.jpg",) for answer in answers]
    assert [file.name[:11] for file in form.sources(tmp_path)] == [
        f"train-{n:05}" for n in range(3)
    ]


@pytest.mark.parametrize(("name", "ending"), CASES)
def test_what_was_read_from_shards_is_written_as_one_file(tmp_path, name, ending):
    cls, make = FORMATS[name]
    (tmp_path / "in").mkdir()
    shards(tmp_path / "in", make, ending)
    form = cls(cls.Options())
    records = list(form.read(tmp_path / "in"))
    target = tmp_path / f"out.{ending.removesuffix('.gz')}"
    form.write(records, target, form.header(tmp_path / "in"))
    assert list(form.read(target)) == records


@pytest.mark.parametrize("name", list(FORMATS))
def test_of_several_splits_one_is_named_or_all_are_read(tmp_path, name):
    cls, make = FORMATS[name]
    ending = ENDINGS.get(name, ("jsonl",))[0]
    train = shards(tmp_path, make, ending)
    test = shards(tmp_path, make, ending, "test", 1, "x")
    with pytest.raises(
        DatasetError, match=r"splits train, test: say which with -o split=train.*all"
    ):
        list(cls(cls.Options()).read(tmp_path))
    read = {
        split: [r.turns[-1].text for r in cls(cls.Options(split=split)).read(tmp_path)]
        for split in ("train", "test", "all")
    }
    assert read == {"train": train, "test": test, "all": test + train}
    with pytest.raises(UsageError, match=r"no split 'dev' \(there are: train, test\)"):
        list(cls(cls.Options(split="dev")).read(tmp_path))


@pytest.mark.parametrize("name", list(FORMATS))
def test_other_files_are_data_sets_of_their_own(tmp_path, name):
    cls, make = FORMATS[name]
    ending = ENDINGS.get(name, ("jsonl",))[0]
    for file in ("train", "other"):
        write(tmp_path / f"{file}.{ending}", [make("a")])
    with pytest.raises(DatasetError, match="no shards of one: name one of these files"):
        list(cls(cls.Options()).read(tmp_path))
    assert len(list(cls(cls.Options(split="train")).read(tmp_path))) == 1


def test_more_shards_than_are_looked_into_are_read(tmp_path):
    for n in range(400):
        write(tmp_path / f"train-{n:05}-of-00400.jsonl", [pair(str(n))])
    read = [record.turns[-1].text for record in JsonLines(JsonLines.Options()).read(tmp_path)]
    assert read == [str(n) for n in range(400)]


def test_a_shard_of_other_records_is_read_with_the_others(tmp_path):
    write(tmp_path / "train-00000-of-00002.jsonl", [pair("a")])
    write(tmp_path / "train-00001-of-00002.jsonl", [{"unlike": "the others"}])
    first, second = JsonLines(JsonLines.Options()).read(tmp_path)
    assert (first.problem, second.turns) == (None, ())
    assert "unlike" in second.problem


def test_a_broken_shard_is_named(tmp_path):
    write(tmp_path / "train-00000-of-00002.jsonl", [pair("a")])
    (tmp_path / "train-00001-of-00002.jsonl").write_text('{"answer": "b"}\n{"answer": ')
    with pytest.raises(DatasetError, match=r"train-00001-of-00002.jsonl: line 2"):
        list(JsonLines(JsonLines.Options()).read(tmp_path))


def test_shards_under_a_key_and_objects_of_captions(tmp_path):
    for n in range(2):
        members = {f"{n}{m}": "A long caption." for m in range(2)}
        (tmp_path / f"train-{n:05}-of-00002.json").write_text(json.dumps(members))
    form = JsonLines(JsonLines.Options())
    records = list(form.read(tmp_path))
    assert [record.id for record in records] == ["00", "01", "10", "11"]
    form.write(records, tmp_path / "out.json", form.header(tmp_path))
    assert list(form.read(tmp_path / "out.json")) == records
    (tmp_path / "train-00001-of-00002.json").write_text(json.dumps({"data": [pair("a")]}))
    (tmp_path / "out.json").unlink()
    with pytest.raises(DatasetError, match="cannot be read as one data set"):
        list(form.read(tmp_path))
    (tmp_path / "train-00000-of-00002.json").write_text(
        json.dumps({"info": 1, "data": [pair("b")]})
    )
    assert [record.turns[-1].text for record in form.read(tmp_path)] == ["b", "a"]
    assert form.header(tmp_path)["object"] == {"info": 1, "data": []}


def test_tables_in_shards_may_have_other_columns_in_another_order(tmp_path):
    (tmp_path / "t-00000-of-00002.csv").write_text("id,answer,note\na,One.,n\n")
    (tmp_path / "t-00001-of-00002.csv").write_text("answer;source;id\nTwo.;coco;b\n")
    form = Csv(Csv.Options())
    records = list(form.read(tmp_path))
    form.write(records, tmp_path / "out.csv", form.header(tmp_path))
    with (tmp_path / "out.csv").open() as file:
        assert list(csv.reader(file)) == [
            ["id", "answer", "note", "source"], ["a", "One.", "n", ""], ["b", "Two.", "", "coco"],
        ]  # fmt: skip


def test_tables_in_shards_need_distinct_columns(tmp_path):
    for n in range(2):
        (tmp_path / f"t-{n:05}-of-00002.csv").write_text("id,answer,x,x\na,One.,1,2\n")
    with pytest.raises(
        DatasetError, match=r"t-00000-of-00002.csv has two columns with the name 'x'"
    ):
        list(Csv(Csv.Options()).read(tmp_path))


def test_captions_of_minigpt4_in_shards(tmp_path):
    for n in range(2):
        one = {"annotations": [{"image_id": str(n), "caption": f"Caption {n}."}]}
        (tmp_path / f"filter_cap-{n:05}-of-00002.json").write_text(json.dumps(one))
    form = MiniGPT4(MiniGPT4.Options())
    assert form.detect(tmp_path)
    records = list(form.read(tmp_path))
    assert [record.images for record in records] == [("image/0.jpg",), ("image/1.jpg",)]
    form.write(records, tmp_path / "out.json", form.header(tmp_path))
    assert list(form.read(tmp_path / "out.json")) == records


def test_a_folder_that_llama_factory_reads_whole(tmp_path):
    (tmp_path / "parts").mkdir()
    for n in range(2):
        write(tmp_path / "parts" / f"{n}.json", [sharegpt(str(n))])
    entry = {"file_name": "parts", "formatting": "sharegpt"}
    (tmp_path / "dataset_info.json").write_text(json.dumps({"own": entry}))
    form = ShareGPT(ShareGPT.Options())
    assert [record.turns[-1].text for record in form.read(tmp_path)] == ["0", "1"]


def test_all_splits_of_a_saved_dict_are_read(tmp_path):
    form = HuggingFace(HuggingFace.Options())
    saved = list(_saved(form, tmp_path, "train", "test"))
    read = list(HuggingFace(HuggingFace.Options(split="all")).read(tmp_path))
    assert [record.turns[-1].text for record in read] == saved


def _saved(form, folder, *splits):
    (folder / "dataset_dict.json").write_text(json.dumps({"splits": splits}))
    reader = JsonLines(JsonLines.Options())
    for split in splits:
        write(folder / f"{split}.jsonl", [pair(split)])
        (record,) = reader.read(folder / f"{split}.jsonl")
        form.write([record._replace(raw=None, images=())], folder / split)
        yield split
