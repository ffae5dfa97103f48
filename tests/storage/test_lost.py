"""Connections that break, and many processes that open one new database."""

from __future__ import annotations

import json
import multiprocessing

import pytest
from sqlalchemy import text

import ig4
from ig4.storage.connect import repeat_if_lost
from ig4.storage.errors import ConnectionLostError
from ig4.storage.store import Store

PROCESSES = 8


def open_at_once(location, start, answers):
    start.wait()
    try:
        Store.open(location).close()
        answers.put("opened")
    except BaseException as error:  # noqa: BLE001 - the test shows it
        answers.put(f"{type(error).__name__}: {error}")


@pytest.mark.slow
def test_many_processes_may_open_a_new_database_at_once(location):
    import alembic.command  # noqa: F401 - once, not in each process

    context = multiprocessing.get_context("fork")
    start, answers = context.Barrier(PROCESSES), context.Queue()
    processes = [
        context.Process(target=open_at_once, args=(location, start, answers))
        for _ in range(PROCESSES)
    ]
    for process in processes:
        process.start()
    found = [answers.get(timeout=60) for _ in processes]
    for process in processes:
        process.join()
    assert found == ["opened"] * PROCESSES


# PostgreSQL

END_OTHERS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
)

BREAK_ONCE = """
CREATE SEQUENCE broken;
CREATE FUNCTION break() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF nextval('broken') = 2 THEN PERFORM pg_terminate_backend(pg_backend_pid()); END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER break AFTER INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION break()
"""
"""Ends the connection with the second row of a table; the sequence, which is not rolled back,
remembers that it did."""


@pytest.fixture
def pg(location):
    if not location.startswith("postgresql"):
        pytest.skip("SQLite has no connection to lose")
    return location


def end_others(location):
    with Store.open(location) as other, other.reading() as connection:
        connection.execute(text(END_OTHERS))


def test_a_connection_that_broke_while_it_was_idle_is_replaced(pg):
    with Store.open(pg) as store:
        end_others(pg)
        with store.writing() as connection:
            connection.execute(text("INSERT INTO contents (hash) VALUES ('a')"))
        with store.reading() as connection:
            assert connection.scalar(text("SELECT count(*) FROM contents")) == 1


def test_a_transaction_that_broke_is_done_again_as_a_whole(pg):
    with Store.open(pg) as store:
        tries = []

        def work():
            with store.writing() as connection:
                connection.execute(text("INSERT INTO contents (hash) VALUES ('a')"))
                tries.append(1)
                if len(tries) == 1:
                    end_others(pg)
                connection.execute(text("INSERT INTO contents (hash) VALUES ('b')"))

        repeat_if_lost(work, idempotent=False)
        assert len(tries) == 2
        with store.reading() as connection:
            assert connection.scalar(text("SELECT count(*) FROM contents")) == 2


def test_a_commit_that_nobody_knows_of_is_repeated_only_if_that_does_no_harm():
    tries = []

    def work():
        tries.append(1)
        raise ConnectionLostError("broke at the commit")

    with pytest.raises(ConnectionLostError):
        repeat_if_lost(work, idempotent=False)
    assert len(tries) == 1
    with pytest.raises(ConnectionLostError):
        repeat_if_lost(work, idempotent=True)
    assert len(tries) == 6


def read_while_the_connection_breaks(store, location):
    from ig4.storage.arrays import integers

    with store.reading() as connection:
        connection.execute(text("SELECT 1"))
        end_others(location)
        integers(connection, text("SELECT 1"))


def test_what_reads_with_the_drivers_own_cursor_says_that_the_connection_broke(pg):
    with Store.open(pg) as store:
        with pytest.raises(ConnectionLostError, match="continues from there") as caught:
            read_while_the_connection_breaks(store, pg)
        assert caught.value.committed is False


@pytest.mark.slow
@pytest.mark.parametrize("table", ["samples", "scores"])
def test_a_run_survives_the_loss_of_its_connection(pg, tmp_path, table):
    rows = [{"id": f"s{n % 4}", "instruction": "What?", "answer": "w " * (n + 1)} for n in range(6)]
    rows.append({"id": "none", "instruction": "What?", "answer": ""})
    data = tmp_path / "rows.jsonl"
    data.write_text("".join(json.dumps(one) + "\n" for one in rows))
    with Store.open(pg) as store, store.writing() as connection:
        connection.exec_driver_sql(BREAK_ONCE.format(table=table))
    result = ig4.run(
        data, db=pg, scorers=["length"], size=2, select={"selector": "topk"},
        cluster={"clusterer": "none"}, export={"path": str(tmp_path / "best.jsonl")},
    )  # fmt: skip
    assert result.selection.ids == ["s1#2", "s0#2"]
    with ig4.open(pg) as store, store.reading() as connection:
        assert connection.scalar(text("SELECT last_value FROM broken")) > 2
        names = connection.scalars(text("SELECT external_id FROM samples ORDER BY ordinal")).all()
        assert names == ["s0", "s1", "s2", "s3", "s0#2", "s1#2", "none"]
        assert connection.scalar(text("SELECT count(*) FROM scores")) == 7
