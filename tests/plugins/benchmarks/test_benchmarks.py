"""Benchmarks ask as LVLM-eHub asks, read the files that are published, and refuse others."""

from __future__ import annotations

import json

import numpy as np
import pytest

from ig4.core.errors import DatasetError, UsageError
from ig4.core.host.host import Host
from ig4.core.records import Choice

HOST = Host.discover()


def benchmark(name, questions, **options):
    chosen = {"questions": str(questions), **{key: str(value) for key, value in options.items()}}
    return HOST.build(Choice("benchmark", f"ig4/{name}", chosen))


@pytest.fixture
def write(tmp_path):
    def _write(content, name="q.json"):
        path = tmp_path / name
        text = content if isinstance(content, str) else json.dumps(content)
        path.write_text(text, encoding="utf-8")
        return path

    return _write


def test_scienceqa_asks_without_letters_and_takes_the_test_items_with_an_image(write):
    problem = {"question": "Which?", "choices": ["igneous rock", "sand"], "answer": 1,
               "image": "image.png", "split": "test", "subject": "natural science"}  # fmt: skip
    path = write({"5": problem, "6": {**problem, "image": None}, "7": {**problem, "split": "val"}})
    [item] = benchmark("scienceqa", path).items()
    assert item.question == "Question: Which?\nOptions: igneous rock sand\n"
    assert (item.id, item.image, item.truths) == ("5", "test/5/image.png", ("sand",))
    assert item.category == "natural science"


def test_scienceqa_reads_what_lvlm_ehub_prepared(write):
    path = write(
        [{"answer": "sand", "image_path": "test_imgs/0000.png", "question": "Question: …"}]
    )
    [item] = benchmark("scienceqa", path).items()
    assert (item.id, item.image, item.truths) == ("0", "test_imgs/0000.png", ("sand",))


def test_okvqa_asks_the_raw_question_and_takes_any_of_the_answers(write):
    questions = write({"questions": [{"image_id": 9, "question": "What?", "question_id": 91}]})
    people = [{"answer": "golf", "raw_answer": "golfing"}, {"answer": "a game"}]
    answers = write(
        {"annotations": [{"image_id": 9, "question_id": 91, "answers": people}]}, "a.json"
    )
    made = benchmark("okvqa", questions, annotations=answers)
    [item] = made.items()
    assert (item.question, item.image) == ("What?", "COCO_val2014_000000000009.jpg")
    assert item.truths == ("golf", "a game")
    assert made.score([item], ["It is a game of golf."]).value == 1


def test_vsr_asks_whether_the_caption_is_right(write):
    row = {"image": "1.jpg", "caption": "The cat is on the mat.", "label": 0, "relation": "on"}
    [item] = benchmark("vsr", write(json.dumps(row) + "\n", "q.jsonl")).items()
    assert item.question == (
        "Question: Is the following caption right? The cat is on the mat.\nOptions: No Yes\n"
    )
    assert (item.truths, item.category) == (("No",), "on")


@pytest.mark.parametrize(
    ("label", "truth"), [("0", "No"), ("1", "Yes"), ("1.0", None), ("2", None)]
)
def test_labels_in_a_table_are_numbers_as_text(write, label, truth):
    made = benchmark("vsr", write(f"image,caption,label\n1.jpg,It is.,{label}\n", "q.csv"))
    if truth is None:
        with pytest.raises(DatasetError, match="whole number from 0 to 1"):
            made.items()
    else:
        assert made.items()[0].truths == (truth,)


def test_flickr30k_draws_as_numpy_does_with_seed_0(write):
    lines = [f"{n}.jpg#{k}\tcaption {k} of {n}" for n in range(2000) for k in range(5)]
    made = benchmark("flickr30k", write("\n".join(lines), "results_20130124.token"))
    items = made.items()
    np.random.seed(0)
    drawn = np.random.choice(2000, 1000, replace=False)
    assert [item.id for item in items] == [f"{n}.jpg" for n in drawn]
    assert items[0].truths == tuple(f"caption {k} of {drawn[0]}" for k in range(5))
    assert items[0].question == "what is described in the image?"
    assert made.max_new_tokens == 16


