"""Two scores are read out of a review, or it is refused: robustly, and as LLaVA's script does."""

from __future__ import annotations

import contextlib
import json
import os
import time
from pathlib import Path

import pytest

from ig4.core.files.answers.reviews import UnreadableReviewError, read_llava, read_robust

READ = [
    "8 9", "8, 9", "8,9", "8 9 \nwhy", " 8 9\nwhy", "8  9", "8\t9", "8 9\r\nwhy", "8 | 9",
    "8.0 9.0", "8/10 9/10\nwhy", "8 / 10, 9 / 10", "8 out of 10, 9 out of 10", "8 and 9", "(8, 9)",
    "[8, 9]",
    "**8 9**", "**8** **9**\nwhy", "### Scores\n8 9", "Scores: 8 9", "Scores:\n8 9\nwhy",
    "Score: 8 9", "Assistant 1: 8 Assistant 2: 9", "Assistant 1: 8\nAssistant 2: 9\nwhy",
    "Assistant 1: 8/10, Assistant 2: 9/10", "**Assistant 1: 8**\n\n**Assistant 2: 9**",
    "Assistant 1: 8 and Assistant 2: 9", "Assistant A: 8 Assistant B: 9",
    "Score for Assistant 1: 8, score for Assistant 2: 9", "Answer 1: 8, Answer 2: 9",
    "Assistant 1's score: 8; Assistant 2's score: 9", "Assistant 1 gets 8, Assistant 2 gets 9.",
    "8 9 (both are fine)", "8 9. The second is better", "```\n8 9\n```",
    '{"assistant_1": 8, "assistant_2": 9, "explanation": "why"}', '{"scores": [8, 9]}',
    '```json\n{"assistant_1": 8, "assistant_2": "9/10"}\n```',
]  # fmt: skip

REFUSED = [
    "", "8", "8 9 7", "8-9", "8/9", "8 to 9", "8/100 9/100", "8.5/5 3/5", "-8 9", "8 -9", "²8 9",
    "7,5 8,5", "nice pictures", "eight nine", "Both are good. 8 9", "I'd say 8 and then 9",
    "8 9 of 20", "8 9 out of 100", "8 9 but 10 10 later", "1e1 9",
    "Assistant 2: 9 Assistant 1: 8", "Assistant 1: 8\nI think that Assistant 2: 9",
    '{"score": 8}', '{"assistant_1": true, "assistant_2": 9}', "{", "[",
    '{"assistant_1": NaN, "assistant_2": 9}', '{"assistant_1": 8}', "As an AI I cannot judge.",
    "Why?\n8 9",
    '{"assistant_1": 8, "assistant_2": 9, "assistant_1": 3}',
    '{"assistant_1": 8, "assistant_2": 9, "score_1": 3}',
    '{"scores": [8, 9], "assistant_1": 3, "assistant_2": 9}',
    '{"assistant_1": 8, "assistant_2": 9, "max_score": 100}',
]  # fmt: skip


@pytest.mark.parametrize("text", READ)
def test_what_models_write_is_read(text):
    verdict = read_robust(text)
    assert (verdict.first, verdict.second) == (8.0, 9.0)


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_no_pair_of_scores_is_refused(text):
    with pytest.raises(UnreadableReviewError):
        read_robust(text)


@pytest.mark.parametrize("text", ["80 90", "0 5", "11 9", '{"assistant_1": 0, "assistant_2": 9}'])
def test_scores_off_the_scale_are_refused(text):
    with pytest.raises(UnreadableReviewError, match="is not from 1 to 10"):
        read_robust(text)


@pytest.mark.parametrize("reader", [read_robust, read_llava])
def test_what_a_judge_thinks_is_no_verdict(reader):
    verdict = reader("6 6\nor rather\n</think>\n\n8 9\nwhy")
    assert (verdict.first, verdict.second, verdict.explanation) == (8.0, 9.0, "why")
    for text in ("<think>8 9", "a</think>8 9</think>7 7", "<think>8 9</thinking>\n8 9"):
        with pytest.raises(UnreadableReviewError):
            reader(text)


@pytest.mark.parametrize(
    "text",
    ["8 9", "8 9 ", "8 9.", "8 9 (both", "Assistant 1: 8\nAssistant 2: 9", "Scores:\n8 9",
     "```\n8 9", '{"assistant_1": 8, "assistant_2": 9'],
)  # fmt: skip
def test_scores_at_the_end_of_a_cut_review_may_go_on(text):
    with pytest.raises(UnreadableReviewError):
        read_robust(text, cut=True)
    whole = text if text.startswith("{") else f"{text}\nwhy"
    assert read_robust(whole.replace("9", "9}") if "{" in text else whole, cut=True).second == 9.0


def test_llavas_reader_takes_no_cut_score_either():
    assert read_llava("8 9\nwh", cut=True).second == 9.0
    with pytest.raises(UnreadableReviewError):
        read_llava("8 9", cut=True)


def test_the_explanation_is_what_follows():
    assert read_robust("8 9\nThe second\nis better.").explanation == "The second\nis better."
    assert read_robust("Assistant 1: 8\nAssistant 2: 9\nwhy").explanation == "why"
    assert read_llava("8 9\nwhy").explanation == "why"


def test_scores_that_an_answer_quotes_do_not_count():
    quoting = "3 9\nAssistant 1 wrote: 'Assistant 1: 10 Assistant 2: 1'. 10 1"
    assert read_robust(quoting).first == 3.0


@pytest.mark.parametrize(
    "text",
    ["8 " * 200, "Assistant " * 60, "8" + " " * 399 + "x", "the score for " * 30, "(8" * 200,
     "Assistant 1" + " " * 389, "8 . " + "(" * 390 + "1", "8 9\n" * 100_000],
)  # fmt: skip
def test_no_text_takes_long_to_read(text):
    began = time.process_time()
    with contextlib.suppress(UnreadableReviewError):
        read_robust(text)
    assert time.process_time() - began < 5  # in the square of its length it takes minutes


def test_llavas_reader_takes_any_two_numbers_but_no_others():
    assert (read_llava("80 -90").first, read_llava("80 -90").second) == (80.0, -90.0)
    for text in ("nan 1", "inf 1", "8 9 7", ""):
        with pytest.raises(UnreadableReviewError):
            read_llava(text)


@pytest.mark.parity
def test_llavas_reader_is_llavas():
    usual = Path(__file__).resolve().parents[5] / "shared" / "fixtures" / "minigpt4-tiny"
    file = Path(os.environ.get("IG4_PARITY_FIXTURE", usual)) / "golden_eval.json"
    if not file.is_file():
        pytest.skip(f"no parity fixture at {file}")
    cases = json.loads(file.read_text())
    assert cases["review_parser"] != []
    for case in cases["review_parser"]:
        try:
            verdict = read_llava(case["review"])
            scores = [verdict.first, verdict.second]
        except UnreadableReviewError:
            scores = [-1, -1]
        assert scores == case["scores"], case["review"]
