"""Files of answers made elsewhere, in all the forms that tools write."""

from __future__ import annotations

import csv
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ig4.core.contracts.evaluation import Item
from ig4.core.errors import DatasetError
from ig4.core.files.answers.predictions import read_predictions
from ig4.core.records import Failure

ITEMS = [Item("7", "What is it?"), Item("9", "Where is it?"), Item("12", "Why?")]
SAID = ["a cat", "at home", "so"]


@pytest.fixture
def write(tmp_path):
    def _write(content, name="answers.jsonl"):
        path = tmp_path / name
        if isinstance(content, list):
            content = "".join(json.dumps(row) + "\n" for row in content)
        path.write_text(content, encoding="utf-8")
        return path

    return _write


def zipped(make):
    return [make(item, said) for item, said in zip(ITEMS, SAID, strict=True)]


def test_what_ig4_generate_writes(write):
    rows = zipped(lambda i, s: {"id": int(i.id), "question": i.question, "answer": s, "ig4": "00"})
    assert read_predictions(write(rows), ITEMS) == SAID
    del rows[1]["answer"]
    rows[1]["error"] = "9.jpg: the image file is missing"
    assert read_predictions(write(rows), ITEMS)[1] == Failure("9.jpg: the image file is missing")


def test_what_llava_writes(write):
    rows = zipped(lambda i, s: {"question_id": int(i.id), "prompt": i.question, "text": s,
                                "answer_id": "x", "model_id": "llava", "metadata": {}})  # fmt: skip
    assert read_predictions(write(rows[::-1]), ITEMS) == SAID


@pytest.mark.parametrize("name", ["a.json", "a.jsonl", "a.csv", "a.tsv"])
def test_tables_of_ids_and_answers(write, tmp_path, name):
    rows = zipped(lambda i, s: {"id": i.id, "answer": s})
    if name == "a.json":
        path = write(json.dumps(rows), name)
    elif name == "a.jsonl":
        path = write(rows, name)
    else:
        path = tmp_path / name
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, ["id", "answer"], delimiter="\t" if "t" in name else ",")
            writer.writeheader()
            writer.writerows(rows)
    assert read_predictions(path, ITEMS) == SAID


def test_an_object_of_ids_and_answers(write):
    answers = dict(zip(["7", "9", "12"], SAID, strict=True))
    assert read_predictions(write(json.dumps(answers), "a.json"), ITEMS) == SAID


def test_coco_caption_results(write):
    rows = zipped(lambda i, s: {"image_id": int(i.id), "caption": s})
    assert read_predictions(write(json.dumps(rows), "a.json"), ITEMS) == SAID


def test_what_lmms_eval_logs_with_the_ids_of_its_documents(write):
    rows = [
        {"doc_id": n, "doc": {"question_id": int(item.id), "question": item.question},
         "target": "x", "resps": [["raw"]], "filtered_resps": [said]}
        for n, (item, said) in enumerate(zip(ITEMS, SAID, strict=True))
    ]  # fmt: skip
    assert read_predictions(write(rows, "samples_vqa.jsonl"), ITEMS) == SAID


def test_what_lmms_eval_logs_without_ids_goes_by_its_place(write):
    rows = [
        {"doc_id": n, "doc": {"question": item.question.upper()}, "target": "x", "resps": [[said]]}
        for n, (item, said) in enumerate(zip(ITEMS, SAID, strict=True))
    ]
    assert read_predictions(write(rows[::-1]), ITEMS) == SAID
    rows[1]["doc"]["question"] = "When was it?"
    with pytest.raises(DatasetError, match="in another order"):
        read_predictions(write(rows), ITEMS)


def test_what_later_lmms_eval_logs_has_the_prompt_alone(write):
    rows = [
        {"doc_id": n, "input": f"{item.question} Answer in a word.", "target": "x",
         "filtered_resps": [said], "doc_hash": "0"}
        for n, (item, said) in enumerate(zip(ITEMS, SAID, strict=True))
    ]  # fmt: skip
    assert read_predictions(write(rows[::-1]), ITEMS) == SAID
    swapped = [{**rows[0], "input": "Another?"}, *rows[1:]]
    with pytest.raises(DatasetError, match="in another order"):
        read_predictions(write(swapped), ITEMS)
    worded = [{**row, "input": f"Prompt {n}"} for n, row in enumerate(rows)]
    assert read_predictions(write(worded), ITEMS) == SAID


