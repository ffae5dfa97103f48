"""`ig4 eval`, run in this process; a tiny model with random weights answers."""

from __future__ import annotations

import csv
import io
import json
import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

import ig4 as library
from ig4.cli.main import cli
from ig4.core.errors import UsageError

pytestmark = pytest.mark.slow

ROWS = [
    {"id": n, "image": f"{n}.png", "question": f"Is it {n}?", "answer": str(n), "category": "count"}
    for n in range(4)
]


@pytest.fixture
def ig4(tmp_path, monkeypatch):
    """Run a command in a folder with `q.jsonl`, its images, and answers of two models."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("IG4_DB", raising=False)
    lines("q.jsonl", ROWS)
    for n in range(4):
        Image.new("RGB", (9, 9), (60 * n, 0, 0)).save(f"{n}.png")
    lines("good.jsonl", [{"id": n, "answer": f"It is {n}."} for n in range(4)])
    lines("bad.jsonl", [{"id": n, "answer": "It is 0."} for n in range(4)])

    def run(*arguments, **environment):
        return CliRunner().invoke(cli, list(map(str, arguments)), env=environment)

    return run


def lines(name, rows):
    Path(name).write_text("".join(json.dumps(row) + "\n" for row in rows))


def json_of(done, code=0):
    assert done.exit_code == code, (done.output, done.exception)
    return json.loads(done.stdout)


MINE = ("--benchmarks", "vqa", "-o", "vqa.questions=q.jsonl")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    pytest.importorskip("transformers")
    from ..tiny_models import make_hf

    return make_hf(tmp_path_factory.mktemp("tiny") / "hf")


def test_an_untrained_model_answers_and_is_not_asked_twice(ig4, model):
    command = ("eval", "--trainer", "hf", "-o", f"hf.model={model}", "-o", "hf.device=cpu",
               "-o", "hf.precision=fp32", *MINE, "--max-new-tokens", 4, "--json")  # fmt: skip
    [first] = json_of(ig4(*command))["evaluations"]
    assert (first["benchmark"], first["label"], first["items"]) == ("vqa", "hf", 4)
    assert (first["failed"], first["reused"]) == (0, False)
    [again] = json_of(ig4(*command, "--batch-size", 2))["evaluations"]
    assert (again["evaluation"], again["reused"]) == (1, True)
    shown = json_of(ig4("eval", "show", 1, "--json"))
    assert [one["id"] for one in shown["answers"]] == ["0", "1", "2", "3"]
    assert (shown["decoding"]["max_new_tokens"], shown["seed"]) == (4, 42)


def test_an_image_that_is_missing_counts_as_wrong_and_the_exit_code_says_so(ig4, model):
    Path("2.png").unlink()
    done = ig4("eval", "--trainer", "hf", "-o", f"hf.model={model}", "-o", "hf.device=cpu",
               *MINE, "--max-new-tokens", 2, "--json", "--quiet")  # fmt: skip
    [found] = json_of(done, code=3)["evaluations"]
    assert found["failed"] == 1
    assert "1 question without an answer, counted as wrong" in done.stderr
    assert "2.png: the image file is missing" in ig4("eval", "show", 1).stdout


def test_cider_is_compared_over_the_same_questions_only(ig4):
    lines("captions.jsonl", [{"image": f"{n}.png", "caption": f"bus {n} stops"} for n in range(4)])
    lines("said.jsonl", [{"image": f"{n}.png", "caption": "bus 1 stops"} for n in range(4)])
    captions = ("--benchmarks", "caption", "-o", "caption.questions=captions.jsonl")
    for more in ((), ("--limit", 2)):
        json_of(ig4("eval", "--predictions", "said.jsonl", *captions, *more, "--json"))
    done = ig4("eval", "compare", 1, 2)
    assert isinstance(done.exception, UsageError)
    assert "evaluate both on the same questions" in str(done.exception)
    assert json_of(ig4("eval", "compare", 1, 1, "--json"))["equal"] == 4


def test_answers_made_elsewhere_are_scored_shown_and_compared(ig4):
    [bad] = json_of(ig4("eval", "--predictions", "bad.jsonl", *MINE, "--json"))["evaluations"]
    assert (bad["value"], bad["label"]) == (0.25, "bad")
    assert bad["categories"] == {"count": {"accuracy": 0.25, "n": 4.0}}
    done = ig4("eval", "--predictions", "good.jsonl", *MINE, "--label", "better")
    assert done.stdout.splitlines()[1].split()[:5] == ["2", "vqa", "better", "accuracy", "1"]
    found = json_of(ig4("eval", "compare", 1, 2, "--json"))
    assert (found["difference"], found["better"], found["worse"]) == (0.75, 3, 0)
    assert found["p"] == 0.25
    assert "B - A" in ig4("eval", "compare", 1, 2).stdout
    assert [row["label"] for row in json_of(ig4("eval", "show", "--json"))] == ["bad", "better"]


def test_the_metrics_are_csv(ig4):
    done = ig4("eval", "--predictions", "bad.jsonl", *MINE, "--csv")
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [(row["category"], row["metric"], row["value"]) for row in rows] == [
        ("", "accuracy", "0.25"), ("count", "accuracy", "0.25"),
    ]  # fmt: skip
    assert ig4("eval", "show", "--csv").stdout == done.stdout


def test_no_category_is_a_formula_or_a_line_of_its_own_in_csv(ig4):
    lines("q.jsonl", [row | {"category": '=HYPERLINK("x")\n\x1b[31m'} for row in ROWS])
    done = ig4("eval", "--predictions", "bad.jsonl", *MINE, "--csv")
    category = list(csv.DictReader(io.StringIO(done.stdout)))[1]["category"]
    assert category.startswith("'=HYPERLINK(")
    assert category.isprintable()


def test_answers_come_out_as_they_go_in(ig4):
    ig4("eval", "--predictions", "bad.jsonl", *MINE)
    Path("again.jsonl").write_text(ig4("eval", "show", 1, "--answers").stdout)
    [again] = json_of(ig4("eval", "--predictions", "again.jsonl", *MINE, "--json"))["evaluations"]
    assert again["value"] == 0.25


def test_benchmarks_of_ig4_toml_are_the_default(ig4):
    Path("ig4.toml").write_text(
        '[benchmarks.mine]\nuse = "vqa"\nquestions = "q.jsonl"\nrule = "exact"\n'
    )
    [found] = json_of(ig4("eval", "--predictions", "good.jsonl", "--json"))["evaluations"]
    assert (found["benchmark"], found["value"]) == ("mine", 0.0)


def test_a_second_benchmark_that_cannot_be_read_stops_the_first(ig4):
    done = ig4("eval", "--trainer", "hf", "-o", "hf.model=nowhere", "--benchmarks", "vqa,vsr",
               "-o", "vqa.questions=q.jsonl", "-o", "vsr.questions=q.jsonl")  # fmt: skip
    assert "q.jsonl, row 1: it needs a text under 'caption'" in str(done.exception)


def test_only_the_first_questions(ig4):
    [found] = json_of(ig4("eval", "--predictions", "bad.jsonl", *MINE, "--limit", 2, "--json"))[
        "evaluations"
    ]
    assert (found["items"], found["value"]) == (2, 0.5)


@pytest.mark.shared
@pytest.mark.skipif(
    find_spec("pycocoevalcap") is None or shutil.which("java") is None,
    reason="needs pycocoevalcap and Java",
)
@pytest.mark.parametrize(("name", "published"), [("good", 0.5637), ("bad", 0.2790)])
def test_published_captions_have_their_published_cider(ig4, shared, name, published):
    folder = shared / "data" / "formats" / "clipscore-example"
    done = ig4("eval", "--predictions", folder / f"{name}_captions.json", "--benchmarks", "caption",
               "-o", f"caption.questions={folder / 'refs.json'}", "-o", "caption.words=ptb",
               "--json")  # fmt: skip
    assert json_of(done)["evaluations"][0]["value"] == pytest.approx(published, abs=5e-5)


@pytest.mark.shared
def test_published_answers_to_llava_bench_are_taken_as_they_are(ig4, shared):
    folder = shared / "data" / "benchmarks" / "llava-bench"
    done = ig4("eval", "--predictions", folder / "answers_llava-v1.5-7b.jsonl", "--benchmarks",
               "llava-bench", "-o", f"llava-bench.questions={folder / 'questions.jsonl'}",
               "--json")  # fmt: skip
    assert json_of(done)["evaluations"][0]["metrics"] == {"answered": 1.0}


def test_what_is_a_judges_to_say_is_told(ig4):
    lines("lb.jsonl", [{"question_id": n, "image": "a.jpg", "text": "?"} for n in range(4)])
    done = ig4("eval", "--predictions", "good.jsonl", "--benchmarks", "llava-bench",
               "-o", "llava-bench.questions=lb.jsonl")  # fmt: skip
    assert done.exit_code == 0
    assert "a judge rates these answers: `ig4 eval show 1 --answers > answers.jsonl`" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--predictions", "bad.jsonl"], "give --benchmarks"),
        ([*MINE], "name a checkpoint's folder"),
        (["--predictions", "bad.jsonl", "--trainer", "hf", *MINE], "name a checkpoint's folder"),
        (["nowhere", *MINE], "nowhere is not a checkpoint"),
        (["--predictions", "bad.jsonl", "--benchmarks", "vqa,vsr"], "name one benchmark"),
        (["--predictions", "bad.jsonl", "--benchmarks", "vqa"], "this option must be given"),
        (["--predictions", "bad.jsonl", "--benchmarks", "vqq"], "vqq"),
        (["--predictions", "bad.jsonl", *MINE, "-o", "vsr.questions=x"], "'vsr' is not used"),
        (["--predictions", "none.jsonl", *MINE], "none.jsonl"),
        (["show", "7"], "there is no evaluation 7"),
        (["show", "--answers"], "needs the NUMBER of an evaluation"),
        (["compare", "1", "7"], "there is no evaluation"),
    ],
)
def test_what_is_wrong_is_told_in_a_line(ig4, arguments, message):
    ig4("eval", "--predictions", "good.jsonl", *MINE)
    done = ig4("eval", *arguments)
    assert done.exit_code != 0
    assert message in str(done.exception)


def test_a_checkpoint_may_be_called_as_a_verb_by_its_path(ig4):
    assert "show is not a checkpoint" in str(ig4("eval", "./show", *MINE).exception)


def test_text_of_models_is_never_markup(ig4):
    lines("odd.jsonl", [{"id": n, "answer": "[red]\x1b[31m\x07 =1+1"} for n in range(4)])
    ig4("eval", "--predictions", "odd.jsonl", *MINE, "--label", "[bold]\x1b[1m")
    for command in (("eval", "show"), ("eval", "show", 1), ("eval", "compare", 1, 1)):
        shown = ig4(*command).stdout
        assert "\x1b" not in shown
        assert "[" in shown


def test_the_library_does_the_same(ig4):
    done = library.evaluate(
        benchmark="vqa", options={"questions": "q.jsonl"}, predictions="good.jsonl"
    )
    assert (done.id, done.measured.value) == (1, 1.0)
    assert library.evaluate(
        None, "vqa", options={"questions": "q.jsonl"}, predictions="good.jsonl"
    ).reused


def test_nothing_to_evaluate_is_an_error_of_the_library_too(ig4):
    with pytest.raises(library.Ig4Error, match="name a checkpoint's folder"):
        library.evaluate(benchmark="vqa", options={"questions": "q.jsonl"})
