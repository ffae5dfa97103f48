"""Queries answer, and no way of writing gets past the database."""

from __future__ import annotations

import os
import tempfile
import time
import uuid
from pathlib import Path

import pytest
from sqlalchemy import text

from ig4.storage.connect import parse
from ig4.storage.errors import QueryError, StorageError
from ig4.storage.querying.describe import describe_tables
from ig4.storage.querying.query import EXAMPLES, run_query
from ig4.storage.store import Store

WRITES = [
    "DELETE FROM runs",
    "INSERT INTO contents (hash) VALUES ('x')",
    "UPDATE datasets SET name = 'x'",
    "DROP TABLE scores",
    "CREATE TABLE mine (a INTEGER)",
    "DELETE FROM runs RETURNING id",
    "WITH gone AS (SELECT 1) DELETE FROM runs",
]


def rows_of(location, sql, **how):
    with run_query(parse(location), sql, **how) as answer:
        return answer.columns, [tuple(row) for row in answer.rows]


def test_a_query_gives_columns_and_rows(store, location):
    assert rows_of(location, "SELECT 1 AS one, 'a' AS two") == (["one", "two"], [(1, "a")])


@pytest.mark.parametrize("sql", WRITES)
def test_the_database_refuses_to_write(store, location, sql):
    with pytest.raises(QueryError, match="database refused this"):
        rows_of(location, sql)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1; DELETE FROM runs",
        "COMMIT; DELETE FROM runs",
        "PRAGMA query_only = OFF; DELETE FROM runs",
    ],
)
def test_one_query_is_one_statement(store, location, sql):
    with pytest.raises(QueryError):
        rows_of(location, sql)


def test_no_other_file_can_be_attached_and_written(sqlite_store, tmp_path):
    other = tmp_path / "other.db"
    with pytest.raises(QueryError, match="refused"):
        rows_of(sqlite_store.location, f"ATTACH '{other}' AS other")
    assert not other.exists()


def test_bad_sql_says_what_is_wrong_and_where_help_is(store, location):
    with pytest.raises(QueryError, match="--examples"):
        rows_of(location, "SELEC 1")


def test_a_per_cent_sign_is_just_a_character(store, location):
    assert rows_of(location, "SELECT count(*) FROM samples WHERE answer LIKE '%a%'")[1] == [(0,)]


@pytest.mark.parametrize("question", [sql for _, sql in EXAMPLES if "clip" not in sql])
def test_examples_run_on_an_empty_database(store, location, question):
    rows_of(location, question)


def refusals(location, queries):
    """Return what each query was refused for, "" if it was not."""
    found = {}
    for sql in queries:
        try:
            rows_of(location, sql)
            found[sql] = ""
        except QueryError as error:
            found[sql] = str(error)
    return found


def test_a_table_of_a_function_can_be_read(store, location):
    sql = "SELECT value FROM json_each('[7]')" if store.is_sqlite else "VALUES (7)"
    assert rows_of(location, sql)[1] == [(7,)]


def test_a_query_that_takes_too_long_is_stopped_and_the_flag_is_named(store, location):
    endless = "WITH RECURSIVE t(a) AS (SELECT 1 UNION ALL SELECT a + 1 FROM t) SELECT {} FROM t"
    began = time.monotonic()
    with pytest.raises(QueryError, match="--timeout"):
        rows_of(location, endless.format("count(*)"), timeout=0.2)
    assert time.monotonic() - began < 5
    with run_query(parse(location), endless.format("a"), timeout=0.5) as answer:
        assert next(answer.rows)[0] == 1
        time.sleep(0.6)  # the time in which nobody takes rows does not count
        assert next(answer.rows)[0] == 2


def test_the_tables_and_views_are_described_with_their_columns(store, location):
    tables = {table.name: table for table in describe_tables(parse(location))}
    assert {"scores_wide", "scores_long", "samples", "scores"} <= set(tables)
    assert tables["scores_wide"].kind == "view"
    del tables["alembic_version"]
    for table in tables.values():
        assert table.meaning
        assert [f"{table.name}.{c.name}" for c in table.columns if not c.meaning] == []
    with pytest.raises(QueryError, match=r"There are: .*scores_wide"):
        describe_tables(parse(location), "scores_wdie")


def test_text_that_no_database_takes_is_refused(store, location):
    for sql in ("SELECT '\0'", "SELECT '\udcff'", ""):
        if sql or not store.is_sqlite:
            with pytest.raises(QueryError):
                rows_of(location, sql)


# SQLite


