"""The miniature runs from end to end, and nobody but its last page knows what was spoilt."""

import json
import os
import sqlite3
import subprocess
import sys
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from .inprocess import run_in_this_process

pytestmark = pytest.mark.slow

for library in ("easy_vqa", "open_clip", "transformers", "sklearn"):
    pytest.importorskip(library)

FOLDER = Path(__file__).resolve().parents[2] / "examples" / "miniature"
SCRIPT = FOLDER / "miniature.py"
ARMS = {
    "base", "all", "random", "ig4", "no-clusters", "only-clip", "only-length", "only-reward",
    "clusterer-kmeans",
}  # fmt: skip


def quick_here(work):
    """Run the quick mode in a folder, all of it in this process; returns what it printed."""
    return run_in_this_process("miniature", "--quick", "--jobs", "1", "--work", str(work))


def quick(work):
    """Run the quick mode in a folder as a user does, and return what it printed."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(SCRIPT), "--quick", "--jobs", "1", "--work", str(work)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """The work folder of a finished quick run; what it printed stands in `printed`."""
    folder = tmp_path_factory.mktemp("miniature")
    printed = quick_here(folder)
    (folder / "printed").write_text(printed, encoding="utf-8")
    return folder


def rows(work, sql):
    with closing(sqlite3.connect(work / "ig4.db")) as connection, connection:
        return connection.execute(sql).fetchall()


def test_as_many_are_selected_as_are_wanted(work):
    selected = json.loads((work / "selected" / "llava.json").read_text())
    assert len(selected) == 12
    (sizes,) = zip(*rows(work, "SELECT DISTINCT size FROM selections"), strict=True)
    assert sizes == (12,)


def test_every_arm_is_trained_and_stands_in_the_tables(work):
    told = json.loads((work / "tables-test.json").read_text())
    assert {one["arm"] for one in told["outcomes"]} == ARMS
    assert {row["arm"] for table in told["tables"] for row in table["rows"]} == ARMS
    assert {table["title"] for table in told["tables"]} == {"Selection", "Indicators", "Clustering"}
    assert set(rows(work, "SELECT status, error FROM ablation_cells")) == {("done", None)}


def test_all_arms_take_as_many_steps(work):
    trained = rows(work, "SELECT metrics FROM trainings WHERE status = 'done'")
    assert {json.loads(metrics)["steps"] for (metrics,) in trained} == {3}


def test_answers_are_judged_in_both_orders(work):
    for rival in ("all", "random"):
        told = json.loads((work / "judged-test" / f"{rival}.json").read_text())
        assert told["overall"]["n"] == 6
        assert told["position_bias"]["flips"] == 0
        assert (work / "judged-test" / f"figure1-{rival}.svg").read_text().startswith("<")


def test_the_report_has_all_parts(work):
    report = (work / "report-test.md").read_text()
    for part in ("Does it hold?", "Figure 1", "What had been spoilt", "selected >= all"):
        assert part in report
    assert report.strip() in (work / "printed").read_text()


def test_two_in_five_are_spoilt_in_equal_parts(work):
    key = json.loads((work / "apart" / "spoilt.json").read_text())
    kinds = Counter(key.values())
    assert kinds.pop(None) == 36
    assert sorted(kinds.values()) == [4, 5, 5, 5, 5]


def test_what_was_spoilt_is_known_to_one_file_alone(work):
    key = json.loads((work / "apart" / "spoilt.json").read_text())
    records = json.loads((work / "set" / "llava.json").read_text())
    assert [one["id"] for one in records] == list(key)
    assert {name for one in records for name in one} == {"id", "image", "conversations"}
    database = b"".join(path.read_bytes() for path in work.glob("ig4.db*"))
    for word in (b"spoilt", b"mismatched", b"rambling", b"vague"):
        assert word not in database
    for path in [work / "ig4.toml", work / "set" / "llava.json", work / "selected" / "llava.json"]:
        assert "spoilt" not in path.read_text()


def test_scorers_and_base_model_never_meet_the_instruction_set_or_the_questions():
    sys.path.insert(0, str(FOLDER))
    try:
        import world
    finally:
        sys.path.remove(str(FOLDER))
    seen = [
        {(folder, number) for number in range(first, end)}
        for folder, first, end in world.SPLITS.values()
    ]
    assert sum(map(len, seen)) == len(set.union(*seen))


def test_a_finished_run_does_nothing_again(work):
    before = rows(work, "SELECT count(*) FROM trainings")
    tables = json.loads((work / "tables-test.json").read_text())
    # As after a run with --development.
    with closing(sqlite3.connect(work / "ig4.db")) as connection, connection:
        connection.execute(
            "INSERT INTO ablations (dataset_id, inputs, config, created_at) "
            "SELECT dataset_id, 'later', config, created_at FROM ablations"
        )
    printed = quick(work)
    again = json.loads((work / "tables-test.json").read_text())
    assert (again["ablation"], again["outcomes"]) == (tables["ablation"], tables["outcomes"])
    assert printed.count("done before") == 5
    assert rows(work, "SELECT count(*) FROM trainings") == before
