"""Selecting, training, asking: the whole way by commands, with tiny models on the CPU."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from ig4.cli.main import cli
from ig4.cli.train import sparkline

pytestmark = pytest.mark.slow

pytest.importorskip("transformers")
pytest.importorskip("peft")
pytest.importorskip("sentencepiece")

TRAINERS = ("minigpt4", "llava", "hf")


@pytest.fixture
def ig4(tmp_path, monkeypatch, boats):
    """Run a command in a folder with a selection of four boats; gives its result."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("IG4_DB", raising=False)

    def run(*arguments):
        return CliRunner().invoke(cli, [str(one) for one in arguments])

    flags = ["--clusterer", "none", "--selector", "topk", "--size", "4", "--quiet"]
    assert run("run", boats, "--scorers", "length", *flags).exit_code == 0
    return run


def options(trainer, models, **more):
    """Return flags for two steps of two samples with a tiny model."""
    given = {"model": models / trainer, "batch_size": 2, "steps": 2, "device": "cpu",
             "workers": 0, **more}  # fmt: skip
    if trainer == "minigpt4":
        given["llm"] = models / "llama"
    return [part for name, value in given.items() for part in ("-o", f"{trainer}.{name}={value}")]


def learn(trainer, models, *more, **changed):
    return ["train", "--trainer", trainer, *options(trainer, models, **changed), *more]


def json_of(done):
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def error_of(done):
    """Return the message of an error, which must be an error of ig4."""
    from ig4.core.errors import Ig4Error

    assert done.exit_code != 0, done.output
    assert isinstance(done.exception, (Ig4Error, SystemExit)), done.exception
    return f"{done.exception} {done.output}"


@pytest.mark.parametrize("trainer", TRAINERS)
def test_every_trainer_goes_the_whole_way(ig4, tiny_models, trainer):
    done = json_of(ig4(*learn(trainer, tiny_models, "--json")))
    assert (done["samples"], done["metrics"]["steps"], done["reused"]) == (4, 2, False)
    asking = ("generate", done["checkpoint"], "--questions", "q.jsonl", "--max-new-tokens", "4")
    assert json_of(ig4(*asking, "--json"))["answered"] == 6
    answers = Path("q.answers.jsonl").read_bytes()
    assert len(answers.splitlines()) == 6
    again = ig4(*asking, "--batch-size", "4", "--out", "again.jsonl", "--quiet")
    assert again.exit_code == 0
    assert Path("again.jsonl").read_bytes() == answers
    shown = json_of(ig4("train", "show", "1", "--json"))
    assert (shown["trainer"], shown["status"], len(shown["curve"])) == (trainer, "done", 2)


def test_a_checkpoint_answers_from_another_folder(ig4, tiny_models, tmp_path, monkeypatch):
    shutil.copytree(tiny_models / "hf", "model")
    flags = learn("hf", tiny_models, "-o", "hf.model=model", "--out", "out")
    assert ig4(*flags).exit_code == 0
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    done = ig4("generate", "../out", "--questions", "../q.jsonl", "--max-new-tokens", "2", "--json")
    assert json_of(done)["answered"] == 6


def test_trainings_are_listed_and_shown(ig4, tiny_models):
    assert json_of(ig4("train", "show", "--json")) == []
    assert ig4(*learn("hf", tiny_models)).exit_code == 0
    assert "2 of 2" in ig4("train", "show").stdout
    shown = ig4("train", "show", "1").stdout
    assert "hf on 4 samples of boats (selection 1), done" in shown
    lines = ig4("train", "show", "1", "--csv").stdout.splitlines()
    assert lines[0] == "step,epoch,loss,learning_rate,grad_norm,seconds"
    assert len(lines) == 3
    assert "no training 9" in error_of(ig4("train", "show", "9"))


def test_the_curve_is_as_high_as_the_losses():
    assert sparkline([0.0, 1.0], 60) == "▁█"
    assert sparkline([2.0, 2.0], 60) == "▁▁"
    assert len(sparkline([float(n) for n in range(1000)], 60)) <= 60


def test_a_dry_run_counts_and_trains_nothing(ig4, tiny_models):
    counted = json_of(ig4(*learn("minigpt4", tiny_models, "--dry-run", "--json")))
    assert counted["trained"] == counted["parameters"]["projection"]
    assert (counted["samples"], counted["steps"], counted["batch"]) == (4, 2, 2)
    assert "total, about" in ig4(*learn("minigpt4", tiny_models, "--dry-run")).stdout
    assert not Path("trained").exists()
    assert json_of(ig4("train", "show", "--json")) == []


def test_full_sizes_are_counted_without_any_weights(ig4):
    counted = json_of(ig4("train", "--dry-run", "--json"))
    assert counted["parameters"]["projection"] == counted["trained"] == 768 * 4096 + 4096
    assert counted["steps"] == 1000
    assert "not on this machine" in counted["notes"][0]


def test_what_cannot_be_checked_is_counted_all_the_same(ig4):
    done = ig4("train", "--dry-run", "--missing", "skip", "--json")
    assert json_of(done)["steps"] == 1000
    assert "cannot be checked here: name the parts" in done.stderr


