"""Evaluations: what is stored, what is never computed twice, what counts as wrong."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing

import pytest

from ig4.core.contracts.training import Checkpoint, Decoding
from ig4.core.engine.evaluating.compare import compare
from ig4.core.engine.evaluating.evaluate import EvaluationRequest, evaluate
from ig4.core.engine.session import Session
from ig4.core.errors import DatasetError, PluginError, PrerequisiteError, UsageError
from ig4.core.events import Notice
from ig4.core.host.host import Host
from ig4.core.records import Choice
from ig4.storage import evaluations
from ig4.storage.store import Store

from ....processes import environment
from ...conftest import picture
from . import parrot

ROWS = [
    {"id": f"q{n}", "image": f"{n}.png", "question": f"Is it {n}?", "answer": str(n % 3),
     "category": "odd" if n % 2 else "even"}
    for n in range(6)
]  # fmt: skip


class World:
    """A folder of questions with their images, a database, and the parrot's log."""

    def __init__(self, folder):
        self.folder = folder
        self.log = folder / "log"
        self.write(ROWS)
        for n in range(6):
            picture(folder / f"{n}.png", (n, 0, 0), size=(n + 1, 2))
        self.told = []

    def write(self, rows):
        (self.folder / "q.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    def benchmark(self, **options):
        return Choice(
            "benchmark", "vqa", {"questions": str(self.folder / "q.jsonl"), **options}, "mine"
        )

    def parrot(self, **options):
        return Checkpoint("parrot", {"log": str(self.log), **options})

    def evaluate(self, checkpoint=None, *, benchmark=None, **request):
        with Store.open(self.folder / "ig4.db") as store:
            session = Session(store, Host.discover(), [self.told.append])
            return evaluate(
                session,
                EvaluationRequest(
                    benchmark or self.benchmark(), checkpoint or self.parrot(), **request
                ),
            )

    def score(self, rows, name="answers.jsonl", **request):
        path = self.folder / name
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        with Store.open(self.folder / "ig4.db") as store:
            return evaluate(
                Session(store, Host.discover(), [self.told.append]),
                EvaluationRequest(self.benchmark(), predictions=path, **request),
            )

    def notices(self):
        return [event.text for event in self.told if isinstance(event, Notice)]

    def asked(self):
        return self.log.read_text().split() if self.log.exists() else []

    def sql(self, statement):
        with closing(sqlite3.connect(self.folder / "ig4.db")) as connection, connection:
            return connection.execute(statement).fetchall()


@pytest.fixture
def world(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(parrot.install(tmp_path / "site"))
    yield World(tmp_path)
    for name in [name for name in sys.modules if name.split(".")[0] == "parrots"]:
        del sys.modules[name]


def test_answers_metrics_and_their_origin_are_stored(world):
    done = world.evaluate(world.parrot(says="it is 1"))
    assert (done.benchmark, done.label, done.items, done.failed) == ("mine", "parrot", 6, 0)
    assert done.measured.value == 2 / 6
    assert done.measured.categories["odd"] == {"accuracy": 1 / 3, "n": 3.0}
    assert world.sql("SELECT item_id, answer, value FROM predictions ORDER BY ordinal")[:2] == [
        ("q0", "it is 1", 0.0), ("q1", "it is 1", 1.0),
    ]  # fmt: skip
    [row] = world.sql(
        "SELECT e.name, c.name, e.label, e.source, e.seed, e.items, e.failed, e.status, "
        "e.headline, r.command, r.status FROM evaluations e JOIN components c "
        "ON c.id = e.component_id JOIN runs r ON r.id = e.run_id"
    )
    assert row == ("mine", "vqa", "parrot", "parrot, untrained", 42, 6, 0, "done", "accuracy",
                   "eval", "done")  # fmt: skip


def test_a_word_in_a_thought_is_no_answer(world):
    thoughts = "<think>0? 1? 2? One of these.</think>a bus"
    rows = [{"id": f"q{n}", "answer": thoughts} for n in range(5)]
    done = world.score([*rows, {"id": "q5", "answer": "<think>It is 2. Or"}])
    assert (done.measured.value, done.failed) == (0.0, 1)
    [(error,)] = world.sql("SELECT error FROM predictions WHERE error IS NOT NULL")
    assert "its reasoning does not end" in error
    [(kept,)] = world.sql("SELECT DISTINCT answer FROM predictions WHERE answer IS NOT NULL")
    assert kept == thoughts


def test_files_whose_names_are_no_text_are_read_like_others(world):
    strange = os.fsdecode(os.fsencode(world.folder) + b"/\xff.jsonl")
    try:
        (world.folder / "q.jsonl").rename(strange)
    except OSError:
        pytest.skip("this file system takes no such name")
    benchmark = Choice("benchmark", "vqa", {"questions": strange}, "mine")
    first = world.evaluate(benchmark=benchmark)
    assert (first.items, world.evaluate(benchmark=benchmark).reused) == (6, True)


def test_equal_inputs_are_not_computed_twice(world):
    first = world.evaluate()
    again = world.evaluate(label="under another name")
    assert again.reused
    assert (again.id, again.measured.metrics) == (first.id, first.measured.metrics)
    assert len(world.asked()) == 6
    assert world.sql("SELECT label FROM evaluations") == [("under another name",)]


@pytest.mark.parametrize(
    "change",
    [
        {"checkpoint": {"says": "else"}},
        {"decoding": Decoding(seed=7)},
        {"decoding": Decoding(temperature=0.5)},
    ],
)
def test_another_model_seed_or_decoding_is_answered_anew(world, change):
    world.evaluate()
    options = change.pop("checkpoint", {})
    world.evaluate(world.parrot(**options), **change)
    assert len(world.asked()) == 12


def test_a_batch_size_changes_nothing(world):
    world.evaluate()
    assert world.evaluate(decoding=Decoding(batch_size=1)).reused


def test_another_rule_or_limit_takes_the_answers_that_are_there(world):
    limited = world.evaluate(world.parrot(says="0.5"), limit=4)
    assert (limited.items, len(world.asked())) == (4, 4)
    assert limited.measured.value == 0.5
    whole = world.evaluate(world.parrot(says="0.5"))
    strict = world.evaluate(world.parrot(says="0.5"), benchmark=world.benchmark(rule="strict"))
    assert world.asked() == ["q0", "q1", "q2", "q3", "q4", "q5"]
    assert (whole.measured.value, strict.measured.value) == (2 / 6, 0.0)
    assert len({limited.id, whole.id, strict.id}) == 3


def test_only_what_changed_is_asked_again(world):
    world.evaluate()
    picture(world.folder / "3.png", (9, 9, 9))
    world.write([{**ROWS[0], "question": "Is it another?"}, *ROWS[1:]])
    world.evaluate()
    assert world.asked()[6:] == ["q0", "q3"]


def test_a_changed_truth_asks_nothing_and_is_another_evaluation(world):
    before = world.evaluate(world.parrot(says="seven"))
    world.write([{**ROWS[0], "answer": "7"}, *ROWS[1:]])
    after = world.evaluate(world.parrot(says="seven"))
    assert (before.measured.value, after.measured.value) == (0.0, 1 / 6)
    assert len(world.asked()) == 6


def test_the_benchmark_says_how_long_an_answer_may_be(world):
    assert world.evaluate(world.parrot(says="{tokens}")).id == 1
    world.evaluate(world.parrot(says="{tokens}"), decoding=Decoding(max_new_tokens=5))
    assert world.sql("SELECT DISTINCT answer FROM predictions ORDER BY 1") == [("256",), ("5",)]


def test_a_missing_image_counts_as_wrong_and_costs_the_others_nothing(world):
    (world.folder / "1.png").unlink()
    done = world.evaluate(world.parrot(says="1"))
    assert (done.failed, done.measured.value) == (1, 1 / 6)
    assert world.asked() == ["q0", "q2", "q3", "q4", "q5"]
    assert world.sql("SELECT error FROM predictions WHERE answer IS NULL") == [
        ("1.png: the image file is missing",)
    ]
    assert world.sql("SELECT status FROM runs") == [("partial",)]


def test_an_image_put_back_is_asked_about_alone(world):
    (world.folder / "1.png").rename(world.folder / "away")
    world.evaluate()
    (world.folder / "away").rename(world.folder / "1.png")
    assert world.evaluate().failed == 0
    assert Counter(world.asked()) == Counter(row["id"] for row in ROWS)


def test_retry_failed_takes_up_just_those(world):
    world.write([{**ROWS[0], "question": "fail"}, *ROWS[1:]])
    assert world.evaluate().failed == 1
    assert world.evaluate().reused
    assert not world.evaluate(retry_failed=True).reused
    assert world.asked()[6:] == ["q0"]


def test_no_image_at_all_is_an_error_before_any_model_is_loaded(world):
    for n in range(6):
        (world.folder / f"{n}.png").unlink()
    with pytest.raises(DatasetError, match=r"none of the 6 images is in .*--image-root"):
        world.evaluate()
    assert world.asked() == []


def test_images_may_lie_in_a_folder_that_the_user_allows(world, tmp_path):
    for n in range(6):
        (world.folder / f"{n}.png").rename(tmp_path / "site" / f"{n}.png")
    done = world.evaluate(world.parrot(says="{width}"), image_root=tmp_path / "site")
    assert done.failed == 0
    answers = world.sql("SELECT answer FROM predictions ORDER BY ordinal")
    assert answers == [("1",), ("2",), ("3",), ("4",), ("5",), ("6",)]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["../secret.png", "/etc/hostname", "a/../../secret.png", "\0"])
def test_image_paths_that_leave_the_folder_are_refused(world, name):
    picture(world.folder.parent / "secret.png", (1, 1, 1))
    world.write([{**ROWS[0], "image": name}, *ROWS[1:]])
    assert world.evaluate().failed == 1
    [(error,)] = world.sql("SELECT error FROM predictions WHERE item_id = 'q0'")
    assert "image path" in error


def test_a_link_that_leaves_the_folder_is_refused(world, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside") / "secret.png"
    picture(outside, (1, 1, 1))
    (world.folder / "0.png").unlink()
    (world.folder / "0.png").symlink_to(outside)
    assert world.evaluate().failed == 1
    assert "q0" not in world.asked()
    assert world.evaluate(image_root=outside.parent).failed == 0


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no named pipes in folders")
def test_what_is_no_file_is_a_failure_of_its_question(world):
    for name in ("0.png", "1.png"):
        (world.folder / name).unlink()
    os.mkfifo(world.folder / "0.png")
    with (world.folder / "1.png").open("wb") as file:
        file.truncate(30 << 30)  # takes no room
    assert world.evaluate().failed == 2
    errors = world.sql("SELECT error FROM predictions WHERE error IS NOT NULL ORDER BY ordinal")
    assert "it is a named pipe, not a file" in errors[0][0]
    assert "IG4_MAX_IMAGE_MIB" in errors[1][0]


def test_a_broken_image_is_a_failure_of_its_question(world):
    (world.folder / "2.png").write_bytes(b"no image")
    assert world.evaluate().failed == 1


def test_what_was_answered_before_a_trainer_broke_is_kept(world):
    broken = world.parrot(breaks=True)
    with pytest.raises(PrerequisiteError, match="out of seed"):
        world.evaluate(broken, decoding=Decoding(batch_size=2))
    assert world.sql("SELECT status, error FROM evaluations") == [("failed", "out of seed")]
    done = world.evaluate(decoding=Decoding(batch_size=2))
    assert (done.id, done.failed) == (1, 0)
    assert world.asked() == [row["id"] for row in ROWS]


def test_answers_that_no_database_holds_are_made_storable(world):
    done = world.evaluate(world.parrot(says="a\0b"))
    assert done.failed == 0


def test_half_a_surrogate_anywhere_is_shown_as_a_mark(world):
    odd = {"id": "\ud800", "question": "What \udfff?", "answer": "\ud800", "category": "\ud800\0"}
    world.write([odd, *ROWS])
    done = world.evaluate(world.parrot(says="{question}"), label="a\0b")
    assert done.failed == 0
    assert world.sql("SELECT item_id, answer, category FROM predictions WHERE ordinal = 0") == [
        ("?", "What ??", "?\N{SYMBOL FOR NULL}")
    ]


@pytest.mark.parametrize("how", ["ids", "nan", "headline", "short"])
def test_a_benchmark_that_breaks_its_contract_is_told(world, how):
    with pytest.raises(PluginError, match="crooked"):
        world.evaluate(benchmark=Choice("benchmark", "crooked", {"how": how}))


def test_what_scoring_stumbles_over_is_told_before_the_model_is_asked(world):
    with pytest.raises(DatasetError, match="rule=vqa"):
        world.evaluate(benchmark=world.benchmark(rule="vqa"))
    assert world.asked() == []


def test_answers_of_another_form_are_told_each_time(world):
    rows = [{"id": row["id"], "answer": "B"} for row in ROWS]
    for _ in range(2):
        assert world.score(rows).measured.value == 0
    told = [text for text in world.notices() if "6 of 6 answers look like letters" in text]
    assert len(told) == 2
    assert "-o vqa.answer_form=letters" in told[0]


def test_which_column_was_taken_for_the_ids_is_told(world):
    rows = [{"doc_id": n, "resps": [["1"]]} for n in range(6)]
    assert world.score(rows, limit=3).items == 3
    assert any("'doc_id' is taken for the number" in text for text in world.notices())


def test_either_a_checkpoint_or_predictions(world, tmp_path):
    with pytest.raises(UsageError):
        world.evaluate(predictions=tmp_path / "q.jsonl")


def test_answers_made_elsewhere_are_scored_and_kept(world):
    done = world.score([{"id": row["id"], "answer": "2"} for row in ROWS])
    assert (done.label, done.measured.value, done.failed) == ("answers", 2 / 6, 0)
    again = world.score([{"id": row["id"], "answer": "2"} for row in ROWS])
    assert again.reused
    other = world.score([{"id": row["id"], "answer": "1"} for row in ROWS])
    assert other.id != done.id


def test_an_error_in_the_file_counts_as_wrong(world):
    rows = [{"id": row["id"], "answer": row["answer"]} for row in ROWS]
    done = world.score([*rows[:-1], {"id": "q5", "error": "the image file is missing"}])
    assert (done.failed, done.measured.value) == (1, 5 / 6)


def test_a_file_that_does_not_fit_leaves_no_evaluation(world):
    with pytest.raises(DatasetError, match="has no answer to 'q1'"):
        world.score([{"id": "q0", "answer": "2"}])
    assert world.sql("SELECT count(*) FROM evaluations") == [(0,)]


def test_two_evaluations_are_compared_on_what_both_answered(world):
    world.score([{"id": row["id"], "answer": "2"} for row in ROWS], "a.jsonl")
    rows = [{"id": row["id"], "answer": row["answer"]} for row in ROWS]
    world.score([{"id": "q0", "error": "no"}, *rows[1:]], "b.jsonl")
    with Store.open(world.folder / "ig4.db") as store:
        found = compare(Session(store, Host.discover()), 1, 2)
    assert (found.compared.items, found.left_out) == (5, 1)
    assert (found.compared.better, found.compared.worse, found.compared.equal) == (3, 0, 2)
    assert found.compared.difference == pytest.approx(3 / 5)
    assert found.compared.p == 0.25


def test_evaluations_of_other_benchmarks_are_not_compared(world):
    world.evaluate()
    world.evaluate(benchmark=world.benchmark(rule="strict"))
    with Store.open(world.folder / "ig4.db") as store:
        session = Session(store, Host.discover())
        with pytest.raises(UsageError, match="other options"):
            compare(session, 1, 2)
        with pytest.raises(UsageError, match="no evaluation 9"):
            compare(session, 1, 9)


SCRIPT = """
import sys
from ig4.core.engine.evaluating.evaluate import EvaluationRequest, evaluate
from ig4.core.engine.session import Session
from ig4.core.host.host import Host
from ig4.core.records import Choice
from ig4.core.contracts.training import Checkpoint, Decoding
from ig4.storage.store import Store

db, questions, log = sys.argv[1:]
with Store.open(db) as store:
    evaluate(Session(store, Host.discover()), EvaluationRequest(
        Choice("benchmark", "vqa", {"questions": questions}),
        Checkpoint("parrot", {"log": log, "pause": 0.05}), decoding=Decoding(batch_size=4)))
"""
KILLS = 3
QUESTIONS = 300
PAUSED, BATCH = 0.05, 4


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="kill -9 is a signal")
def test_killed_at_random_moments_it_goes_on_and_repeats_half_a_second_at_most(world, tmp_path):
    world.write([{"id": n, "question": f"Is it {n}?", "answer": "it"} for n in range(QUESTIONS)])
    command = [sys.executable, "-c", SCRIPT, tmp_path / "k.db", tmp_path / "q.jsonl", world.log]
    rng = random.Random(3)

    def start():
        return subprocess.Popen(list(map(str, command)), env=environment(tmp_path / "site"))

    for _ in range(KILLS):
        before = len(world.asked())
        process = start()
        while process.poll() is None and len(world.asked()) < before + 60 + rng.randrange(40):
            time.sleep(0.01)
        assert process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert start().wait(timeout=120) == 0
    with Store.open(tmp_path / "k.db") as store, store.reading() as connection:
        [row] = evaluations.list_all(connection)
    assert (row.status, row.answered, row.failed, row.value) == ("done", QUESTIONS, 0, 1.0)
    seen = Counter(world.asked())
    assert len(seen) == QUESTIONS
    lost = BATCH * (0.5 / PAUSED + 3)  # answers of half a second, and the batches around it
    assert sum(seen.values()) - QUESTIONS <= KILLS * lost < KILLS * 60
