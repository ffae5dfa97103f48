"""The training stage: which samples go to the trainer, whose the folder is, what is kept."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from PIL import Image as Pillow

from ig4.core.contracts.training import REFUSED, UNREADABLE, Checkpoint, TrainingError
from ig4.core.engine.ingesting.imports import ScoreColumn, import_scores
from ig4.core.engine.ingesting.ingest import DatasetSource, ingest
from ig4.core.engine.scoring.samples import sample_of
from ig4.core.engine.selecting.candidates import SelectionRequest
from ig4.core.engine.selecting.select import select
from ig4.core.engine.training.outputs import JOB, claim_folder
from ig4.core.engine.training.train import footprint, mark_interrupted, train
from ig4.core.engine.training.trainingset import TrainingRequest
from ig4.core.errors import DatasetError, UsageError
from ig4.core.files.writing.staging import staged
from ig4.core.records import Choice
from ig4.storage import samples as stored
from ig4.storage import trainings

from ...conftest import Folder, record


def learner(**options):
    return Choice("trainer", "learner", options)


@pytest.fixture
def data(folder, read):
    """Four samples with images."""
    for n in range(4):
        folder.picture(f"{n}.png", (n, 0, 0))
    folder.write(*(record(f"s{n}", "x" * (n + 1), f"{n}.png") for n in range(4)))
    read()
    return folder


@pytest.fixture
def make_request(tmp_path, data):
    """Make a request to train on all of it; other values by name."""

    def _make_request(trainer=None, **values):
        values = {"selection": "all", "output": tmp_path / "out", **values}
        return TrainingRequest(trainer or learner(), **values)

    return _make_request


def rows(session):
    with session.store.reading() as connection:
        return trainings.list_all(connection)


def curve(session, number):
    with session.store.reading() as connection:
        return [(step, loss) for step, _, loss, *_ in trainings.steps(connection, number)]


@pytest.fixture
def selection(session, data, tmp_path):
    """The number of a selection of s3 and s2."""
    rows = [{"id": f"s{n}", "good": n} for n in range(4)]
    (tmp_path / "scores.json").write_text(json.dumps(rows))
    column = ScoreColumn(tmp_path / "scores.json", "good", "good")
    import_scores(session, session.dataset(), column)
    request = SelectionRequest(size=2, selector=Choice("selector", "topk"), weights={"good": 1.0})
    return select(session, session.dataset(), request).id


def test_the_checkpoint_says_what_it_was_trained_on(session, make_request):
    done = train(session, None, make_request())
    kept = Checkpoint.read(done.checkpoint.path)
    assert kept.origin["dataset"] == "set"
    assert (kept.origin["samples"], kept.origin["selection"]) == (4, None)
    assert kept.seed == 42


def test_the_loss_curve_and_the_outcome_are_in_the_database(session, make_request):
    done = train(session, None, make_request())
    (row,) = rows(session)
    assert (row.id, row.status, row.steps, row.done) == (done.id, "done", 4, 4)
    assert row.metrics == {"steps": 4, "loss": 3}
    assert [step for step, _ in curve(session, done.id)] == [1, 2, 3, 4]


def test_a_selection_is_trained_on_in_its_own_samples(session, make_request, selection):
    done = train(session, None, make_request(selection="last"))
    assert (done.selection, done.samples) == (selection, 2)
    assert [loss for _, loss in curve(session, done.id)] == [3, 4, 3, 4]  # s2 and s3 in turn


def test_a_stopped_training_goes_on_under_its_number(session, make_request):
    with pytest.raises(TrainingError, match="step 3"):
        train(session, None, make_request(learner(stop_at=3)))
    (row,) = rows(session)
    assert (row.status, row.done) == ("failed", 2)
    assert "step 3" in row.error
    done = train(session, None, make_request())
    (row,) = rows(session)
    assert (done.id, row.status, row.error, row.done) == (row.id, "done", None, 4)
    assert [step for step, _ in curve(session, row.id)] == [1, 2, 3, 4]


def begun(session, make_request):
    """A training in the database that is said to be running, its folder locked by nobody."""
    with pytest.raises(TrainingError):
        train(session, None, make_request(learner(stop_at=3)))
    with session.store.writing() as connection:
        connection.exec_driver_sql("UPDATE trainings SET status = 'running', error = NULL")


def test_a_training_whose_process_is_gone_is_called_interrupted(session, make_request):
    pytest.importorskip("fcntl")
    begun(session, make_request)
    mark_interrupted(session)
    (row,) = rows(session)
    assert (row.status, row.done) == ("interrupted", 2)
    assert "killed" in row.error
    assert row.finished_at is not None


def test_the_next_training_finds_out_which_processes_are_gone(session, make_request, tmp_path):
    pytest.importorskip("fcntl")
    begun(session, make_request)
    train(session, None, make_request(output=tmp_path / "another"))
    assert [row.status for row in rows(session)] == ["interrupted", "done"]


def test_a_training_at_work_stays_running(session, make_request):
    fcntl = pytest.importorskip("fcntl")
    begun(session, make_request)
    with (make_request().output / JOB).open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        mark_interrupted(session)
    assert [row.status for row in rows(session)] == ["running"]


def test_a_training_on_another_machine_stays_running(session, make_request):
    begun(session, make_request)
    make_request().output.rename(make_request().output.with_name("elsewhere"))
    mark_interrupted(session)
    assert [row.status for row in rows(session)] == ["running"]


def test_what_is_trained_already_is_not_trained_again(session, make_request, notices):
    first = train(session, None, make_request())
    again = train(session, None, make_request())
    assert (first.reused, again.reused) == (False, True)
    assert again.checkpoint == first.checkpoint
    assert "nothing to do" in notices()[-1]
    assert len(rows(session)) == 1


@pytest.mark.parametrize("change", [{"seed": 7}, {"trainer": learner(steps=2)}])
def test_a_folder_of_another_training_is_refused_until_it_is_said(session, make_request, change):
    train(session, None, make_request())
    with pytest.raises(UsageError, match=r"another model.*--overwrite"):
        train(session, None, make_request(**change))
    assert not train(session, None, make_request(**change, overwrite=True)).reused


def test_changed_samples_are_another_training(session, make_request, data, read):
    train(session, None, make_request())
    data.write(*(record(f"s{n}", "changed", f"{n}.png") for n in range(4)))
    read()
    with pytest.raises(UsageError, match="other samples"):
        train(session, None, make_request())


def test_a_folder_in_which_nothing_was_saved_is_taken_over(session, make_request):
    with pytest.raises(TrainingError):
        train(session, None, make_request(learner(stop_at=1)))
    assert train(session, None, make_request(seed=7)).checkpoint.seed == 7


def test_a_folder_with_something_else_in_it_is_left_alone(session, make_request, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("mine")
    for overwrite in (False, True):
        with pytest.raises(UsageError, match="not empty, and holds no training of ig4"):
            train(session, None, make_request(overwrite=overwrite))
    assert (tmp_path / "out" / "thesis.txt").read_text() == "mine"


@pytest.mark.parametrize("name", ["thesis.txt", "notes/a.md"])
def test_overwriting_removes_no_file_that_ig4_did_not_write(session, make_request, tmp_path, name):
    train(session, None, make_request())
    mine = tmp_path / "out" / name
    mine.parent.mkdir(exist_ok=True)
    mine.write_text("mine")
    before = sorted(path.name for path in (tmp_path / "out").rglob("*"))
    with pytest.raises(UsageError, match=rf"files that ig4 did not write.*\({name}\): move them"):
        train(session, None, make_request(seed=7, overwrite=True))
    assert sorted(path.name for path in (tmp_path / "out").rglob("*")) == before
    mine.unlink()
    assert not train(session, None, make_request(seed=7, overwrite=True)).reused


def test_what_lay_there_between_two_sessions_of_a_training_stays_the_users(tmp_path):
    out = tmp_path / "out"
    with claim_folder(out, "one", overwrite=False):
        (out / "weights.bin").write_bytes(b"w")
    (out / "thesis.txt").write_text("mine")
    with claim_folder(out, "one", overwrite=False):
        (out / "more.bin").write_bytes(b"w")
    with (
        pytest.raises(UsageError, match=r"\(thesis\.txt\)"),
        claim_folder(out, "two", overwrite=True),
    ):
        pass
    (out / "thesis.txt").unlink()
    with claim_folder(out, "two", overwrite=True):
        assert [path.name for path in out.iterdir()] == [JOB]


def test_what_a_training_wrote_and_the_user_changed_is_not_removed(tmp_path):
    out = tmp_path / "out"
    with claim_folder(out, "one", overwrite=False):
        (out / "runs").mkdir()
        (out / "runs" / "log").write_bytes(b"w")
    (out / "runs" / "log").write_bytes(b"mine")
    with (
        pytest.raises(UsageError, match=r"changed since \(runs/log\)"),
        claim_folder(out, "two", overwrite=True),
    ):
        pass
    assert (out / "runs" / "log").read_bytes() == b"mine"


def test_a_training_of_an_older_version_has_no_list_and_is_known_by_its_names(
    session, make_request, tmp_path
):
    train(session, None, make_request())
    (tmp_path / "out" / ".ig4-files").unlink()
    (tmp_path / "out" / "thesis.txt").write_text("mine")
    with pytest.raises(UsageError, match=r"\(thesis\.txt\)"):
        train(session, None, make_request(seed=7, overwrite=True))
    (tmp_path / "out" / "thesis.txt").unlink()
    assert not train(session, None, make_request(seed=7, overwrite=True)).reused


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system cannot fork")
def test_a_training_that_was_killed_can_be_overwritten_whatever_it_had_written(tmp_path):
    out = tmp_path / "out"
    names = ("model.safetensors", "model.safetensors.partial", "state/1/weights", "config.json")
    child = os.fork()
    if child == 0:
        with claim_folder(out, "one", overwrite=False):
            for name in names:
                (out / name).parent.mkdir(parents=True, exist_ok=True)
                (out / name).write_bytes(b"w")
            os._exit(9)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    with claim_folder(out, "one", overwrite=False):
        pass
    with claim_folder(out, "two", overwrite=True):
        assert [path.name for path in out.iterdir()] == [JOB]


def test_a_kill_while_a_training_is_removed_leaves_what_the_next_try_removes(tmp_path, monkeypatch):
    out = tmp_path / "out"
    with claim_folder(out, "one", overwrite=False):
        for name in ("a.log", "b.log", "c.log"):
            (out / name).write_bytes(b"w")
    removed = []

    def unlink(path, real=Path.unlink):
        if len(removed) == 2:
            raise KeyboardInterrupt
        removed.append(path.name)
        real(path)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", unlink)
        with pytest.raises(KeyboardInterrupt), claim_folder(out, "two", overwrite=True):
            pass
    assert len(removed) == 2
    with claim_folder(out, "two", overwrite=True):
        assert [path.name for path in out.iterdir()] == [JOB]


def test_an_export_in_the_folder_of_a_training_is_not_removed_with_it(tmp_path):
    out = tmp_path / "out"
    with claim_folder(out, "one", overwrite=False):
        (out / "model.safetensors").write_bytes(b"w")
    with staged(out / "chosen.json") as staging:
        staging.path.write_text("[]")
    with (
        pytest.raises(UsageError, match=r"\(chosen\.json\)"),
        claim_folder(out, "two", overwrite=True),
    ):
        pass
    assert (out / "chosen.json").exists()


def test_a_file_is_no_folder(session, make_request, tmp_path):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(UsageError, match="is a file"):
        train(session, None, make_request(overwrite=True))


@pytest.mark.slow
def test_two_trainings_do_not_write_into_one_folder(session, make_request, tmp_path):
    pytest.importorskip("fcntl")
    with claim_folder(tmp_path / "out", "other", overwrite=False):
        for overwrite in (False, True):
            with pytest.raises(UsageError, match="another process is training"):
                train(session, None, make_request(overwrite=overwrite))
    assert train(session, None, make_request()).checkpoint.path == tmp_path / "out"


def test_several_processes_do_not_overwrite_what_they_may_be_reading(
    session, make_request, monkeypatch
):
    train(session, None, make_request())
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UsageError, match="remove the folder first"):
        train(session, None, make_request(seed=7, overwrite=True))


def test_other_processes_write_nothing_and_see_what_is_done_already(
    session, make_request, monkeypatch
):
    monkeypatch.setenv("RANK", "1")
    assert train(session, None, make_request()).id is None
    assert rows(session) == []
    monkeypatch.setenv("RANK", "0")
    (make_request().output / "state" / "state.json").unlink()
    (make_request().output / "state").rmdir()
    make_request().output.rmdir()
    train(session, None, make_request())
    monkeypatch.setenv("RANK", "1")
    assert train(session, None, make_request()).reused


def test_missing_images_stop_it_before_the_trainer_is_asked(session, make_request, data):
    (data.path.parent / "2.png").unlink()
    with pytest.raises(DatasetError, match=r"1 of 4 samples.*'s2'.*--missing skip"):
        train(session, None, make_request())
    assert not make_request().output.exists()


def test_missing_images_can_be_left_out(session, make_request, data, notices):
    (data.path.parent / "2.png").write_bytes(b"no image")
    done = train(session, None, make_request(missing="skip"))
    assert (done.samples, done.left_out) == (3, 1)
    assert any("left out" in text for text in notices())


@pytest.fixture
def strip(data, read):
    """The data with a fifth sample, whose image is a strip."""
    Pillow.new("RGB", (90, 1)).save(data.path.parent / "strip.png")
    lines = [record(f"s{n}", "x" * (n + 1), f"{n}.png") for n in range(4)]
    data.write(*lines, record("odd", "x", "strip.png"))
    read()
    return data


def test_what_the_trainer_refuses_is_told_at_once_before_it_trains(session, make_request, strip):
    (strip.path.parent / "2.png").unlink()
    with pytest.raises(DatasetError) as told:
        train(session, None, make_request(learner(widest=20)))
    text = str(told.value)
    assert text.startswith("2 of 5 samples cannot be trained on")
    for part in ("'s2'", "'odd' (its aspect ratio is too large)", "--missing skip",
                 "an image cannot be read: 1", "refuses them: 1"):  # fmt: skip
        assert part in text
    assert rows(session) == []


def test_what_the_trainer_refuses_can_be_skipped_and_is_counted_by_reason(
    session, make_request, strip, notices
):
    (strip.path.parent / "2.png").unlink()
    done = train(session, None, make_request(learner(widest=20), missing="skip"))
    assert (done.samples, done.left_out) == (3, 2)
    assert done.reasons == {UNREADABLE: 1, REFUSED: 1}
    assert Checkpoint.read(done.checkpoint.path).origin["left_out"] == done.reasons
    assert any("'odd' (its aspect" in text and "left out" in text for text in notices())


def test_no_more_than_a_few_refused_samples_are_named(session, make_request, strip):
    for n in range(4):
        (strip.path.parent / f"{n}.png").unlink()
    with pytest.raises(DatasetError, match=r"5 of 5 samples .*'s0'.*'s1'.*'s2'.* and 2 more"):
        train(session, None, make_request(learner(widest=20)))
    with pytest.raises(DatasetError, match="no sample is left to train on"):
        train(session, None, make_request(learner(widest=20), missing="skip"))


def test_answers_that_are_cut_are_counted_and_told(session, make_request, notices):
    done = train(session, None, make_request(learner(longest=2)))
    assert done.cut_answers == 2
    assert any(
        "2 of 4 samples lose the end of their answers, 3 tokens in all: raise learner.longest" in t
        for t in notices()
    )
    kept = Checkpoint.read(done.checkpoint.path)
    assert (kept.metrics["cut_answers"], kept.metrics["cut_tokens"]) == (2, 3)
    (row,) = rows(session)
    assert row.metrics["cut_answers"] == 2


@pytest.mark.parametrize("missing", ["error", "skip"])
def test_without_the_check_all_samples_go_to_the_trainer(session, make_request, strip, missing):
    request = make_request(learner(widest=20), missing=missing, check_images=False)
    done = train(session, None, request)
    assert (done.samples, done.left_out, done.cut_answers) == (5, 0, None)


@pytest.mark.parametrize("check_images", [True, False])
def test_all_processes_train_on_the_same_samples(
    session, make_request, strip, monkeypatch, check_images
):
    request = make_request(learner(widest=20), missing="skip", check_images=check_images)
    main = train(session, None, request)
    monkeypatch.setenv("RANK", "1")
    other = train(session, None, request)
    assert (other.samples, other.reused) == (main.samples, True)


def test_a_dry_run_counts_what_is_left(session, make_request, strip):
    request = make_request(learner(widest=20), missing="skip")
    assert footprint(session, None, request)[1] == 4


def test_samples_without_an_answer_are_left_out(session, make_request, data, read, notices):
    data.write(record("a", "yes", "0.png"), record("b", "  ", "1.png"))
    read()
    done = train(session, None, make_request())
    assert (done.samples, done.reasons) == (1, {"no answer": 1})
    assert any("without an answer" in text for text in notices())


def test_a_selection_from_another_data_set_is_refused(session, make_request, selection, tmp_path):
    other = Folder(tmp_path / "other").write(record("t", "yes"))
    ingest(session, DatasetSource(other.path, name="other"))
    with pytest.raises(UsageError, match=rf"selection {selection} was made from 'set'"):
        train(session, session.dataset("other"), make_request(selection=str(selection)))


@pytest.mark.slow
@pytest.mark.parametrize("which", ["last", "9", "newest", "9" * 30])
def test_a_selection_that_is_not_there_is_named(session, make_request, which):
    with pytest.raises(UsageError, match="selection"):
        train(session, None, make_request(selection=which))


def test_a_folder_whose_owner_cannot_be_read_is_refused(session, make_request, tmp_path):
    train(session, None, make_request())
    for text in ("", "[]", "[" * 100_000, json.dumps({"inputs": 3})):
        (tmp_path / "out" / JOB).write_text(text)
        with pytest.raises(UsageError, match="--overwrite"):
            train(session, None, make_request())


def test_the_footprint_trains_nothing(session, make_request):
    told, samples, output = footprint(session, None, make_request())
    assert told is not None
    assert (told.steps, samples, output) == (4, 4, make_request().output)
    assert not output.exists()
    assert rows(session) == []


def test_trainers_get_text_that_can_be_encoded(session, make_request, data, read):
    """A JSON file may hold half of a pair of surrogates; tokenizers refuse it."""
    data.write(record("s0", "half \ud800 and \0", "0.png"))
    read()
    with session.store.reading() as connection:
        (row,) = stored.stream(connection, session.dataset().id)
    said = [turn.text for turn in sample_of(row).turns]
    assert said[-1] == sample_of(row).answer == "half ? and \N{SYMBOL FOR NULL}"


def test_a_forked_process_does_not_hold_the_folder_after_a_kill(tmp_path):
    """As those that read images ahead, which notice a kill of the training seconds later."""
    pytest.importorskip("fcntl")
    script = """
        import os, signal, sys, time
        from pathlib import Path
        from ig4.core.engine.training.outputs import claim_folder

        with claim_folder(Path(sys.argv[1]), "mine", overwrite=False):
            if os.fork() == 0:
                print(os.getpid(), flush=True)
                time.sleep(60)
            time.sleep(60)
    """
    out = tmp_path / "out"
    training = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script), str(out)], stdout=subprocess.PIPE, text=True
    )
    reader = int(training.stdout.readline())
    try:
        with (
            pytest.raises(UsageError, match="another process"),
            claim_folder(out, "mine", overwrite=False),
        ):
            pass
        training.kill()
        training.wait()
        with claim_folder(out, "mine", overwrite=False) as done:
            assert done is None
    finally:
        training.kill()
        os.kill(reader, signal.SIGKILL)
        training.stdout.close()