def test_nocaps_has_all_captions_of_an_image(write):
    path = write({
        "info": {}, "licenses": [{"id": 1}],
        "images": [{"id": 4, "file_name": "x.jpg", "domain": "out-domain"}, {"id": 3,
                   "file_name": "y.jpg"}],
        "annotations": [{"image_id": 3, "caption": "a boat"}, {"image_id": 4, "caption": "a dog"},
                        {"image_id": 4, "caption": "the dog"}],
    })  # fmt: skip
    items = benchmark("nocaps", path).items()
    assert [(item.id, item.image, item.truths) for item in items] == [
        ("4", "x.jpg", ("a dog", "the dog")), ("3", "y.jpg", ("a boat",)),
    ]  # fmt: skip


def test_questions_of_your_own_have_columns_of_any_name(write):
    path = write('nr,asked,pic,right\n1,What?,a.png,"[""cat"", ""tom""]"\n2,Who?,,me\n', "q.csv")
    made = benchmark("vqa", path, id="nr", question="asked", answers="right", image="pic",
                     prompt="{question} One word.", rule="exact")  # fmt: skip
    first, second = [made.items()[n] for n in range(2)]
    assert (first.id, first.question, first.image) == ("1", "What? One word.", "a.png")
    assert first.truths == ("cat", "tom")
    assert second.truths == ("me",)


def test_captions_of_your_own_may_stand_in_several_rows(write):
    path = write("image,caption\na.jpg,a dog\nb.jpg,a boat\na.jpg,the dog\n", "c.csv")
    made = benchmark("caption", path, metrics="rouge-l,cider")
    items = made.items()
    assert [(item.id, item.truths) for item in items] == [
        ("a.jpg", ("a dog", "the dog")), ("b.jpg", ("a boat",)),
    ]  # fmt: skip
    measured = made.score(items, ["a dog", None])
    assert measured.headline == "rouge-l"
    assert measured.values == [pytest.approx(1), 0]
    assert set(measured.metrics) == {"rouge-l", "cider", "cider_x100"}


def test_captions_of_your_own_may_be_an_object(write):
    items = benchmark("caption", write({"a": ["a dog", "the dog"], "b": "a boat"})).items()
    assert [(item.id, item.image, item.truths) for item in items] == [
        ("a", "a", ("a dog", "the dog")), ("b", "b", ("a boat",)),
    ]  # fmt: skip


def test_an_answer_counts_only_once_for_each_question_and_none_is_wrong(write):
    path = write([{"question": "?", "answer": "x"}, {"question": "?", "answer": "y"}])
    made = benchmark("vqa", path)
    assert made.score(made.items(), [None, "y y"]).values == [0, 1]


def test_soft_accuracy_needs_several_people(write):
    made = benchmark("vqa", write([{"question": "?", "answer": "x"}]), rule="vqa")
    with pytest.raises(DatasetError, match="question '0' has 1"):
        made.score(made.items(), ["x"])


def test_where_files_lie_is_not_part_of_the_identity(write, tmp_path):
    rows = [{"question": "?", "answer": "x"}]
    first = benchmark("vqa", write(rows))
    second = benchmark("vqa", write(rows, "other.json"), images=tmp_path)
    third = benchmark("vqa", write([{"question": "?", "answer": "y"}], "third.json"))

    def digest(path):
        return path.read_text()

    assert first.identity(digest) == second.identity(digest) != third.identity(digest)


PROBLEMS = {
    str(n): {"question": "Which?", "choices": ["igneous rock", "sand", "rock"], "answer": right,
             "image": "image.png", "split": "test"}
    for n, right in enumerate([1, 0, 2, 1])
}  # fmt: skip