def test_vlmevalkits_answer_is_the_truth_and_its_prediction_the_answer(tmp_path):
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    book.active.append(["index", "question", "answer", "prediction"])
    for item, said in zip(ITEMS, SAID, strict=True):
        book.active.append([int(item.id), item.question, "the truth", said])
    book.save(tmp_path / "LLaVA_VQA.xlsx")
    assert read_predictions(tmp_path / "LLaVA_VQA.xlsx", ITEMS) == SAID


def test_vlmevalkits_index_may_be_the_place(write):
    lines = "".join(f"{n}\ttruth\t{said}\n" for n, said in enumerate(SAID))
    assert read_predictions(write("index\tanswer\tprediction\n" + lines, "a.tsv"), ITEMS) == SAID


# ScienceQA's test questions with an image: their ids are numbers, and not those of the rows.
SPARSE = [Item(name, f"Question: {name}?\nOptions: a b\n", record={"question": f"{name}?"})
          for name in ("1", "4", "5", "11", "3", "0")]  # fmt: skip
SIX = ["A", "B", "C", "D", "E", "F"]


@pytest.fixture
def notes():
    return []


def test_numbers_of_documents_that_are_ids_too_are_numbers_in_all_rows(write, notes):
    rows = [{"doc_id": n, "target": "x", "filtered_resps": [said]} for n, said in enumerate(SIX)]
    assert read_predictions(write(rows[::-1]), SPARSE, notice=notes.append) == SIX
    (note,) = notes
    assert "'doc_id' is taken for the number of the question" in note
    assert "5 of its 6 values" in note


def test_an_index_that_holds_the_ids_is_ids_in_all_rows(write, notes):
    rows = [{"index": int(item.id), "prediction": said}
            for item, said in zip(SPARSE, SIX, strict=True)]  # fmt: skip
    assert read_predictions(write(rows[::-1]), SPARSE, notice=notes.append) == SIX
    assert notes == []


def test_the_first_few_are_those_of_the_whole_benchmark(write):
    rows = [{"doc_id": n, "resps": [[said]]} for n, said in enumerate(SIX)]
    assert read_predictions(write(rows), SPARSE, limit=2) == SIX[:2]
    assert read_predictions(write(rows[:3]), SPARSE, limit=2) == SIX[:2]


@pytest.mark.parametrize("numbered", [True, False])
def test_where_a_column_could_be_either_the_questions_decide(write, numbered):
    items = [Item(name, f"What is {name}?") for name in ("2", "0", "1")]
    rows = [{"index": n if numbered else int(item.id), "prediction": said}
            for n, (item, said) in enumerate(zip(items, SAID, strict=True))]  # fmt: skip
    with pytest.raises(DatasetError, match=r"'index' may hold the ids .* or their numbers"):
        read_predictions(write(rows), items)
    asked = [{**row, "question": item.question} for row, item in zip(rows, items, strict=True)]
    assert read_predictions(write(asked[::-1]), items) == SAID


def test_a_column_of_ids_with_a_foreign_one_does_not_make_another_column_the_ids(write):
    rows = [{"id": item.id, "index": n, "prediction": said}
            for n, (item, said) in enumerate(zip(SPARSE, SIX, strict=True))]  # fmt: skip
    rows[2]["id"] = "foreign"
    with pytest.raises(DatasetError, match="answers 'foreign', which the benchmark does not ask"):
        read_predictions(write(rows), SPARSE)
    asked = [{**row, "question": item.question} for row, item in zip(rows, SPARSE, strict=True)]
    assert read_predictions(write(asked), SPARSE) == SIX


def test_other_columns_are_numbers_only_if_all_questions_say_so(write):
    rows = [{"question_id": n, "prediction": said, "question": item.record["question"]}
            for n, (item, said) in enumerate(zip(SPARSE, SIX, strict=True))]  # fmt: skip
    assert read_predictions(write(rows), SPARSE) == SIX
    del rows[1]["question"]
    with pytest.raises(DatasetError, match="'2', which the benchmark does not ask"):
        read_predictions(write(rows), SPARSE)


