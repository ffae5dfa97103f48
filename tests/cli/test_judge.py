"""`ig4 judge` as a user works with it: tables, limits, crashes, reviews made elsewhere."""

from __future__ import annotations

import json
import random
import signal
import sys
import time
from collections import Counter
from xml.etree import ElementTree

import pytest

from ig4.cli.main import main
from ig4.cli.terminal.stackedbars import Bar, svg, text_bars

from ..forking import Forked
from ..llm_server.world import verdict_of

CANARIES = ("canary-openai-0123456789", "canary-anthropic-0123456789")
FILES = ("a.jsonl", "b.jsonl", "--questions", "q.jsonl", "--contexts", "c.jsonl")


@pytest.fixture
def start(tmp_path):
    """Start `ig4 judge` in a folder of its own."""

    def _start(*arguments):
        return Forked("judge", *arguments, cwd=tmp_path)

    return _start


@pytest.fixture
def judge(tmp_path, monkeypatch, capsys):
    """Run `ig4 judge` to its end, in this process; return its exit code, output and messages."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        with pytest.raises(SystemExit) as stop:
            main(["judge", *map(str, arguments)])
        out, err = capsys.readouterr()
        return stop.value.code, out, err

    return run


@pytest.fixture
def answers(tmp_path):
    """Write so many questions, and two answers to each."""

    def write(number):
        rows = {name: [] for name in "qabc"}
        for n in range(number):
            rows["q"].append({"id": n, "image": f"{n}.jpg", "question": f"What is {n}?",
                              "category": ("conv", "detail")[n % 2]})  # fmt: skip
            rows["a"].append({"id": n, "answer": f"A red bus, number {n}."})
            rows["b"].append({"id": n, "answer": f"Number {n}: something."})
            rows["c"].append({"image": f"{n}.jpg", "caption": f"A red bus with the number {n}."})
        for name, lines in rows.items():
            text = "".join(json.dumps(line) + "\n" for line in lines)
            (tmp_path / f"{name}.jsonl").write_text(text)
        return rows

    return write


@pytest.fixture
def asks():
    """Skip where the vendors' clients are not installed."""
    pytest.importorskip("openai")
    pytest.importorskip("anthropic")


def test_the_table_the_bars_and_the_plot(judge, answers, tmp_path):
    answers(4)
    code, out, err = judge(*FILES, "--judge", "reference", "--plot", "out.svg", "-q")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == "a (win: it is better) against b"
    assert lines[2].split()[:5] == ["overall", "4", "4", "0", "0"]
    assert [line.split()[0] for line in lines[2:5]] == ["overall", "conv", "detail"]
    assert "p = 0.1250" in lines[2]
    assert f"overall  {'█' * 50}  4 win, 0 tie, 0 fail" in lines
    assert "position bias: 0.0 % of the verdicts change with the order" in out
    assert ElementTree.parse(tmp_path / "out.svg").getroot().tag.endswith("svg")


def test_json_has_all_numbers(judge, answers):
    answers(4)
    _, out, _ = judge(*FILES, "--judge", "reference", "--labels", "one,two", "--json")
    report = json.loads(out)
    assert (report["first"], report["second"], report["failed"], report["open"]) == (
        "one",
        "two",
        0,
        0,
    )
    assert (report["overall"]["n"], report["overall"]["win"]) == (4, 4)
    assert report["overall"]["win_rate_ci"] == [1.0, 1.0]
    assert 0 < report["overall"]["relative"] < 100
    assert report["categories"]["conv"]["n"] == 2
    assert report["position_bias"] == {"flips": 0.0, "first_shown": 0.0, "second_shown": 0.0}


def test_what_was_judged_is_shown(judge, answers):
    answers(2)
    judge(*FILES, "--judge", "reference")
    _, out, _ = judge("show")
    assert out.splitlines()[1].split() == [
        "1",
        "reference",
        "a",
        "b",
        "2",
        "done",
        "2",
        "0",
        "0",
        "0",
    ]
    _, out, _ = judge("show", 1)
    assert "Judgement 1 by reference: 4 of 4 verdicts, 0 failed; done" in out
    _, out, _ = judge("show", 1, "--json")
    report = json.loads(out)
    assert [(v["pair"], v["swapped"]) for v in report["verdicts"]] == [
        ("0", False), ("0", True), ("1", False), ("1", True),
    ]  # fmt: skip
    assert all(v["first"] > v["second"] for v in report["verdicts"])
    code, _, err = judge("show", 9)
    assert (code, "there is no judgement 9" in err) == (2, True)


def test_failed_verdicts_end_with_3_and_say_what_to_do(judge, answers, llm_server, asks):
    answers(3)
    llm_server.rule("garbage", match="What is 1?")
    code, out, err = judge(*FILES)
    assert code == 3
    assert "1 of 3 pairs has no verdict: see `ig4 judge show 1`, try again with --retry" in err
    assert out.splitlines()[2].split()[:2] == ["overall", "2"]
    _, out, _ = judge("show", 1)
    assert out.count("pair 1, shown") == 2
    llm_server.configure(rules=[])
    assert judge(*FILES)[0] == 3
    assert judge(*FILES, "--retry-failed")[0] == 0


