"""The training stage: which samples go to the trainer, whose the folder is, what is kept."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap

import pytest

from ig4.core.contracts.training import Checkpoint, TrainingError
from ig4.core.engine.ingesting.imports import ScoreColumn, import_scores
from ig4.core.engine.ingesting.ingest import Source, ingest
from ig4.core.engine.scoring.samples import sample_of
from ig4.core.engine.selecting.select import Wish, select
from ig4.core.engine.training.outputs import JOB, claimed
from ig4.core.engine.training.train import TrainingWish, footprint, settle, train
from ig4.core.errors import DatasetError, UsageError
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
def wish(tmp_path, data):
    """A wish to train on all of it; other values by name."""

    def _wish(trainer=None, **values):
        values = {"selection": "all", "output": tmp_path / "out", **values}
        return TrainingWish(trainer or learner(), **values)

    return _wish


def rows(session):
    with session.store.reading() as connection:
        return trainings.every(connection)


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
    wish = Wish(size=2, selector=Choice("selector", "topk"), weights={"good": 1.0})
    return select(session, session.dataset(), wish).id


def test_the_checkpoint_says_what_it_was_trained_on(session, wish):
    done = train(session, None, wish())
    kept = Checkpoint.read(done.checkpoint.path)
    assert kept.origin["dataset"] == "set"
    assert (kept.origin["samples"], kept.origin["selection"]) == (4, None)
    assert kept.seed == 42


def test_the_loss_curve_and_the_outcome_are_in_the_database(session, wish):
    done = train(session, None, wish())
    (row,) = rows(session)
    assert (row.id, row.status, row.steps, row.done) == (done.id, "done", 4, 4)
    assert row.metrics == {"steps": 4, "loss": 3}
    assert [step for step, _ in curve(session, done.id)] == [1, 2, 3, 4]


def test_a_selection_is_trained_on_in_its_own_samples(session, wish, selection):
    done = train(session, None, wish(selection="last"))
    assert (done.selection, done.samples) == (selection, 2)
    assert [loss for _, loss in curve(session, done.id)] == [3, 4, 3, 4]  # s2 and s3 in turn


def test_a_stopped_training_goes_on_under_its_number(session, wish):
    with pytest.raises(TrainingError, match="step 3"):
        train(session, None, wish(learner(stop_at=3)))
    (row,) = rows(session)
    assert (row.status, row.done) == ("failed", 2)
    assert "step 3" in row.error
    done = train(session, None, wish())
    (row,) = rows(session)
    assert (done.id, row.status, row.error, row.done) == (row.id, "done", None, 4)
    assert [step for step, _ in curve(session, row.id)] == [1, 2, 3, 4]


def begun(session, wish):
    """A training in the database that is said to be running, its folder locked by nobody."""
    with pytest.raises(TrainingError):
        train(session, None, wish(learner(stop_at=3)))
    with session.store.writing() as connection:
        connection.exec_driver_sql("UPDATE trainings SET status = 'running', error = NULL")


def test_a_training_whose_process_is_gone_is_called_interrupted(session, wish):
    pytest.importorskip("fcntl")
    begun(session, wish)
    settle(session)
    (row,) = rows(session)
    assert (row.status, row.done) == ("interrupted", 2)
    assert "killed" in row.error
    assert row.finished_at is not None


def test_the_next_training_finds_out_which_processes_are_gone(session, wish, tmp_path):
    pytest.importorskip("fcntl")
    begun(session, wish)
    train(session, None, wish(output=tmp_path / "another"))
    assert [row.status for row in rows(session)] == ["interrupted", "done"]


def test_a_training_at_work_stays_running(session, wish):
    fcntl = pytest.importorskip("fcntl")
    begun(session, wish)
    with (wish().output / JOB).open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        settle(session)
    assert [row.status for row in rows(session)] == ["running"]


def test_a_training_on_another_machine_stays_running(session, wish):
    begun(session, wish)
    wish().output.rename(wish().output.with_name("elsewhere"))
    settle(session)
    assert [row.status for row in rows(session)] == ["running"]


def test_what_is_trained_already_is_not_trained_again(session, wish, notices):
    first = train(session, None, wish())
    again = train(session, None, wish())
    assert (first.reused, again.reused) == (False, True)
    assert again.checkpoint == first.checkpoint
    assert "nothing to do" in notices()[-1]
    assert len(rows(session)) == 1


@pytest.mark.parametrize("change", [{"seed": 7}, {"trainer": learner(steps=2)}])
def test_a_folder_of_another_training_is_refused_until_it_is_said(session, wish, change):
    train(session, None, wish())
    with pytest.raises(UsageError, match=r"another model.*--overwrite"):
        train(session, None, wish(**change))
    assert not train(session, None, wish(**change, overwrite=True)).reused


def test_changed_samples_are_another_training(session, wish, data, read):
    train(session, None, wish())
    data.write(*(record(f"s{n}", "changed", f"{n}.png") for n in range(4)))
    read()
    with pytest.raises(UsageError, match="other samples"):
        train(session, None, wish())


def test_a_folder_in_which_nothing_was_saved_is_taken_over(session, wish):
    with pytest.raises(TrainingError):
        train(session, None, wish(learner(stop_at=1)))
    assert train(session, None, wish(seed=7)).checkpoint.seed == 7


def test_a_folder_with_something_else_in_it_is_left_alone(session, wish, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("mine")
    for overwrite in (False, True):
        with pytest.raises(UsageError, match="not empty, and not ig4's"):
            train(session, None, wish(overwrite=overwrite))
    assert (tmp_path / "out" / "thesis.txt").read_text() == "mine"


def test_a_file_is_no_folder(session, wish, tmp_path):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(UsageError, match="is a file"):
        train(session, None, wish(overwrite=True))


def test_two_trainings_do_not_write_into_one_folder(session, wish, tmp_path):
    pytest.importorskip("fcntl")
    with claimed(tmp_path / "out", "other", overwrite=False):
        for overwrite in (False, True):
            with pytest.raises(UsageError, match="another process is training"):
                train(session, None, wish(overwrite=overwrite))
    assert train(session, None, wish()).checkpoint.path == tmp_path / "out"


def test_several_processes_do_not_overwrite_what_they_may_be_reading(session, wish, monkeypatch):
    train(session, None, wish())
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UsageError, match="remove the folder first"):
        train(session, None, wish(seed=7, overwrite=True))


def test_other_processes_write_nothing_and_see_what_is_done_already(session, wish, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    assert train(session, None, wish()).id is None
    assert rows(session) == []
    monkeypatch.setenv("RANK", "0")
    (wish().output / "state" / "state.json").unlink()
    (wish().output / "state").rmdir()
    wish().output.rmdir()
    train(session, None, wish())
    monkeypatch.setenv("RANK", "1")
    assert train(session, None, wish()).reused


def test_missing_images_stop_it_before_the_trainer_is_asked(session, wish, data):
    (data.path.parent / "2.png").unlink()
    with pytest.raises(DatasetError, match=r"1 of 4 samples.*'s2'.*--missing skip"):
        train(session, None, wish())
    assert not wish().output.exists()


def test_missing_images_can_be_left_out(session, wish, data, notices):
    (data.path.parent / "2.png").write_bytes(b"no image")
    done = train(session, None, wish(missing="skip"))
    assert (done.samples, done.left_out) == (3, 1)
    assert any("left out" in text for text in notices())


def test_samples_without_an_answer_are_left_out(session, wish, data, read, notices):
    data.write(record("a", "yes", "0.png"), record("b", "  ", "1.png"))
    read()
    assert train(session, None, wish()).samples == 1
    assert any("without an answer" in text for text in notices())


def test_a_selection_from_another_data_set_is_refused(session, wish, selection, tmp_path):
    other = Folder(tmp_path / "other").write(record("t", "yes"))
    ingest(session, Source(other.path, name="other"))
    with pytest.raises(UsageError, match=rf"selection {selection} was made from 'set'"):
        train(session, session.dataset("other"), wish(selection=str(selection)))


@pytest.mark.parametrize("which", ["last", "9", "newest", "9" * 30])
def test_a_selection_that_is_not_there_is_named(session, wish, which):
    with pytest.raises(UsageError, match="selection"):
        train(session, None, wish(selection=which))


def test_a_folder_whose_owner_cannot_be_read_is_refused(session, wish, tmp_path):
    train(session, None, wish())
    for text in ("", "[]", "[" * 100_000, json.dumps({"inputs": 3})):
        (tmp_path / "out" / JOB).write_text(text)
        with pytest.raises(UsageError, match="--overwrite"):
            train(session, None, wish())


def test_the_footprint_trains_nothing(session, wish):
    told, samples, output = footprint(session, None, wish())
    assert told is not None
    assert (told.steps, samples, output) == (4, 4, wish().output)
    assert not output.exists()
    assert rows(session) == []


def test_trainers_get_text_that_can_be_encoded(session, wish, data, read):
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
        from ig4.core.engine.training.outputs import claimed

        with claimed(Path(sys.argv[1]), "mine", overwrite=False):
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
            claimed(out, "mine", overwrite=False),
        ):
            pass
        training.kill()
        training.wait()
        with claimed(out, "mine", overwrite=False) as done:
            assert done is None
    finally:
        training.kill()
        os.kill(reader, signal.SIGKILL)
        training.stdout.close()
