"""A database with something of everything that can be plotted."""

from __future__ import annotations

import json

import numpy as np
import pytest
from click.testing import CliRunner

from ig4.cli.main import cli
from ig4.core.engine.session import Session
from ig4.core.host.host import Host
from ig4.core.statistics.verdicts import Summary, Tally
from ig4.storage import ablations, calls, evaluations, judgements, runs, trainings
from ig4.storage.calls import CallOutcome
from ig4.storage.evaluations import PredictionRow
from ig4.storage.store import Store

N = 60


def run(place, line):
    done = CliRunner().invoke(cli, [*line.split(), "--db", str(place)])
    assert done.exit_code == 0, done.output
    return done


@pytest.fixture(scope="session")
def scored(tmp_path_factory):
    """A data set of two kinds with two scores, of which nothing is selected."""
    folder = tmp_path_factory.mktemp("plots")
    rows = [
        {"id": f"{kind}{n}", "question": question, "answer": answer}
        for n in range(N // 2)
        for kind, question, answer in (
            ("c", "what color is it?", f"red {n:02}"),
            ("d", "describe the image.", f"A red circle lies at {n:02}. It is small{'.' * n}"),
        )
    ]
    (folder / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    # Every sixth has no score.
    table = "".join(f"{row['id']},{n % 7}\n" for n, row in enumerate(rows) if n % 6)
    (folder / "odd.csv").write_text(f"id,odd\n{table}")
    labels = "".join(f"{row['id']},{n % 3}\n" for n, row in enumerate(rows))
    (folder / "thirds.csv").write_text(f"id,cluster\n{labels}")
    place = folder / "ig4.db"
    run(place, f"ingest {folder}/data.jsonl --name data")
    run(place, "score --scorers length")
    run(place, f"import-scores {folder}/odd.csv --as odd --column odd")
    run(place, f"import-clusters {folder}/thirds.csv --as thirds")
    return place


@pytest.fixture(scope="session")
def full(scored, tmp_path_factory):
    """The same with two selections and results of every kind."""
    place = tmp_path_factory.mktemp("plots") / "ig4.db"
    place.write_bytes(scored.read_bytes())
    run(place, "select --size 12 --weights length=0.8,odd=0.2 --clusters thirds")
    run(place, "select --size 10 --scorers length --selector topk --name long")
    with Store.open(place) as store:
        fill(store)
    return place


def fill(store):
    with store.writing() as connection:
        trainer = runs.component_id(
            connection, runs.ComponentRow("trainer", "hf", "ig4", "1", {}, "t" * 64)
        )
        for number in (1, 2):
            found = trainings.begin(
                connection, dataset_id=1, selection_id=number, component_id=trainer,
                inputs=f"i{number}", samples=3, seed=1, output=f"/out{number}", run_id=None,
            )  # fmt: skip
            steps = [(n, 0, 3.0 / n, 1e-4, None, 0.1) for n in range(1, 9)]
            trainings.begin_steps(connection, found, 8, 0)
            trainings.put_steps(connection, found, steps)
            trainings.finish(connection, found, "done", metrics={"loss": 3 / 8})
        evaluate(connection)
        judge(connection)
        ablate(connection)
        scorer = runs.component_id(
            connection, runs.ComponentRow("scorer", "gpt", "ig4", "1", {}, "s" * 64)
        )
        call = {"request_hash": "a", "provider": "openai", "model": "gpt-x",
                "component_id": scorer, "run_id": None}  # fmt: skip
        calls.claim(connection, "w", [call])
        calls.record(connection, [CallOutcome("a", calls.DONE, "87", cost=0.5)])
        run_id = runs.start(connection, "score", config={}, versions={}, dataset_id=1)
        runs.finish(connection, run_id, "done", {"speeds": {"s" * 64: [4, 2.5]}})


def evaluate(connection):
    benchmark = runs.component_id(
        connection, runs.ComponentRow("benchmark", "vsr", "ig4", "1", {}, "b" * 64)
    )
    for label, training, right in (("ours", 1, 3), ("theirs", 2, 1)):
        found = evaluations.begin(
            connection, component_id=benchmark, name="vsr", inputs=label, run_id=None, label=label,
            source="f", training_id=training, seed=1, decoding={}, items=4,
        )  # fmt: skip
        answers = [PredictionRow(n, f"i{n}", "", None, "yes", None) for n in range(4)]
        evaluations.put(connection, found, answers)
        evaluations.put_values(connection, found, [float(n < right) for n in range(4)])
        evaluations.finish(
            connection, found, "done", failed=0, headline="accuracy", value=right / 4,
            metrics={"all": {"accuracy": right / 4}},
        )  # fmt: skip


def judge(connection):
    component = runs.component_id(
        connection, runs.ComponentRow("judge", "gpt", "ig4", "1", {}, "j" * 64)
    )
    found = judgements.begin(
        connection, component_id=component, name="gpt", first="ours", second="theirs", inputs="i",
        pairs=4, run_id=None,
    )  # fmt: skip
    one = Tally(4, 2, 1, 1, 0.5, (0.2, 0.8), 0.25, (0.0, 0.6), 1.0, 8.0, 7.0, 87.5, (80.0, 95.0))
    summary = Summary(one, {"detail": one}, None, 0)
    judgements.finish(connection, found, "done", summary=summary.to_dict())


def ablate(connection):
    arms = [{"name": name, "take": take, "group": "Selection"}
            for name, take in (("ig4", "selected"), ("random", "random"))]  # fmt: skip
    config = {"arms": arms, "seeds": [1, 2], "benchmarks": ["vsr"], "factors": {}}
    found = ablations.begin(connection, dataset_id=1, inputs="i", config=config, run_id=None)
    for arm, values in (("ig4", (0.5, 0.7)), ("random", (0.4, 0.4))):
        for seed, value in enumerate(values, start=1):
            metrics = {"vsr": {"value": value, "headline": "accuracy", "failed": 0}}
            cell = ablations.CellRow(arm, seed, "done", 10, None, None, metrics)
            ablations.put(connection, found, cell)


@pytest.fixture
def session(full):
    with Store.open(full) as store:
        yield Session(store, Host.discover())


@pytest.fixture(scope="session")
def table(full):
    """What the database says of each sample: its scores, kind, third, and rank in selection 1."""
    with Store.open(full) as store, store.reading() as connection:
        rows = connection.exec_driver_sql(
            "SELECT s.external_id, l.value, o.value, c.label, x.rank, x.final_score FROM samples s"
            " LEFT JOIN scores_long l ON l.external_id = s.external_id AND l.scorer = 'length'"
            " LEFT JOIN scores_long o ON o.external_id = s.external_id AND o.scorer = 'odd'"
            " JOIN cluster_labels c ON c.sample_id = s.id"
            " LEFT JOIN selected_samples x ON x.sample_id = s.id AND x.selection_id = 1"
            " ORDER BY s.id"
        ).all()
    return np.array([tuple(row) for row in rows], dtype=object)