def test_missing_images_stop_it_or_are_left_out(ig4, tiny_models):
    Path("boats/image/5.jpg").unlink()
    assert "--missing skip" in error_of(ig4(*learn("hf", tiny_models)))
    done = json_of(ig4(*learn("hf", tiny_models, "--missing", "skip", "--json")))
    assert (done["samples"], done["left_out"]) == (3, 1)
    assert done["left_out_by_reason"] == {"an image cannot be read": 1}
    assert done["cut_answers"] == 0


@pytest.mark.parametrize(
    ("arguments", "exit_code", "reason"),
    [
        (["--trainer", "nosuch"], 2, "unknown trainer"),
        (["--trainer", "hf", "-o", "hf.modl=x"], 2, "did you mean model?"),
        (["--trainer", "hf", "-o", "llava.steps=1"], 2, "not used here"),
        (["--trainer", "hf", "-o", "hf.model=./none"], 2, "no such file or folder"),
        (["--selection", "9"], 2, "no selection 9"),
        (["--selection", "newest"], 2, "give a number, a name, or `last`"),
        (["--dataset", "cats"], 2, "no data set is called 'cats'"),
        (["--trainer", "minigpt4"], 2, "name the parts of MiniGPT-4"),
    ],
)
def test_what_cannot_be_trained_is_told_in_a_sentence(ig4, arguments, exit_code, reason):
    done = ig4("train", *arguments, "-q")
    assert reason in error_of(done)
    assert getattr(done.exception, "exit_code", done.exit_code) == exit_code


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ([], "--questions FILE, or --chat IMAGE"),
        (["--questions", "q.jsonl", "--chat", "a.png"], "--questions FILE, or --chat IMAGE"),
        (["--questions", "q.jsonl"], "--trainer"),
        (["nowhere", "--questions", "q.jsonl"], "not a checkpoint"),
        (["nowhere", "--trainer", "hf", "--questions", "q.jsonl"], "leave out --trainer"),
        (["nowhere", "--chat", "none.png"], "no such file"),
    ],
)
def test_what_cannot_be_asked_is_told_in_a_sentence(ig4, arguments, reason):
    assert reason in error_of(ig4("generate", *arguments))


def test_a_conversation_takes_several_turns_and_another_image(ig4, tiny_models):
    lines = ["What is it?", "Why?", "/image none.jpg", "/image boats/image/1.jpg", "And this?",
             "/reset", "/what", "Hm?", "/quit", "never asked"]  # fmt: skip
    flags = ["--trainer", "hf", *options("hf", tiny_models), "--max-new-tokens", "3"]
    done = CliRunner().invoke(
        cli, ["generate", "--chat", "boats/image/0.jpg", *flags], input="\n".join(lines) + "\n"
    )
    assert done.exit_code == 0, done.output
    assert len(done.stdout.splitlines()) == 4
    assert "none.jpg: there is no such file" in done.stderr
    assert "About boats/image/1.jpg." in done.stderr


class _Touches:
    """Makes a file when it is unpickled."""

    def __init__(self, file):
        self.file = file

    def __reduce__(self):
        return (open, (str(self.file), "w"))


@pytest.fixture
def poison(tmp_path):
    """Write a pickle that leaves a file behind when it is run; tells whether it was."""
    import torch

    touched = tmp_path / "touched"

    def _poison(path, *, archive):
        if archive:
            torch.save({"model": {"llama_proj.weight": _Touches(touched)}}, path)
        else:
            path.write_bytes(pickle.dumps(_Touches(touched)))
        return touched

    return _poison


@pytest.mark.parametrize("archive", [True, False])
def test_a_poisoned_projection_is_not_run(ig4, tiny_models, poison, archive):
    touched = poison(Path("evil.pth"), archive=archive)
    error_of(ig4(*learn("minigpt4", tiny_models, checkpoint="evil.pth")))
    assert not touched.exists()


@pytest.mark.parametrize("name", ["adapter_model", "pytorch_model"])
@pytest.mark.parametrize("archive", [True, False])
def test_a_poisoned_checkpoint_is_not_run(ig4, tiny_models, poison, name, archive):
    trains = "lora" if name == "adapter_model" else "full"
    assert ig4(*learn("hf", tiny_models, "--out", "out", trains=trains)).exit_code == 0
    own = Path("out/adapter_model.safetensors" if trains == "lora" else "out/model.safetensors")
    own.unlink()
    touched = poison(Path(f"out/{name}.bin"), archive=archive)
    error_of(ig4("generate", "out", "--questions", "q.jsonl"))
    assert not touched.exists()


@pytest.mark.parametrize(
    "change", [{"trainer": "evil"}, {"options": {"evil": 1}}, {"options": {"model": "/nowhere/x"}},
               {"options": 3}],
)  # fmt: skip
def test_a_checkpoint_that_says_odd_things_of_itself_is_refused(ig4, tmp_path, change):
    (tmp_path / "out").mkdir()
    manifest = {"ig4": "0", "trainer": "hf", "options": {}, "origin": {}, "seed": 1, "metrics": {}}
    Path("out/ig4_checkpoint.json").write_text(json.dumps(manifest | change))
    error_of(ig4("generate", "out", "--questions", "q.jsonl"))


def test_processes_that_train_together_all_see_when_nothing_is_left(ig4, tiny_models):
    flags = [str(one) for one in learn("hf", tiny_models, "--json")]
    assert json_of(ig4(*flags))["reused"] is False
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", "-m", "ig4"]
    done = subprocess.run(
        [sys.executable, *launch, *flags], capture_output=True, text=True, check=False, timeout=120,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["reused"] is True