def test_letters_of_choices_are_read_where_that_is_asked_for(write):
    path = write(PROBLEMS)
    answers = ["B", "(A) igneous rock", "The answer is A.", "sand"]
    made = benchmark("scienceqa", path, answers="letters")
    result = made.score(made.items(), answers)
    assert (result.values, list(result.notes)) == ([1, 1, 0, 1], [])
    unread = made.score(made.items(), ["B", "D", "both", None])
    assert unread.values == [1, 0, 0, 0]
    [note] = unread.notes
    assert note == "2 of 4 answers name no choice, by its letter or its text: they count as wrong"


def test_answers_that_look_like_letters_are_told_with_the_option_that_reads_them(write):
    made = benchmark("scienceqa", write(PROBLEMS))
    [note] = made.score(made.items(), ["B", "A", "(c)", "sand"]).notes
    assert note.startswith("3 of 4 answers look like letters of choices")
    assert "-o scienceqa.answers=letters" in note
    assert made.score(made.items(), ["sand", "igneous rock", "B", None]).notes == ()
    assert made.score(made.items(), [None] * 4).notes == ()


def test_letters_need_the_choices(write):
    path = write([{"answer": "sand", "image_path": "0.png", "question": "Question: …"}])
    made = benchmark("scienceqa", path, answers="letters")
    with pytest.raises(DatasetError, match=r"no choices: for ScienceQA name problems\.json"):
        made.score(made.items(), ["B"])


@pytest.mark.parametrize("name", ["vsr", "vcr-mci"])
def test_true_and_false_are_read_where_that_is_asked_for_and_told_where_not(write, name):
    rows = [{"image": "1.jpg", "caption": "It is.", "label": n % 2, "image_id": "1.jpg",
             "text_in": "Is it?", "text_out": ["No.", "Yes."][n % 2]}
            for n in range(4)]  # fmt: skip
    path = write(rows)
    answers = ["False", "True.", "true", "yes"]
    usual = benchmark(name, path)
    result = usual.score(usual.items(), answers)
    assert result.values == [0, 0, 0, 1]
    assert "3 of 4 answers look like true or false" in result.notes[0]
    assert f"-o {name}.answers=labels" in result.notes[0]
    made = benchmark(name, path, answers="labels")
    assert made.score(made.items(), answers).values == [1, 1, 0, 1]
    assert made.score(made.items(), ["maybe", None, "no", "0"]).notes == (
        "1 of 4 answers names no label: it counts as wrong",
    )


@pytest.mark.parametrize(
    "row",
    [{"choices": ["rock", "sand"], "answer": "sand"}, {"options": ["rock", "sand"], "answer": "B"},
     {"A": "rock", "B": "sand", "C": None, "answer": "sand"}],
)  # fmt: skip
def test_questions_of_your_own_may_have_choices(write, row):
    made = benchmark("vqa", write([{"question": "Which?", **row}]), answer_form="letters")
    assert made.score(made.items(), ["B"]).value == 1
    assert made.score(made.items(), ["sand"]).value == 1
    assert made.score(made.items(), ["A"]).value == 0


def test_truths_that_are_letters_are_no_surprise(write):
    made = benchmark("vqa", write([{"question": "Which?", "answer": "B"}]))
    assert made.score(made.items(), ["B"]).notes == ()


