"""Damage that nobody sees is found: in the file itself, in scores, vectors and texts."""

from __future__ import annotations

import json
import random
import sqlite3
from contextlib import closing

import numpy as np
import pytest
from sqlalchemy import text

import ig4
from ig4.core.engine.checking import check
from ig4.storage import admin, scores
from ig4.storage.errors import StorageError
from ig4.storage.integrity.repair import repair_damage

COUNT = 300


@pytest.fixture
def scored(tmp_path, monkeypatch):
    """A database with 300 scored samples and a vector."""
    monkeypatch.chdir(tmp_path)
    data = tmp_path / "rows.jsonl"
    rows = [
        {"id": f"s{n}", "instruction": "What?", "answer": "word " * (n % 40 + 1) + f"number {n}"}
        for n in range(COUNT)
    ]
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    run()
    with ig4.open("ig4.db") as store, store.writing() as connection:
        connection.execute(text("INSERT INTO images (sha256, bytes) VALUES ('ab', 1)"))
        scores.put_embeddings(connection, 1, None, [(1, np.arange(4, dtype=np.float32))])
    return tmp_path / "ig4.db"


def run(**more):
    return ig4.run(
        "rows.jsonl", scorers=["length"], size=100, select={"selector": "topk"},
        cluster={"clusterer": "none"}, export={"path": "best.jsonl"}, **more,
    )  # fmt: skip


def change(path, sql):
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(sql)


def test_a_database_that_nobody_damaged_is_sound(scored):
    report = check(scored)
    assert report.sound
    assert report.verified == {
        "scores": COUNT, "embeddings": 1, "input_embeddings": 0, "samples": COUNT, "components": 3,
        "dataset_scorers": 1, "groupings": 1, "group_labels": COUNT, "checkups": 1,
        "selections": 1, "selected_samples": 100, "selection_reports": 1,
        "selection_scorers": 1, "selected_scores": 100,
    }  # fmt: skip
    assert report.notes == []


def test_changed_scores_are_found_deleted_and_computed_again(scored):
    before = run().selection.ids
    change(scored, "UPDATE scores SET value = value + 3 WHERE content_id % 6 = 0")
    report = check(scored)
    assert [one.table for one in report.damage] == ["scores"]
    assert "50 scores of scorer length" in report.damage[0].problem
    assert "ig4 score --scorers length" in report.damage[0].remedy
    assert repair_damage(scored, report.damage) == 50
    again = run()
    assert again.scored.done == {"length": 50}
    assert again.selection.ids == before
    assert check(scored).sound


def test_a_changed_key_or_error_is_no_less_damage(scored):
    change(scored, "UPDATE scores SET error = 'x', value = NULL WHERE content_id = 7")
    change(scored, "UPDATE scores SET content_id = 5000 WHERE content_id = 9")
    change(scored, "UPDATE scores SET value = 9e999 WHERE content_id = 8")
    problems = " ".join(one.problem for one in check(scored).damage)
    assert "2 scores of scorer length" in problems
    assert "content ids 4,096 to 8,191" in problems
    assert "1 row refers to contents" in problems


def test_a_changed_vector_and_one_of_a_wrong_length_are_found(scored):
    change(scored, "UPDATE embeddings SET vector = x'00000000000080BF0000004000004040'")
    assert "1 embeddings" in check(scored).damage[0].problem
    change(scored, "UPDATE embeddings SET vector = x'000000', crc = NULL")
    assert "1 embeddings" in check(scored).damage[0].problem


def test_what_an_older_ig4_stored_is_told_not_to_be_covered(scored):
    change(scored, "UPDATE scores SET crc = NULL WHERE content_id < 11")
    report = check(scored)
    assert report.sound
    assert "10 scores were stored by an older ig4 without a checksum" in report.notes[0]


def test_changed_texts_are_found_and_read_again(scored):
    change(scored, "UPDATE samples SET answer = answer || '!' WHERE external_id = 's3'")
    report = check(scored)
    assert "'s3'" in report.damage[0].problem
    repair_damage(scored, report.damage)
    run()
    assert check(scored).sound


def test_flipped_bytes_anywhere_in_the_file_are_no_traceback(scored):
    with closing(sqlite3.connect(scored)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    whole, dice = scored.read_bytes(), random.Random(7)
    for _ in range(20):
        file = bytearray(whole)
        for _ in range(50):
            file[dice.randrange(4096, len(file))] ^= 1 << dice.randrange(8)
        scored.write_bytes(file)
        try:
            assert not check(scored).sound
        except StorageError as error:
            assert str(scored) in str(error)  # noqa: PT017 - either answer is one


def test_a_backup_of_a_damaged_database_does_not_get_its_name(scored, tmp_path):
    with closing(sqlite3.connect(scored)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
    file = bytearray(scored.read_bytes())
    for page in range(2, pages):
        file[page * 4096 + 3 : page * 4096 + 5] = b"\xff\xff"  # how many cells a page has
    scored.write_bytes(file)
    with pytest.raises(StorageError, match="backup"):
        admin.backup(scored, tmp_path / "copy.db")
    assert not (tmp_path / "copy.db").exists()
    assert list(tmp_path.glob(".*.part")) == []