def test_sqlite_opens_changes_and_loads_nothing(sqlite_store, tmp_path):
    other = tmp_path / "other.db"
    queries = [
        f"ATTACH '{other}' AS other", f"VACUUM INTO '{other}'", "CREATE TEMP TABLE t (a)",
        "PRAGMA writable_schema = 1", "PRAGMA journal_mode = DELETE", "PRAGMA user_version = 7",
        "BEGIN IMMEDIATE", "SAVEPOINT s", "REINDEX", "ANALYZE", "DETACH main",
        "SELECT load_extension('x')", "SELECT fts3_tokenizer('simple', x'00')",
        "CREATE VIRTUAL TABLE temp.t USING fts5(a)", "EXPLAIN DELETE FROM runs",
    ]  # fmt: skip
    found = refusals(sqlite_store.location, queries)
    assert [sql for sql, why in found.items() if "refused this" not in why] == []
    assert not other.exists()
    assert rows_of(sqlite_store.location, "PRAGMA table_info(runs)")[1]


def test_bad_json_of_a_query_is_no_damage_of_the_database(sqlite_store):
    with pytest.raises(QueryError, match="malformed JSON") as raised:
        rows_of(sqlite_store.location, "SELECT json('{')")
    assert "damaged" not in str(raised.value)


def test_a_huge_value_is_refused_and_not_made(sqlite_store):
    for sql in ("SELECT zeroblob(2000000000)", "SELECT randomblob(900000000)"):
        with pytest.raises(QueryError, match="may be larger than"):
            rows_of(sqlite_store.location, sql)


# A folder that cannot be written


