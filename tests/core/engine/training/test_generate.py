"""Answering a file of questions: resumable, repeatable, one bad question costs no other."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from functools import partial

import pytest
from PIL import Image

from ig4.core.contracts.training import Checkpoint, Decoding
from ig4.core.engine.training.generate import GenerateRequest, generate, load_checkpoint
from ig4.core.errors import PrerequisiteError, UsageError
from ig4.core.host.host import Host
from ig4.core.records import Choice

from ....processes import environment

COLOURS = 6


@pytest.fixture
def asking(tmp_path, plugin):
    """Six questions about six images."""
    for n in range(COLOURS):
        Image.new("RGB", (n + 1, 2)).save(tmp_path / f"{n}.png")
    write(tmp_path, *({"id": n, "image": f"{n}.png", "question": "Hm?"} for n in range(COLOURS)))
    return GenerateRequest(tmp_path / "q.jsonl", tmp_path / "a.jsonl", Decoding())


def write(folder, *records):
    (folder / "q.jsonl").write_text("".join(json.dumps(one) + "\n" for one in records))


def model(**options):
    return Checkpoint("learner", options)


def answers(asking):
    return [json.loads(line) for line in asking.answers.read_text().splitlines()]


def ask(asking, **options):
    return generate(Host.discover(), model(**options), asking)


def asked(log):
    return log.read_text().split() if log.exists() else []


def test_each_question_has_its_answer_in_order(asking):
    done = ask(asking)
    assert (done.questions, done.answered, done.new, done.failed) == (6, 6, 6, 0)
    assert [line["id"] for line in answers(asking)] == list(range(COLOURS))
    assert answers(asking)[3]["answer"] == "Hm? [(4, 2)] 42"
    assert answers(asking)[3]["image"] == "3.png"


def test_a_second_run_asks_nothing(asking):
    ask(asking)
    before = asking.answers.read_bytes()
    done = ask(asking)
    assert (done.new, done.answered) == (0, 6)
    assert asking.answers.read_bytes() == before


@pytest.mark.slow
def test_killed_it_goes_on_where_it_was(asking, tmp_path, plugin):
    log = tmp_path / "log"
    command = [
        sys.executable, "-m", "ig4", "generate", "--trainer", "learner", "--quiet",
        "--questions", asking.questions, "--out", asking.answers, "-o", f"learner.log={log}",
    ]  # fmt: skip
    run = partial(subprocess.run, command, cwd=tmp_path, check=False, stdout=subprocess.DEVNULL)
    assert run(env=environment(plugin, LEARNER_DIES_AFTER="3")).returncode == -signal.SIGKILL
    assert [line["id"] for line in answers(asking)] == [0, 1, 2]
    assert run(env=environment(plugin)).returncode == 0
    assert [line["id"] for line in answers(asking)] == list(range(COLOURS))
    assert asked(log) == [str(n) for n in range(COLOURS)]


def test_a_line_cut_by_a_kill_is_asked_again(asking):
    ask(asking)
    whole = asking.answers.read_bytes()
    asking.answers.write_bytes(whole[:-30])
    assert ask(asking).new == 1
    assert asking.answers.read_bytes() == whole


@pytest.mark.parametrize("size", [1, 2, 5, 64])
def test_the_batch_size_changes_nothing_and_may_change_in_between(asking, size):
    ask(asking)
    before = asking.answers.read_bytes()
    asking.answers.write_bytes(before[: len(before) // 2])
    ask(replace(asking, decoding=Decoding(batch_size=size)))
    assert asking.answers.read_bytes() == before


@pytest.mark.parametrize(
    "how", [Decoding(seed=7), Decoding(temperature=0.5), Decoding(max_new_tokens=3)]
)
def test_answers_made_otherwise_are_not_mixed(asking, how):
    ask(asking)
    with pytest.raises(UsageError, match=r"decoded otherwise.*--overwrite"):
        ask(replace(asking, decoding=how))
    assert ask(replace(asking, decoding=how, overwrite=True)).new == 6


def test_answers_to_be_overwritten_stay_until_there_are_others(asking, monkeypatch):
    ask(asking)
    before = asking.answers.read_bytes()
    changed = replace(asking, decoding=Decoding(seed=7), overwrite=True)
    with pytest.raises(UsageError):
        ask(changed, steps="many")
    assert asking.answers.read_bytes() == before
    assert ask(changed).new == COLOURS
    assert all(line["answer"].endswith(" 7") for line in answers(asking))


def test_answers_of_another_model_or_to_other_questions_are_not_mixed(asking, tmp_path):
    ask(asking)
    with pytest.raises(UsageError, match="another checkpoint"):
        ask(asking, steps=9)
    write(tmp_path, {"id": 0, "image": "0.png", "question": "Another?"})
    with pytest.raises(UsageError, match="other questions"):
        ask(asking)


def test_options_laid_over_a_checkpoint_are_another_model_if_they_change_what_it_says(
    asking, tmp_path, plugin
):
    (tmp_path / "made").mkdir()
    Checkpoint("learner", {"steps": 3, "log": "", "stop_at": 0}).save(tmp_path / "made")

    def again(**overrides):
        return generate(
            Host.discover(), load_checkpoint(tmp_path / "made", None, overrides), asking
        ).new

    assert again() == COLOURS
    assert again(steps=3) == again(log=str(tmp_path / "log")) == 0
    with pytest.raises(UsageError, match=r"another checkpoint.*--overwrite"):
        again(steps=2)


def test_a_file_of_something_else_is_not_overwritten(asking):
    asking.answers.write_text("my thesis\nchapter two\n")
    with pytest.raises(UsageError, match="not a file of answers"):
        ask(asking)
    assert asking.answers.read_text() == "my thesis\nchapter two\n"


def test_a_bad_image_costs_only_its_question_and_can_be_tried_again(asking, tmp_path):
    (tmp_path / "2.png").rename(tmp_path / "2.away")
    assert ask(asking).failed == 1
    assert "missing" in answers(asking)[2]["error"]
    (tmp_path / "2.away").rename(tmp_path / "2.png")
    assert (ask(asking).new, ask(asking).failed) == (0, 1)
    again = ask(replace(asking, retry_failed=True))
    assert (again.new, again.failed, again.answered) == (1, 0, 6)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no named pipes in folders")
def test_an_image_that_is_no_file_costs_only_its_question(asking, tmp_path):
    (tmp_path / "2.png").unlink()
    os.mkfifo(tmp_path / "2.png")
    assert ask(asking).failed == 1
    assert "a named pipe, not a file" in answers(asking)[2]["error"]


def test_images_are_read_from_the_folder_of_the_questions_only(asking, tmp_path):
    outside = tmp_path.parent / "outside.png"
    Image.new("RGB", (2, 2)).save(outside)
    (tmp_path / "link.png").symlink_to(outside)
    names = ["../outside.png", str(outside), "link.png", "/dev/zero", "file:///etc/passwd"]
    write(tmp_path, *({"id": n, "image": n, "question": "Hm?"} for n in names))
    assert ask(asking).failed == len(names)
    allowed = replace(asking, image_root=tmp_path.parent, overwrite=True)
    assert [line["id"] for line in answers(asking) if "error" not in line] == []
    ask(allowed)
    assert [line["id"] for line in answers(asking) if "answer" in line] == names[1:3]


@pytest.mark.slow
def test_a_bomb_is_not_decoded(asking, tmp_path):
    Image.new("1", (20_000, 20_000)).save(tmp_path / "bomb.png")
    write(tmp_path, {"image": "bomb.png", "question": "Hm?"}, {"question": "And you?"})
    assert ask(asking).failed == 1
    assert "larger than" in answers(asking)[0]["error"]


def test_odd_ids_and_texts_come_through(asking, tmp_path):
    write(tmp_path, {"id": {"a": [1]}, "question": "\ud800 \0?", "category": float("nan")},
          {"question_id": 1.5, "question": "x"}, {"id": "\udfff", "question": "y"})  # fmt: skip
    assert ask(asking).failed == 0
    assert answers(asking)[0]["id"] == {"a": [1]}
    assert ask(asking).new == 0


def test_an_untrained_model_answers_and_options_are_laid_over_a_checkpoint(asking, tmp_path):
    untrained = load_checkpoint(None, Choice("trainer", "learner", {}), {"steps": 2})
    assert (untrained.path, untrained.options) == (None, {"steps": 2})
    (tmp_path / "made").mkdir()
    Checkpoint("learner", {"steps": 3, "log": "x"}).save(tmp_path / "made")
    assert load_checkpoint(tmp_path / "made", None, {"log": "y"}).options == {
        "steps": 3,
        "log": "y",
    }
    with pytest.raises(UsageError, match="--trainer"):
        load_checkpoint(None, None, {})


@pytest.mark.parametrize(
    "text", ["", "[]", "3", '"x"', "{}", "[" * 100_000, '{"trainer": "learner", "options": [1]}']
)
def test_a_manifest_that_cannot_be_read_is_no_checkpoint(tmp_path, text):
    (tmp_path / "ig4_checkpoint.json").write_text(text)
    with pytest.raises(PrerequisiteError, match="cannot be read"):
        Checkpoint.read(tmp_path)


def test_a_folder_without_a_manifest_says_whether_training_is_unfinished(tmp_path):
    with pytest.raises(PrerequisiteError, match="has no ig4_checkpoint"):
        Checkpoint.read(tmp_path)
    (tmp_path / "state").mkdir()
    with pytest.raises(PrerequisiteError, match="not finished"):
        Checkpoint.read(tmp_path)


@pytest.mark.parametrize(
    ("trainer", "options", "told"),
    [
        ("nosuch", {}, "unknown trainer"),
        ("../learner", {}, "unknown trainer"),
        ("learner", {"evil": 1}, "unknown option"),
        ("learner", {"steps": "many"}, "valid integer"),
    ],
)
def test_a_manifest_is_believed_no_more_than_a_command_line(asking, trainer, options, told):
    with pytest.raises(UsageError, match=told):
        generate(Host.discover(), Checkpoint(trainer, options), asking)
