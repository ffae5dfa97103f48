"""The columns of scores of a data set: their origin and counts, dropping and renaming."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import text

from ig4.core.engine.ingesting.imports import ScoreColumn, import_scores
from ig4.core.engine.ingesting.ingest import DatasetSource, ingest
from ig4.core.engine.scoring.columns import drop_column, list_columns, rename_column
from ig4.core.engine.scoring.plan import ScoreRequest
from ig4.core.engine.scoring.score import score
from ig4.core.errors import UsageError
from ig4.core.records import Choice

from ...conftest import record

WIDE = text("SELECT * FROM scores_wide")


@pytest.fixture
def dataset(session, folder, read, tmp_path):
    """Three samples: `counted` fails on one, `mine` is imported for one."""
    folder.write(record("a", "one two"), record("b", "one two three four"), record("c", "fail"))
    made = read().dataset
    compute(session, made, batch=2)
    (tmp_path / "mine.csv").write_text("id,x\na,7\n")
    import_scores(session, made, ScoreColumn(tmp_path / "mine.csv", "mine", "x", multiply=2))
    return made


def compute(session, dataset, label="counted", **options):
    score(session, dataset, ScoreRequest([Choice("scorer", "counted", options, label)]))


def values(session, name):
    with session.store.reading() as connection:
        sql = text("SELECT external_id, value FROM scores_long WHERE scorer = :name")
        return dict(connection.execute(sql, {"name": name}).all())


def rows(session, table):
    with session.store.reading() as connection:
        return connection.scalar(text(f"SELECT count(*) FROM {table}"))


def test_computed_scores_tell_their_component_options_and_run(session, dataset):
    counted, _ = list_columns(session, dataset)
    assert (counted.values, counted.failures, counted.missing) == (2, 1, 0)
    assert (counted.minimum, counted.mean, counted.maximum) == (2, 3, 4)
    assert counted.origin == {
        "component": "counting/counted", "version": "1", "options": {"batch": 2},
    }  # fmt: skip
    assert len(counted.runs) == 1
    json.dumps(counted.to_dict())


def test_imported_scores_tell_their_file_column_and_units(session, dataset, tmp_path):
    _, mine = list_columns(session, dataset)
    assert (mine.imported, mine.values, mine.failures, mine.missing) == (True, 1, 0, 2)
    assert mine.origin["path"] == str(tmp_path / "mine.csv")
    assert (mine.origin["column"], mine.origin["multiply"]) == ("x", 2)
    assert mine.created_at is not None


def test_a_dropped_column_is_gone_with_its_values_and_its_place_in_the_views(session, dataset):
    assert drop_column(session, dataset, "counted").deleted == 3
    assert [column.name for column in list_columns(session, dataset)] == ["mine"]
    assert (rows(session, "scores"), rows(session, "score_details")) == (1, 0)
    with session.store.reading() as connection:
        assert "counted" not in tuple(connection.execute(WIDE).keys())


def test_values_stay_that_another_column_or_data_set_has_too(session, dataset, folder):
    compute(session, dataset, "again")
    assert drop_column(session, dataset, "counted").deleted == 0
    folder.write(record("other", "one two"))
    other = ingest(session, DatasetSource(folder.path, name="other")).dataset
    compute(session, other)
    assert drop_column(session, dataset, "again").deleted == 2
    assert values(session, "counted") == {"other": 2}


def test_a_renamed_column_keeps_its_values_and_its_origin(session, dataset):
    before = list_columns(session, dataset)[0]
    rename_column(session, dataset, "counted", "old")
    after = next(column for column in list_columns(session, dataset) if column.name == "old")
    assert (after.origin, after.fingerprint) == (before.origin, before.fingerprint)
    with session.store.reading() as connection:
        assert "old" in tuple(connection.execute(WIDE).keys())


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("countd", "x", "no scores called 'countd'; did you mean counted"),
        ("counted", "mine", "has scores called mine already"),
        ("counted", "answer", "cannot be called 'answer'"),
        ("counted", " ", "a name that is not empty"),
    ],
)
def test_what_cannot_be_renamed_is_told(session, dataset, old, new, told):
    with pytest.raises(UsageError, match=told):
        rename_column(session, dataset, old, new)


def test_dropping_says_that_replies_which_were_paid_remain(session, dataset):
    with session.store.writing() as connection:
        component = connection.scalar(text("SELECT id FROM components WHERE name = 'counted'"))
        connection.execute(
            text(
                "INSERT INTO llm_calls (request_hash, provider, model, component_id, state, "
                "attempts, created_at) VALUES ('h', 'p', 'm', :id, 'done', 1, "
                "'2026-01-01 00:00:00')"
            ),
            {"id": component},
        )
    assert drop_column(session, dataset, "counted").replies == 1
    assert rows(session, "llm_calls") == 1
