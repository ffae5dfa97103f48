"""Every stored result has a checksum: what changes on the disk is found, and nothing else is."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from sqlalchemy import JSON, DateTime, Float, insert, select, text, update
from sqlalchemy.exc import IntegrityError

from ig4.storage import (
    ablations,
    batches,
    calls,
    checkups,
    clusters,
    evaluations,
    groups,
    judgements,
    pins,
    runs,
    scores,
    selectionnames,
    selections,
    spaces,
    trainings,
)
from ig4.storage.calls import CallOutcome
from ig4.storage.evaluations import PredictionRow
from ig4.storage.integrity.check import check_database
from ig4.storage.integrity.repair import repair_damage
from ig4.storage.integrity.sealedrows import SEALED, check_all
from ig4.storage.integrity.seals import covered, seal
from ig4.storage.schema import ClusterLabel, SelectedSample, SelectedScore, VectorFile
from ig4.storage.selectedscores import SelectionColumn
from ig4.storage.selections import SelectionItem

COUNT = 5


@pytest.fixture
def full(store):
    """A store with rows in each table of results."""
    with store.writing() as connection:
        fill(connection)
    return store


def fill(connection):
    connection.execute(text(
        "INSERT INTO datasets (id, name, path, format, options, created_at) "
        "VALUES (1, 'd', '/d', 'jsonl', '{}', '2026-01-01')"
    ))  # fmt: skip
    for n in range(1, COUNT + 1):
        connection.execute(text(f"INSERT INTO contents (id, hash) VALUES ({n}, 'h{n}')"))
        connection.execute(text(
            "INSERT INTO samples (id, dataset_id, ordinal, external_id, content_id, instruction, "
            f"answer, raw) VALUES ({n}, 1, {n}, 's{n}', {n}, 'q', 'a', '{{}}')"
        ))  # fmt: skip
    own = runs.component_id(connection, runs.ComponentRow("scorer", "s", "d", "1", {"a": 1}, "f"))
    scores.bind(connection, 1, "old", own, options={"limit": 2.5})
    _rename(connection)
    spaces.bind(connection, 1, "clip", own, options={"values": {"limit": 2.5}, "hidden": []})
    rows = [(n, n / 3, None, f'{{"n": {n}, "text": "ä"}}') for n in range(1, COUNT + 1)]
    scores.put(connection, own, None, rows)
    fill_ledger(connection, own)
    labels, ids = np.arange(COUNT) % 2, np.arange(1, COUNT + 1)
    clustering = clusters.put(
        connection, dataset_id=1, name="k", component_id=own, inputs="i", k=2, seed=0,
        imported=False, run_id=None, samples=ids[::-1].copy(), labels=labels, settings={"k": 2},
    )  # fmt: skip
    clusters.mark_used(connection, clustering, "kmeans")
    items = [
        SelectionItem(n, n, f"s{n}", n, 0, -0.0 if n == 1 else n / 7, quota=3 if n == 2 else None)
        for n in range(1, 4)
    ]
    counting = SelectionColumn("s", own, [-0.0, 2 / 3, None], [0.0, 100 / 3, None])
    selection = selections.put(
        connection, dataset_id=1, component_id=own, clustering_id=clustering, config={"a": [1.5]},
        digest="x", run_id=None, items=items, scores=[counting],
    )  # fmt: skip
    selectionnames.put(connection, selection, "first", None)
    selectionnames.put(connection, selection, "best", "for the paper")
    pins.put(connection, 1, [1, 2], keep=True, note="good")
    pins.put(connection, 1, [2], keep=False)
    selections.put_report(connection, selection, "best", {"composition": {"tv": 0.5}})
    groups.put(
        connection, dataset_id=1, name="form", component_id=own, inputs="i",
        group_names=["what", "whether"], run_id=None, samples=ids, labels=labels,
    )  # fmt: skip
    fill_models(connection, own, selection)
    for result in ({"verdict": "trust"}, {"verdict": "noise", "area": 0.5}):
        checkups.put(
            connection, dataset_id=1, name="new", component_id=own, inputs="i", result=result,
            run_id=None,
        )  # fmt: skip
    fill_files(connection, own)


def fill_files(connection, component):
    for n in range(2):
        values = {
            "component_id": component, "name": f"s-f/{n:032x}.parquet", "key": "digest",
            "dimensions": 3, "rows": 5, "bytes": 900, "created_at": runs.now(),
        }  # fmt: skip
        file = connection.execute(insert(VectorFile).values(values).returning(VectorFile.id))
        seal(connection, VectorFile, VectorFile.id == file.scalar_one())


def _rename(connection):
    from ig4.storage.scorecolumns import rename

    rename(connection, 1, "old", "new")


def fill_ledger(connection, component):
    def rows(*names):
        return [
            {"request_hash": name, "provider": "p", "model": "m", "component_id": component,
             "run_id": None, "cost": 0.5}
            for name in names
        ]  # fmt: skip

    assert calls.claim(connection, "w", rows("done", "bad", "failed", "claimed")) == {}
    calls.record(connection, [
        CallOutcome("done", calls.DONE, "Score: 8", "stop", None, 10, 0, 5, 0.25, 1.5),
        CallOutcome("bad", calls.DONE, "?\ufffd", "stop", None, 10, 0, 5, 0.0, 1),
        CallOutcome("failed", calls.FAILED, error="no"),
    ])  # fmt: skip
    calls.mark_unreadable(connection, {"bad": ("?\ufffd", "no number")})
    calls.claim(connection, "w", rows("failed", "bad"), renew=True)
    calls.record(connection, [CallOutcome("failed", calls.DONE, "7", "stop")])
    for key in ("open", "lost", "resent", "ended"):
        number, _ = batches.prepare(connection, "w", key, rows(f"{key} 1", f"{key} 2"))
        batches.mark_submitted(connection, number, f"remote {key}")
        if key in ("lost", "resent"):
            batches.mark_lost(connection, number, "404")
        if key == "resent":
            batches.give_up(connection, number)
        if key == "ended":
            calls.record(connection, [CallOutcome("ended 1", calls.DONE, "9", "stop")])
            batches.finish(connection, number, batches.ENDED)


def fill_models(connection, component, selection):
    begun = {"component_id": component, "name": "b", "inputs": "i", "run_id": None}
    number = evaluations.begin(
        connection, **begun, label="l", source="f", training_id=None, seed=1, decoding={"t": 0},
        items=3,
    )  # fmt: skip
    answers = [PredictionRow(n, f"i{n}", "c", None, f"answer {n}", None) for n in range(2)]
    evaluations.put(connection, number, [*answers, PredictionRow(2, "i2", "c", "x", None, "no")])
    evaluations.put_values(connection, number, [1, 0.5, None])
    evaluations.put(connection, number, answers[:1])
    evaluations.finish(
        connection, number, "done", failed=1, headline="a", value=0.5, metrics={"a": 0.5}
    )
    number = judgements.begin(
        connection, component_id=component, name="j", first="a", second="b", inputs="i", pairs=2,
        run_id=None,
    )  # fmt: skip
    judgements.put_verdicts(
        connection, number,
        [("p", False, "c", 1, 2.5, "why", None), ("p", True, "c", None, None, None, "no")],
    )  # fmt: skip
    judgements.finish(connection, number, "done", summary={"wins": 1})
    number = trainings.begin(
        connection, dataset_id=1, selection_id=selection, component_id=component, inputs="i",
        samples=3, seed=1, output="/out", run_id=None,
    )  # fmt: skip
    trainings.begin_steps(connection, number, 2, 0)
    trainings.put_steps(connection, number, [(1, 0, 2, 1e-5, None, 0.1), (2, 1, 1.5, 1e-5, 1, 1)])
    trainings.finish(connection, number, "done", metrics={"loss": 1.5})
    number = ablations.begin(connection, dataset_id=1, inputs="i", config={}, run_id=None)
    cell = ablations.CellRow("arm", 1, "done", 3, selection, number, {"vqa": {"accuracy": 0.5}})
    ablations.put(connection, number, cell)
    ablations.put(connection, number, cell)


def look(store):
    """Return what each table's check says, by the table's name."""
    with store.reading() as connection:
        return {name: check() for name, check in check_all(connection)}


def test_what_was_stored_in_whatever_way_is_sound(full):
    reports = look(full)
    assert {name: report.damaged for name, report in reports.items() if report.damaged} == {}
    assert {name: report.bare for name, report in reports.items() if report.bare} == {}
    assert [name for name, report in reports.items() if not report.verified] == []


def changed(dice, value, kind):
    """Return another value of the same type, as a flipped bit would leave it."""
    if isinstance(kind, Float):
        return float(np.nextafter(value, np.inf))
    if isinstance(kind, DateTime):
        moved = datetime.fromisoformat(str(value)) + timedelta(microseconds=1)
        return moved if moved.tzinfo else moved.replace(tzinfo=UTC)
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value ^ (1 << dice.randrange(16))
    if isinstance(value, list):
        return value[::-1]
    if isinstance(kind, JSON):
        return {"other": [*value.values()], "key": list(value)}
    at = dice.randrange(len(value))
    return value[:at] + chr(ord(value[at]) ^ 1) + value[at + 1 :]


MODELS = [*((table.model, table.name) for table in SEALED),
          (ClusterLabel, "cluster_labels"), (SelectedSample, "selected_samples"),
          (SelectedScore, "selected_scores")]  # fmt: skip


def test_no_changed_value_of_any_row_is_missed(full):
    dice = random.Random(11)
    missed, tried = [], 0
    with full.reading() as connection:
        checks = dict(check_all(connection))
        for model, name in MODELS:
            table = model.__table__
            keys = list(table.primary_key)
            for row in connection.execute(select(table)).mappings().all():
                for column in table.c:
                    if column.name not in covered(model) or row[column.name] is None:
                        continue
                    here = [key == row[key.name] for key in keys]
                    value = changed(dice, row[column.name], column.type)
                    point = connection.begin_nested()
                    try:
                        connection.execute(update(table).where(*here).values({column.name: value}))
                    except IntegrityError:  # the database itself refuses it
                        point.rollback()
                        continue
                    tried += 1
                    if checks[name]().damaged == 0 and not harmless(model, column, row):
                        missed.append((name, column.name, row[column.name]))
                    point.rollback()
    assert tried > 200
    assert missed == []


def harmless(model, column, row):
    """Tell whether a request without outcome has that column filled later anyway."""
    waiting = model.__tablename__ == "llm_calls" and row["state"] in ("claimed", "batch", "lost")
    return waiting and column.name in ("batch_id", "cost", "attempts")


def test_a_damaged_row_that_is_written_again_stays_damaged(full):
    with full.writing() as connection:
        connection.execute(text("UPDATE evaluations SET value = 0.75"))
        connection.execute(text("UPDATE llm_batches SET remote_id = 'x' WHERE key = 'open'"))
        connection.execute(text("UPDATE predictions SET answer = 'other' WHERE ordinal = 1"))
    with full.writing() as connection:
        evaluations.finish(connection, 1, "failed")
        evaluations.put_values(connection, 1, [1, 1, None])
        batches.mark_lost(connection, 1, "404")
    found = {name for name, report in look(full).items() if report.damaged}
    assert found == {"evaluations", "llm_batches", "predictions"}


def test_damage_is_named_with_what_it_belongs_to_and_a_remedy(full, location):
    with full.writing() as connection:
        connection.execute(text("UPDATE llm_calls SET reply = 'Score: 9' WHERE reply = 'Score: 8'"))
        connection.execute(text("UPDATE cluster_labels SET label = 1 - label WHERE sample_id = 2"))
        connection.execute(text("UPDATE selected_samples SET final_score = 9 WHERE rank = 2"))
        connection.execute(text("UPDATE verdicts SET first_score = 3 WHERE first_score = 1"))
        connection.execute(text("UPDATE predictions SET answer = 'x' WHERE ordinal = 0"))
    damage = {one.table: one for one in check_database(location).damage if one.table != "samples"}
    assert set(damage) == {
        "llm_calls", "cluster_labels", "selected_samples", "verdicts", "predictions"
    }  # fmt: skip
    assert "1 rows of llm_calls are not what was stored (id 3)" in damage["llm_calls"].problem
    assert "restore a backup" in damage["llm_calls"].remedy
    assert "clusterings id 1" in damage["cluster_labels"].problem
    assert "`ig4 cluster`" in damage["cluster_labels"].remedy
    assert "`ig4 judge`" in damage["verdicts"].remedy


def test_repair_deletes_what_can_be_made_again_and_nothing_that_was_paid(full, location):
    with full.writing() as connection:
        connection.execute(text("UPDATE llm_calls SET reply = 'Score: 9' WHERE reply = 'Score: 8'"))
        connection.execute(text("UPDATE cluster_labels SET label = 7 WHERE sample_id = 2"))
        connection.execute(text("UPDATE predictions SET answer = 'x' WHERE ordinal = 0"))
        connection.execute(text("UPDATE selected_samples SET final_score = 9 WHERE rank = 2"))
    report = check_database(location)
    assert repair_damage(location, report.damage) == 3
    assert [one.table for one in check_database(location).damage] == ["llm_calls"]
    with full.reading() as connection:
        assert connection.scalar(text("SELECT count(*) FROM clusterings")) == 0
        assert connection.scalar(text("SELECT count(*) FROM predictions")) == 0
        assert connection.scalar(text("SELECT count(*) FROM llm_calls WHERE reply LIKE 'Score%'"))


def test_rows_of_an_older_ig4_are_told_not_to_be_covered(full, location):
    with full.writing() as connection:
        connection.execute(text("UPDATE predictions SET crc = NULL, answer = 'x' WHERE ordinal=0"))
        connection.execute(text("UPDATE clusterings SET labels_crc = NULL, crc = NULL"))
    report = check_database(location)
    assert report.sound
    notes = "\n".join(report.notes)
    assert "1 rows of predictions were stored by an older ig4 without a checksum" in notes
    assert "5 rows of cluster_labels were stored by an older ig4 without a checksum" in notes


def test_bytes_that_are_no_text_any_more_do_not_pass_for_what_was_there(sqlite_store):
    with sqlite_store.writing() as connection:
        fill(connection)
        connection.execute(text(
            "UPDATE llm_calls SET reply = CAST(x'3FF1BFBD' AS TEXT) WHERE state = 'unreadable'"
        ))  # fmt: skip
    report = check_database(sqlite_store.location)
    assert [one.table for one in report.damage if one.table != "samples"] == ["llm_calls"]