def test_money_is_estimated_limited_and_never_spent_twice(judge, answers, llm_server, asks):
    rows = answers(10)
    code, out, _ = judge(*FILES, "--dry-run", "--json")
    report = json.loads(out)
    assert (code, report["verdicts"], report["asking"]["requests"]) == (0, 20, 20)
    assert llm_server.calls() == []
    code, out, err = judge(*FILES, "--max-cost", 0.02, "--json")
    report = json.loads(out)
    assert code == 3
    assert 0 < report["cost"] <= 0.02
    assert 0 < report["open"] < 10
    assert "--max-cost" in report["stopped"]
    assert "The same command continues from here." in err
    code, out, _ = judge(*FILES, "--json")
    report = json.loads(out)
    assert (code, report["open"], report["overall"]["n"]) == (0, 0, 10)
    assert len(llm_server.calls()) == 20
    wins = [verdict_of(a["answer"], b["answer"]) for a, b in zip(rows["a"], rows["b"], strict=True)]
    assert report["overall"]["win"] == sum(one > two for one, two in wins)
    assert report["overall"]["fail"] == sum(one < two for one, two in wins)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="kill -9 is a signal")
def test_a_judgement_killed_again_and_again_repeats_no_reply_that_had_arrived(
    start, judge, answers, llm_server, asks
):
    at_once, kills = 4, 3
    answers(40)
    llm_server.configure(latency=0.05)
    chance = random.Random(4)
    for _ in range(kills):
        before = len(llm_server.calls())
        process = start(*FILES, "--concurrency", at_once, "-q")
        while len(llm_server.calls()) == before and process.poll() is None:
            time.sleep(0.01)
        time.sleep(0.05 + chance.random() * 0.2)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    arrived = sum(call["outcome"] == "ok" for call in llm_server.calls())
    assert 0 < arrived < 80
    assert "verdicts, 0 failed; running" in judge("show", 1)[1]
    code, out, _ = judge(*FILES, "--concurrency", 32, "--json")
    assert (code, json.loads(out)["overall"]["n"]) == (0, 40)
    assert llm_server.repeats() <= at_once * kills


@pytest.mark.slow
@pytest.mark.parametrize("behaviour", [{}, {"require_key": "x"}])
def test_no_key_is_ever_written_down(judge, answers, llm_server, asks, tmp_path, behaviour):
    answers(2)
    llm_server.configure(**behaviour)
    report = [judge(*FILES, "--judge", name, "--json") for name in ("gpt", "claude")]
    report += [judge("show", 1, "--json")]
    written = [out + err for _, out, err in report]
    written += [path.read_bytes().decode("latin-1") for path in tmp_path.rglob("*")
                if path.is_file()]  # fmt: skip
    assert sum(map(len, written)) > 10_000
    for canary in CANARIES:
        assert not any(canary in text for text in written)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("a.jsonl", "b.jsonl"), 2, "Missing option '--questions'"),
        (("a.jsonl", "none.jsonl", "--questions", "q.jsonl"), 1, "there is no such file"),
        ((*FILES, "--judge", "gtp"), 2, "did you mean gpt?"),
        ((*FILES, "--judge", "reference", "--vision"), 2, "vision"),
        ((*FILES, "--judge", "reference", "-o", "gpt.model=x"), 2, "'gpt' is not used here"),
        ((*FILES, "--judge", "reference", "--labels", "x"), 2, "give two"),
        ((*FILES, "--judge", "reference", "--plot", "q.jsonl/where.svg"), 1, "cannot be written"),
        (("summarize", "q.jsonl"), 1, "is not a review"),
        (("summarize", "none.jsonl"), 1, "there is no such file"),
    ],
)
def test_errors_are_one_line_without_a_traceback(judge, answers, arguments, code, message):
    answers(2)
    done = judge(*arguments)
    assert (done[0], message in done[2]) == (code, True), done
    assert "Traceback" not in done[2]


# Reviews made elsewhere


