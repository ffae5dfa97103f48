"""What `ig4 batch` and `ig4 costs` say of batches that brought nothing and may have been paid."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from ig4.cli.main import cli
from ig4.cli.terminal import render
from ig4.core.engine.scoring.estimate import CallEstimate
from ig4.storage import batches, runs
from ig4.storage.runs import ComponentRow
from ig4.storage.store import Store


@pytest.fixture
def ig4(tmp_path):
    """Run a command on a database with a lost batch and one that the service has."""
    location = tmp_path / "ig4.db"
    with Store.open(location) as store, store.writing() as connection:
        component = runs.component_id(
            connection, ComponentRow("scorer", "gpt", "ig4", "1", {}, "f")
        )
        shared = {"provider": "openai", "model": "m", "component_id": component, "run_id": None}
        for key, names in (("lost", "ab"), ("there", "c")):
            rows = [{"request_hash": name, "cost": 0.25, **shared} for name in names]
            number, _ = batches.prepare(connection, "w", key, rows)
            batches.mark_submitted(connection, number, f"remote-{key}")
        batches.mark_lost(connection, 1, "404: no such batch")

    def run(*arguments):
        return CliRunner().invoke(cli, [*arguments, "--db", str(location)])

    return run


def json_of(done):
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_costs_count_what_may_have_been_paid_apart(ig4):
    report = json_of(ig4("costs", "--json"))
    assert (report["cost"], report["lost"], report["lost_cost"]) == (0.0, 2, 0.5)
    told = ig4("costs")
    assert "2 requests in lost batches may have been paid as well ($0.5000 at most)" in told.stderr
    assert "perhaps paid" in told.stdout


def test_a_lost_batch_is_sent_again_at_a_word_and_counted_on(ig4):
    assert json_of(ig4("batch", "resend", "1", "--json")) == {"batch": 1, "requests": 2}
    states = {row["batch"]: row["state"] for row in json_of(ig4("batch", "list", "--json"))}
    assert states == {1: "resent", 2: "submitted"}
    assert json_of(ig4("costs", "--json"))["lost"] == 2


def test_what_waits_and_what_is_lost_are_counted_apart(ig4):
    listed = json_of(ig4("batch", "list", "--json"))
    assert [(row["waiting"], row["lost"]) for row in listed] == [(0, 2), (1, 0)]


def test_an_estimate_says_what_is_not_sent_again():
    told = render.calls_estimate("gpt", CallEstimate("m", 9, 1, 70, 80, 0.5, 2, 3))
    assert "about 9 requests, 1 of them already paid, 2 on their way in batches, 3 in lost" in told


def test_one_that_the_service_has_needs_a_second_word(ig4):
    assert "is not lost" in str(ig4("batch", "resend", "2").exception)
    assert json_of(ig4("batch", "resend", "2", "--yes", "--json"))["requests"] == 1
    assert "there is no batch 9" in str(ig4("batch", "resend", "9").exception)