@pytest.mark.parametrize("name", ["scienceqa", "vsr", "vcr-mci", "vqa"])
def test_reading_texts_is_no_part_of_the_identity(write, name):
    """So that evaluations made before there was a choice are found again."""
    found = benchmark(name, write([])).identity(lambda path: "0")
    assert not {"choices", "answer_form"} & set(found)
    assert found.get("answers") is None


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("vqa", '[{"question": "what", "answer": NaN}]'),
        ("vqa", '[{"question": 7, "answer": "x"}]'),
        ("vqa", '[{"question": "what"}]'),
        ("vqa", '[{"question": "what", "answer": []}]'),
        ("vqa", '[{"question": "what", "answer": {"a": 1}}]'),
        ("vqa", json.dumps(2 * [{"id": 1, "question": "a", "answer": "b"}])),
        ("vqa", '[{"id": [1], "question": "a", "answer": "b"}]'),
        ("vqa", "[]"),
        ("vqa", "[1, 2]"),
        ("vqa", "{"),
        ("vqa", "no json at all"),
        ("vqa", "[" * 50_000),
        ("vsr", '[{"image": "a", "caption": "b", "label": 2}]'),
        ("vsr", '[{"image": "a", "caption": "b", "label": true}]'),
        ("vsr", '[{"image": "a", "caption": "b", "label": NaN}]'),
        ("vcr-oc", '[{"image_id": "a", "text_in": "b"}]'),
        ("scienceqa", json.dumps({"1": {"question": "a", "choices": ["b"], "answer": 1,
                                        "image": "i", "split": "test"}})),
        ("scienceqa", '{"1": [2]}'),
        ("scienceqa", '{"1": {"split": "train"}}'),
        ("nocaps", '{"images": [{"id": 1, "file_name": "a"}], "annotations": []}'),
        ("nocaps", '{"images": [{"id": 1, "file_name": "a"}]}'),
        ("flickr30k", "a.jpg 0 no tab\n"),
        ("flickr30k", '{"a.jpg": [["x"]]}'),
        ("caption", '[{"image": "a", "caption": ""}, {"image": "a", "captions": 0.5}, 3]'),
        ("caption", '{"a.jpg": [["x"]]}'),
        ("caption", "{}"),
        ("llava-bench", '[{"question_id": 1, "image": "a"}]'),
    ],
)  # fmt: skip
def test_files_of_something_else_are_refused_in_a_line_that_names_them(write, name, content):
    path = write(content)
    with pytest.raises(DatasetError) as told:
        benchmark(name, path).items()
    assert str(path) in str(told.value)
    assert "\n" not in str(told.value)


def test_a_missing_file_is_told():
    with pytest.raises(DatasetError, match="nowhere"):
        benchmark("vqa", "/nowhere/q.json").items()


@pytest.mark.parametrize(
    "options",
    [{"rule": "fuzzy"}, {"prompt": "no place"}, {"question_column": "q"}],
)
def test_wrong_options_are_refused(write, options):
    with pytest.raises(UsageError, match=r"^ig4/vqa|^vqa|rule|prompt|question_column"):
        benchmark("vqa", write("[]"), **options)


@pytest.mark.parametrize("metrics", ["", "cider,cider", "meteor"])
def test_metrics_are_named_once(write, metrics):
    with pytest.raises(UsageError, match="metrics"):
        benchmark("caption", write("[]"), metrics=metrics)


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "count", "files"),
    [
        ("vcr-oc", 10_000, {"questions": "gvtbench/vcr_oc.json"}),
        ("vcr-mci", 10_000, {"questions": "gvtbench/vcr_mci.json"}),
        ("okvqa", 5_046, {"questions": "okvqa/OpenEnded_mscoco_val2014_questions.json",
                          "annotations": "okvqa/testdev.json"}),
        ("vsr", 1_097, {"questions": "vsr/random_dev.jsonl"}),
        ("vsr", 340, {"questions": "vsr/zeroshot_dev.jsonl"}),
        ("llava-bench", 60, {"questions": "llava-bench/questions.jsonl",
                             "context": "llava-bench/context.jsonl"}),
    ],
)  # fmt: skip
def test_published_files_have_as_many_questions_as_they_should(shared, name, count, files):
    folder = shared / "data" / "benchmarks"
    made = benchmark(name, **{key: folder / file for key, file in files.items()})
    items = made.items()
    assert len(items) == count
    assert made.image_root == (folder / files["questions"]).parent
    if name == "vcr-oc":
        assert all(item.truths[0].isdigit() for item in items)
    if name == "vcr-mci":
        assert {item.truths for item in items} == {("Yes.",), ("No.",)}
    if name == "llava-bench":
        assert len({item.record["context"] for item in items}) == 24
        assert {item.category for item in items} == {"conv", "detail", "complex"}
    else:
        right = made.score(items, [next(iter(item.truths), None) for item in items])
        assert right.value > 0.999