def reviews(path, *rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_reviews_are_summed_up_by_category_with_and_without_the_prefix(judge, tmp_path):
    reviews(
        tmp_path / "r.jsonl",
        {"category": "llava_bench_conv", "content": "10 5\nwhy", "tuple": [10.0, 5.0]},
        {"category": "conv", "content": "8 6", "tuple": [8, 6]},
        {"category": "detail", "content": "8/10 4/10"},
    )
    code, out, _ = judge("summarize", "r.jsonl", "--json")
    report = json.loads(out)
    assert code == 0
    assert (report["overall"]["n"], report["overall"]["relative"]) == (3, pytest.approx(1500 / 26))
    conv, detail = report["categories"]["conv"], report["categories"]["detail"]
    assert (conv["n"], conv["relative"]) == (2, pytest.approx(1100 / 18))
    assert (detail["n"], detail["relative"]) == (1, 50.0)


def test_unreadable_reviews_are_counted_and_never_averaged_in(judge, tmp_path):
    reviews(
        tmp_path / "r.jsonl",
        {"category": "conv", "content": "10 5", "tuple": [10, 5]},
        {"category": "conv", "content": "8/10 8/10", "tuple": [-1, -1]},
        {"category": "conv", "content": "no idea", "tuple": [-1, -1]},
    )
    code, out, err = judge("summarize", "r.jsonl", "--json")
    report = json.loads(out)
    assert (code, "1 review has no scores" in err) == (3, True)
    assert (report["failed"], report["overall"]["n"]) == (1, 2)
    assert report["overall"]["relative"] == pytest.approx(1300 / 18)
    _, out, _ = judge("summarize", "r.jsonl", "--json", "--reader", "llava")
    report = json.loads(out)
    assert (report["failed"], report["overall"]["n"], report["overall"]["relative"]) == (2, 1, 50.0)


def test_scores_are_found_under_each_name_they_go_by(judge, tmp_path):
    for name in ("tuple", "scores", "score"):
        reviews(tmp_path / "r.jsonl", {"category": "conv", name: [8.0, 6.0]})
        code, out, _ = judge("summarize", "r.jsonl", "--json")
        assert (code, json.loads(out)["overall"]["relative"]) == (0, 75.0), name


@pytest.mark.parametrize(
    "scores",
    [[8, 9, 7], ["8", "9"], [], -1, "8 9", None, [None, None], [True, 9], [10**400, 9],
     [float("nan"), 9]],
)  # fmt: skip
def test_scores_that_are_no_two_numbers_cost_one_review_at_most(judge, tmp_path, scores):
    good = {"category": "conv", "content": "10 5", "tuple": [10, 5]}
    reviews(tmp_path / "r.jsonl", good, good | {"content": "8 4", "tuple": scores})
    code, out, _ = judge("summarize", "r.jsonl", "--json")
    report = json.loads(out)
    assert (code, report["overall"]["n"], report["overall"]["first_mean"]) == (0, 2, 9.0)
    for text in (None, "an error of the service"):
        reviews(tmp_path / "r.jsonl", good, good | {"content": text, "tuple": scores})
        code, out, _ = judge("summarize", "r.jsonl", "--json")
        report = json.loads(out)
        assert (code, report["overall"]["n"], report["failed"]) == (3, 1, 1)


@pytest.mark.shared
def test_llavas_published_reviews_give_llavas_published_numbers(judge, shared):
    folder = shared / "data" / "benchmarks" / "llava-bench"
    files = [folder / f"llava-v1.5-7b-eval{n}.jsonl" for n in (1, 2, 3)]
    for reader in ((), ("--reader", "llava")):
        code, out, _ = judge("summarize", *files, *reader, "--json")
        report = json.loads(out)
        assert code == 0
        runs = [round(run["overall"]["relative"], 1) for run in report["runs"]]
        assert runs == [64.8, 65.3, 66.3]
        assert report["overall"]["relative"] == pytest.approx(65.4, abs=0.1)  # as published
    one = json.loads(judge("summarize", files[0], "--json")[1])
    questions = (folder / "questions.jsonl").read_text("utf-8").splitlines()
    counts = Counter(json.loads(line)["category"] for line in questions)
    assert one["overall"]["n"] == len(questions) > 0
    assert {name: part["n"] for name, part in one["categories"].items()} == counts


# The bars


def test_bars_are_as_wide_as_they_should_be_whatever_the_counts():
    for counts in ((29, 15, 16), (1, 1, 1), (0, 0, 7), (999, 1, 1)):
        line = text_bars([Bar("x", *counts)], 50)[0]
        assert sum(line.count(block) for block in "█▒░") == 50
    assert text_bars([Bar("all", 29, 15, 16)], 60)[0] == (
        f"all  {'█' * 29}{'▒' * 15}{'░' * 16}  29 win, 15 tie, 16 fail"
    )


def test_an_svg_holds_the_papers_figure():
    root = ElementTree.fromstring(svg([Bar("overall", 29, 15, 16)], "selected against all"))
    texts = [one.text for one in root.iter("{http://www.w3.org/2000/svg}text")]
    assert texts == ["selected against all", "overall", "29", "15", "16", "win", "tie", "fail"]
    widths = [float(one.get("width")) for one in root.iter("{http://www.w3.org/2000/svg}rect")]
    assert widths[1:4] == pytest.approx([560 * 29 / 60, 560 * 15 / 60, 560 * 16 / 60], abs=0.01)


def test_hostile_names_stay_text_in_an_svg():
    name = "</text><script>alert(1)</script>\x00\x1b[31m&\ud800 '\"" + "x" * 500
    root = ElementTree.fromstring(svg([Bar(name, 1, 0, 0)], name).encode("utf-8", "strict"))
    assert not list(root.iter("{http://www.w3.org/2000/svg}script"))
    assert max(len(one.text or "") for one in root.iter()) <= 200