def test_questions_are_compared_as_the_benchmarks_file_has_them(write):
    """Tools ask in words of their own, with letters and a hint."""
    rows = [{"doc_id": n, "input": f"Hint.\n{item.record['question']}\nA. a\nB. b",
             "filtered_resps": [said]}
            for n, (item, said) in enumerate(zip(SPARSE, SIX, strict=True))]  # fmt: skip
    assert read_predictions(write(rows), SPARSE) == SIX
    rows[0]["input"], rows[1]["input"] = rows[1]["input"], rows[0]["input"]
    with pytest.raises(DatasetError, match="in another order"):
        read_predictions(write(rows), SPARSE)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda rows: rows[:2], "has no answer to '12' of 3 questions"),
        (lambda rows: [*rows, {"id": "7", "answer": "y"}], "more than one answer to '7'"),
        (lambda rows: [*rows, {"id": "x", "answer": "y"}], "answers 'x', which the benchmark"),
        (lambda rows: [{"answer": "y"}], "has no ids"),
        (lambda rows: [{"id": 7}], "row 1 has no answer"),
        (lambda rows: [{"id": 7, "answer": {"a": 1}}], "row 1: the answer is not text"),
        (lambda rows: [{"id": "other", "answer": "y"}], "is this the right file"),
        (lambda rows: [], "empty"),
    ],
)
def test_what_does_not_fit_is_told(write, change, told):
    rows = zipped(lambda i, s: {"id": i.id, "answer": s})
    with pytest.raises(DatasetError, match=told):
        read_predictions(write(change(rows)), ITEMS)


def test_of_a_part_of_the_benchmark_other_answers_are_passed_over(write):
    path = write(zipped(lambda i, s: {"id": i.id, "answer": s}))
    assert read_predictions(path, ITEMS[:2], partial=True) == SAID[:2]


def test_numbers_are_answers_and_nothing_is_a_failure(write):
    path = write('{"id": 7, "answer": 3}\n{"id": 9, "answer": NaN}\n{"id": 12, "answer": null}\n')
    said = read_predictions(path, ITEMS)
    assert said[0] == "3"
    assert isinstance(said[1], Failure)
    assert isinstance(said[2], Failure)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.jsonl", "not json"),
        ("a.json", "[" * 100_000),
        ("a.json", '{"answers": [1, 2]}'),
        ("a.csv", "id,answer\n1,2,3\n"),
        ("a.xlsx", "PK no zip"),
        ("a.jsonl", "[]\n"),
    ],
)
def test_files_of_something_else_are_refused_in_a_line(write, name, content):
    if name.endswith("xlsx"):
        pytest.importorskip("openpyxl")
    with pytest.raises(DatasetError) as told:
        read_predictions(write(content, name), ITEMS)
    assert "\n" not in str(told.value)


def test_a_spreadsheet_that_unpacks_to_too_much_is_refused(tmp_path, monkeypatch):
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    book.active.append(["index", "prediction"])
    book.save(tmp_path / "a.xlsx")
    monkeypatch.setattr("ig4.core.files.reading.spreadsheet.MAX_BYTES", 100)
    with pytest.raises(DatasetError, match="unpacks to more"):
        read_predictions(tmp_path / "a.xlsx", ITEMS)


@pytest.mark.slow
@given(
    answers=st.dictionaries(st.text(min_size=1), st.text(), min_size=1, max_size=8),
    shuffle=st.randoms(),
)
def test_whatever_the_ids_and_answers_are_they_find_each_other(tmp_path_factory, answers, shuffle):
    path = tmp_path_factory.mktemp("any") / "a.jsonl"
    rows = [{"id": name, "answer": said} for name, said in answers.items()]
    shuffle.shuffle(rows)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    items = [Item(name, "?") for name in answers]
    assert read_predictions(path, items) == list(answers.values())


def test_answers_repeated_as_they_are_count_once_and_are_told(write):
    rows = zipped(lambda i, s: {"id": i.id, "answer": s})
    told = []
    path = write([*rows, rows[0], {**rows[2], "seconds": 1.5}])
    assert read_predictions(path, ITEMS, notice=told.append) == SAID
    assert told == [f"{path}: 2 rows repeat the answer of an earlier one, and count once"]


def test_rows_without_an_id_are_no_repeats(write):
    with pytest.raises(DatasetError, match="has no ids"):
        read_predictions(write([{"answer": "y"}] * 3), ITEMS)
