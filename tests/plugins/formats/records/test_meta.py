"""What a record tells of itself beside its texts and images."""

import json

import pytest

from ig4.core.errors import DatasetError
from ig4.plugins.formats.csv import Csv
from ig4.plugins.formats.jsonl import JsonLines
from ig4.plugins.formats.llava import Llava
from ig4.plugins.formats.minigpt4 import MiniGPT4
from ig4.plugins.formats.records.meta import LONGEST, meta_columns, meta_of
from ig4.plugins.formats.sharegpt import ShareGPT

PAIR = [{"from": "human", "value": "What?"}, {"from": "gpt", "value": "A cat."}]
MESSAGES = [{"role": "user", "content": "What?"}, {"role": "assistant", "content": "A cat."}]


def read(kind, path, data, **options):
    path.write_text(data if isinstance(data, str) else json.dumps(data))
    return [record.meta for record in kind(kind.Options(**options)).read(path)]


@pytest.mark.parametrize(
    ("kind", "record"),
    [
        (Llava, {"conversations": PAIR}),
        (ShareGPT, {"messages": MESSAGES, "images": []}),
        (JsonLines, {"question": "What?", "answer": "A cat."}),
    ],
)
def test_formats_find_source_and_task_by_their_usual_names(tmp_path, kind, record):
    told = {**record, "Data_Source": "gqa", "task_type": "vqa"}
    assert read(kind, tmp_path / "a.json", [record, told]) == [
        None,
        {"source": "gqa", "task": "vqa"},
    ]


def test_minigpt4_finds_them_beside_the_caption(tmp_path):
    plain = {"image_id": "1", "caption": "A cat."}
    data = {"annotations": [plain, {**plain, "image_id": "2", "source": "sbu"}]}
    assert read(MiniGPT4, tmp_path / "filter_cap.json", data) == [None, {"source": "sbu"}]


def test_columns_are_named_by_options(tmp_path):
    table = "question,answer,from,kind,source\nWhat?,A cat.,web,short,x\n"
    assert read(Csv, tmp_path / "a.csv", table, source_column="from", task_column="kind") == [
        {"source": "web", "task": "short"}
    ]


def test_a_named_column_that_is_missing_is_an_error(tmp_path):
    with pytest.raises(DatasetError, match="no column 'origins': its columns are 'question'"):
        read(Csv, tmp_path / "a.csv", "question,answer\nWhat?,A cat.\n", source_column="origins")


def test_a_column_that_holds_the_answer_tells_nothing_else(tmp_path):
    records = [{"question": "What animal?", "category": "cat"}]
    assert read(JsonLines, tmp_path / "a.json", records, answer_column="category") == [None]


def test_the_first_usual_name_counts():
    assert meta_columns(["dataset", "source", "split", "category", "task"]) == (
        ("source", "source"),
        ("task", "task"),
        ("split", "split"),
    )


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("vqa", "vqa"),
        (" two\nlines ", "two lines"),
        (7, "7"),
        ("a\0b", "a\N{SYMBOL FOR NULL}b"),
        ("half \ud800", "half ?"),
        ("x" * LONGEST, "x" * LONGEST),
        ("x" * (LONGEST + 1), None),
        ("", None),
        (None, None),
        (True, None),
        (0.5, None),
        (["vqa"], None),
        ({"name": "vqa"}, None),
    ],
)
def test_values_are_short_texts(value, told):
    expected = {} if told is None else {"source": told}
    assert meta_of({"source": value}, meta_columns(["source"])) == expected