@pytest.fixture
def sealed():
    """A database in a folder that anybody may enter, with one content."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        with Store.open(folder / "ig4.db") as store, store.writing() as connection:
            connection.execute(text("INSERT INTO contents (hash) VALUES ('kept')"))
        yield folder / "ig4.db"
        if os.getuid() == 0:
            os.seteuid(0)
        folder.chmod(0o755)


def seal(folder: Path):
    for path in folder.iterdir():
        path.chmod(0o444)
    folder.chmod(0o555)
    if os.getuid() == 0:  # nothing is read-only for root
        os.seteuid(65534)


def test_a_database_in_a_folder_that_is_read_only_is_read_as_it_stands(sealed):
    seal(sealed.parent)
    with run_query(parse(str(sealed)), "SELECT hash FROM contents") as answer:
        assert [tuple(row) for row in answer.rows] == [("kept",)]
        assert "as it stands" in answer.note


def test_newer_changes_that_cannot_be_read_there_are_not_left_out(sealed):
    log = sealed.with_name("ig4.db-wal")
    log.write_bytes(b"changes of a process that was killed")
    seal(sealed.parent)
    with pytest.raises(StorageError, match=r"ig4\.db-wal"):
        rows_of(str(sealed), "SELECT hash FROM contents")


# PostgreSQL


@pytest.fixture
def server():
    """A database on the test server, opened as its superuser."""
    name = f"ig4_{uuid.uuid4().hex[:12]}"
    url = os.environ.get("IG4_TEST_POSTGRES") or pytest.skip("IG4_TEST_POSTGRES names no server")
    admin = parse(url)
    own = admin.set(database=name)
    with as_superuser(admin) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
        connection.execute(f"CREATE ROLE \"{name}\" LOGIN PASSWORD 'hush'")
        connection.execute(f'ALTER DATABASE "{name}" OWNER TO "{name}"')
    yield own.render_as_string(hide_password=False)
    with as_superuser(admin) as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
        connection.execute(f'DROP ROLE "{name}"')


def as_superuser(url):
    """Connect as the user of the URL, each statement in a transaction of its own."""
    import psycopg

    return psycopg.connect(
        url.set(drivername="postgresql").render_as_string(hide_password=False), autocommit=True
    )


ACTING = [
    "COPY (SELECT 1) TO PROGRAM 'touch {0}'",
    "COPY (SELECT 1) TO '{0}'",
    "COPY runs TO STDOUT",
    "COPY runs FROM STDIN",
    "SELECT pg_read_file('/etc/hostname')",
    "SELECT pg_catalog.\"pg_read_file\" ('/etc/hostname')",
    "SELECT U&\"\\0070g_read_file\"('/etc/hostname')",
    "SELECT set_config('role', 'none', true), pg_read_file('/etc/hostname')",
    "SELECT query_to_xml('SELECT set_config(''role'', ''none'', true)', true, true, '')",
    "SELECT count(*) FROM (SELECT set_config('statement_timeout', '0', true)) q",
    "SELECT table_to_xml('pg_authid', true, true, '')",
    "SELECT * FROM pg_authid",
    "SELECT passwd FROM pg_shadow",
    "SELECT * FROM pg_hba_file_rules",
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity",
    "SELECT pg_cancel_backend(1)",
    "SELECT lo_export(1, '{0}')",
    "SELECT lo_import('/etc/hostname')",
    "SELECT nextval('runs_id_seq')",
    "SELECT setval('runs_id_seq', 100)",
    "SELECT pg_advisory_lock(1)",
    "SELECT pg_sleep(30)",
    "SELECT pg_notify('a', 'b')",
    "SELECT pg_reload_conf()",
    "SELECT * FROM pg_ls_dir('.')",
    "SELECT ts_stat('SELECT to_tsvector(''a'')')",
    "SELECT planted()",
    "SELECT planted_sum(1)",
    "SELECT planted_sum(1) OVER ()",
    "SELECT * FROM planted_view",
    "SELECT 1 INTO mine",
    "SELECT * FROM runs FOR UPDATE",
    "SELECT * FROM runs FOR KEY SHARE",
    "WITH x AS (INSERT INTO contents (hash) VALUES ('a') RETURNING 1) SELECT * FROM x",
    "EXPLAIN ANALYZE DELETE FROM runs",
    "DO $$ BEGIN DELETE FROM runs; END $$",
    "CALL something()",
    "PREPARE p AS SELECT 1",
    "SET ROLE NONE",
    "RESET ROLE",
    "LOCK TABLE runs",
    "LISTEN runs",
    "SELECT 1; SELECT 2",
    "SELECT 1) AS x, (SELECT 2",
    "SELECT 1 /*",
]

PLANTED = """
CREATE FUNCTION planted() RETURNS text STABLE LANGUAGE plpgsql AS $$
BEGIN PERFORM set_config('role', 'none', true); RETURN pg_read_file('/etc/hostname'); END $$;
CREATE VIEW planted_view AS SELECT planted();
CREATE FUNCTION planted_step(text, int) RETURNS text STABLE LANGUAGE plpgsql AS $$
BEGIN RETURN planted(); END $$;
CREATE AGGREGATE planted_sum(int) (SFUNC = planted_step, STYPE = text)
"""

PLANTED_DOMAIN = """
CREATE FUNCTION planted_check(text) RETURNS bool IMMUTABLE LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'it was called'; END $$;
CREATE DOMAIN planted_domain AS text CHECK (planted_check(value));
CREATE TYPE planted_pair AS (a planted_domain, b int)
"""


@pytest.mark.postgres
def test_no_query_acts_with_the_rights_of_a_superuser(server, tmp_path):
    Store.open(server).close()
    with as_superuser(parse(server)) as connection:
        connection.execute(PLANTED)
    queries = [sql.format(tmp_path / "made") for sql in ACTING]
    found = refusals(server, queries)
    assert [sql for sql, why in found.items() if not why] == []
    assert list(tmp_path.iterdir()) == []
    role = rows_of(server, "SELECT current_user, (SELECT usesuper FROM pg_user LIMIT 1)")[1][0][0]
    assert role == "pg_read_all_data"
    assert rows_of(server, "SELECT last_value FROM runs_id_seq")[1] == [(1,)]
    with pytest.raises(QueryError, match="is a superuser"):
        rows_of(server, "SELECT 1", role=parse(server).username)


@pytest.mark.postgres
def test_no_domain_acts_while_a_superuser_s_query_is_parsed(server):
    Store.open(server).close()
    with as_superuser(parse(server)) as connection:
        connection.execute("CREATE DOMAIN harmless AS text CHECK (length(value) < 9)")
        assert rows_of(server, "SELECT 'a'::harmless")[1] == [("a",)]
        connection.execute(PLANTED_DOMAIN)
    for sql in ("SELECT '(a,1)'::planted_pair", "SELECT 'a'::planted_domain", "SELECT 1"):
        with pytest.raises(QueryError, match=r"domain whose check calls planted_check\(text\)"):
            rows_of(server, sql)


@pytest.mark.postgres
def test_an_owner_reads_and_does_not_act_either(server, tmp_path):
    url = parse(server)
    owner = url.set(username=url.database, password="hush").render_as_string(hide_password=False)
    Store.open(owner).close()
    queries = [sql.format(tmp_path / "made") for sql in ACTING if "planted" not in sql]
    assert [sql for sql, why in refusals(owner, queries).items() if not why] == []
    reading = "SELECT count(*), random() < 2, now() IS NULL FROM scores_wide -- no more;"
    assert rows_of(owner, reading)[1] == [(0, True, False)]
    assert rows_of(owner, "VALUES (1, 'a%s');")[1] == [(1, "a%s")]


@pytest.mark.postgres
def test_a_server_that_cannot_be_reached_is_one_line():
    with pytest.raises(StorageError, match="nowhere"):
        rows_of("postgresql://me@/nowhere?host=/nonexistent", "SELECT 1")
