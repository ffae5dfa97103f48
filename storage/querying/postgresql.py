"""Runs one reading query on PostgreSQL: a cursor, read-only, without functions that act."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING, Any

from ig4.storage.connect import connect, describe, translate_errors
from ig4.storage.errors import QueryError

if TYPE_CHECKING:
    from sqlalchemy import URL

READER = "pg_read_all_data"
"""A role of PostgreSQL 14 and later that may read all tables, but no files of the server."""

_HARMLESS = (
    "random", "random_normal", "clock_timestamp", "timeofday", "gen_random_uuid", "uuidv4",
    "uuidv7", "current_query", "pg_is_in_recovery", "pg_relation_size", "pg_total_relation_size",
    "pg_table_size", "pg_indexes_size", "pg_database_size",
)  # fmt: skip
"""Functions of PostgreSQL that are volatile, and yet change nothing and open nothing."""

_SECRETS = ("pg_authid", "pg_shadow", "pg_user_mapping", "pg_user_mappings", "pg_subscription")
"""Catalogs with passwords; `pg_read_all_data` may read some of them."""

_FUNCTION = re.compile(r":(?:funcid|opfuncid|aggfnoid|winfnoid|\w+RangeFunc) (\d+)")
_OPERATOR = re.compile(r":opno (\d+)")
_RELATION = re.compile(r":relid (\d+)")

_FIRST_WORD = re.compile(r"(?:\s|\(|--[^\n]*\n|/\*.*?\*/)*(\w+)", re.DOTALL)
_NEAR = re.compile(r'near "(\w+)"')
_COMMANDS = {
    "ABORT", "ALTER", "ANALYZE", "BEGIN", "CALL", "CHECKPOINT", "CLUSTER", "COMMENT", "COMMIT",
    "COPY", "CREATE", "DELETE", "DISCARD", "DO", "DROP", "EXECUTE", "EXPLAIN", "FETCH", "GRANT",
    "IMPORT", "INSERT", "LISTEN", "LOAD", "LOCK", "MERGE", "NOTIFY", "PREPARE", "REFRESH",
    "REINDEX", "RESET", "REVOKE", "ROLLBACK", "SAVEPOINT", "SET", "SHOW", "START", "TRUNCATE",
    "UPDATE", "VACUUM",
}  # fmt: skip
"""Commands that are no queries; only what is said about an error depends on this list."""

_FIRST_ROWS, _MOST_ROWS, _QUICK = 100, 2000, 0.05
"""How many rows are fetched first and at most at a time; the number doubles while that takes less
than so many seconds: large rows must not fill the memory."""


@contextmanager
def query_postgresql(
    url: URL, sql: str, timeout: float, role: str | None
) -> Iterator[tuple[Sequence[str], Iterator[Sequence[Any]]]]:
    """Yield the column names of a query, and its rows.

    The query can only be what a cursor can be declared for, in one statement: SELECT, VALUES,
    TABLE, WITH. It may call no function that acts (see `_refuse_actions`), and it runs in a
    read-only transaction that is rolled back, as a role that may only read where one can be had.

    Raises:
        QueryError: the query is not valid, acts, takes longer than `timeout` seconds, or would
            run with the rights of a superuser.
        StorageError: the server cannot be reached.
    """
    import psycopg

    engine = connect(url)
    try:
        with translate_errors(url), engine.connect() as opened:
            connection: Any = opened.connection
            cursor = connection.cursor()
            try:
                superuser = _begin(cursor, timeout)
                _refuse_actions(cursor, sql, superuser=superuser)
                _drop_rights(cursor, role, superuser=superuser)
                _declare(cursor, sql)
                cursor.execute("FETCH FORWARD 0 FROM ig4_query")
                columns = [column[0] for column in cursor.description or ()]
                yield columns, _rows(cursor, timeout)
            except psycopg.errors.QueryCanceled:
                raise timed_out(timeout) from None
            except psycopg.Error as error:
                raise QueryError(_message(error, sql, describe(url))) from None
            finally:
                if not connection.driver_connection.closed:
                    connection.rollback()
    finally:
        engine.dispose()


def timed_out(timeout: float) -> QueryError:
    """Return the error for a query that took longer than `timeout` seconds."""
    return QueryError(
        f"The query took longer than {timeout:g} s and was stopped: give it more time with "
        "--timeout SECONDS (0: no limit), or let it read less."
    )


def _begin(cursor: Any, timeout: float) -> bool:
    """Begin the transaction; returns whether the connection is a superuser's."""
    cursor.execute("SET TRANSACTION READ WRITE")  # until the query is known: see _refuse_actions
    cursor.execute(f"SET LOCAL statement_timeout = {int(timeout * 1000)}")
    # Compiling the views takes seconds (70 scorers: 2.6 s), where a query of a few rows takes none.
    cursor.execute("SET LOCAL jit = off")
    # Names must mean the same when the query is checked and when it runs as another role.
    cursor.execute(
        "SELECT set_config('search_path', coalesce((SELECT string_agg(quote_ident(name), ', ') "
        "FROM unnest(current_schemas(false)) AS name), ''), true)"
    )
    cursor.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
    return bool(cursor.fetchone()[0])


def _refuse_actions(cursor: Any, sql: str, *, superuser: bool) -> None:
    """Raise QueryError if a query, or a view that it reads, calls a function that may act.

    READ ONLY does not keep a query from reading files, ending other sessions, taking locks or
    changing its own role and time limit: all of that is done by functions. So the server itself
    says which functions a query calls, whatever their names look like: the query becomes a view,
    which is not run, and the view is rolled back. Only functions that are declared STABLE or
    IMMUTABLE, and the `_HARMLESS` ones, may be called. A superuser may call those of others only
    if they are in C: any other one could take back the superuser's role.
    """
    if superuser:
        _refuse_domains(cursor)
    cursor.execute("SAVEPOINT ig4_query")
    query = sql.rstrip().rstrip(";")
    cursor.execute(
        f"CREATE TEMP VIEW ig4_query AS SELECT 1 FROM (\n{query}\n) AS q".encode(), prepare=True
    )
    cursor.execute("SELECT 'pg_temp.ig4_query'::regclass::oid")
    relations: set[int] = {cursor.fetchone()[0]}
    seen: set[int] = set()
    functions, operators, named = {0}, {0}, {0}
    while relations - seen:
        new, seen = relations - seen, seen | relations
        cursor.execute(
            "SELECT r.ev_action::text, c.relnamespace = 'pg_catalog'::regnamespace FROM "
            "pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class WHERE r.ev_type = '1' AND "
            "r.ev_class = ANY(%s)",
            [list(new)],
        )
        for tree, is_system in cursor.fetchall():
            functions |= {int(oid) for oid in _FUNCTION.findall(tree)}
            operators |= {int(oid) for oid in _OPERATOR.findall(tree)}
            read = {int(oid) for oid in _RELATION.findall(tree)}
            relations |= read
            named |= set() if is_system else read  # the server's own views hide passwords
    functions |= _parts_of_aggregates(cursor, functions)
    refused = _acting(cursor, functions, operators, superuser=superuser)
    secrets = _secrets(cursor, named)
    cursor.execute("ROLLBACK TO SAVEPOINT ig4_query")
    if refused:
        raise QueryError(
            f"The query calls {refused[0]}, which may do more than read: `ig4 query` calls only "
            "functions that are declared STABLE or IMMUTABLE."
        )
    if secrets:
        raise QueryError(f"The query reads {secrets[0]}, which holds passwords: it is refused.")


def _refuse_domains(cursor: Any) -> None:
    """Raise QueryError if the database has a domain whose check calls a function of a user.

    It is called as soon as a text is read as that domain, which is while a query is parsed: before
    anybody can say what the query calls, and with the superuser's rights.
    """
    cursor.execute("SELECT conbin::text FROM pg_constraint WHERE contypid <> 0")
    trees = [tree for (tree,) in cursor.fetchall() if tree]
    functions, operators = {0}, {0}
    for tree in trees:
        functions |= {int(oid) for oid in _FUNCTION.findall(tree)}
        operators |= {int(oid) for oid in _OPERATOR.findall(tree)}
    refused = _acting(cursor, functions, operators, superuser=True)
    if refused:
        raise QueryError(
            f"This database has a domain whose check calls {refused[0]}, which could act with the "
            "rights of a superuser: connect as a user that is none."
        )


def _parts_of_aggregates(cursor: Any, functions: set[int]) -> set[int]:
    """Return the functions that aggregates consist of."""
    cursor.execute(
        "SELECT unnest(ARRAY[aggtransfn, aggfinalfn, aggcombinefn, aggserialfn, aggdeserialfn, "
        "aggmtransfn, aggminvtransfn, aggmfinalfn])::oid FROM pg_aggregate "
        "WHERE aggfnoid = ANY(%s)",
        [list(functions)],
    )
    return {row[0] for row in cursor.fetchall()}


def _acting(
    cursor: Any, functions: set[int], operators: set[int], *, superuser: bool
) -> Sequence[str]:
    cursor.execute(
        "SELECT p.oid::regprocedure::text FROM pg_proc p JOIN pg_namespace n ON n.oid = "
        "p.pronamespace JOIN pg_language l ON l.oid = p.prolang WHERE (p.oid = ANY(%s) OR p.oid "
        "IN (SELECT oprcode FROM pg_operator WHERE oid = ANY(%s))) AND NOT CASE WHEN n.nspname = "
        "'pg_catalog' THEN (p.provolatile <> 'v' AND p.proname !~ '_to_xml') OR p.proname = "
        "ANY(%s) ELSE p.provolatile <> 'v' AND (l.lanname IN ('c', 'internal') OR NOT %s) END "
        "ORDER BY 1",
        [list(functions), list(operators), list(_HARMLESS), superuser],
    )
    return [row[0] for row in cursor.fetchall()]


def _secrets(cursor: Any, relations: set[int]) -> Sequence[str]:
    cursor.execute(
        "SELECT relname FROM pg_class WHERE oid = ANY(%s) AND relname = ANY(%s) "
        "AND relnamespace = 'pg_catalog'::regnamespace",
        [list(relations), list(_SECRETS)],
    )
    return [row[0] for row in cursor.fetchall()]


def _drop_rights(cursor: Any, role: str | None, *, superuser: bool) -> None:
    """Take the role that the query runs as, and make the transaction read-only."""
    reader = role or _reader(cursor)
    if reader is None and superuser:
        raise QueryError(
            "You are connected as a superuser, whose queries could read the server's files, and "
            f"this server has no role {READER}. Make a role that only reads, and name it: CREATE "
            "ROLE ig4_reader; GRANT SELECT ON ALL TABLES IN SCHEMA public TO ig4_reader; then "
            "--role ig4_reader."
        )
    if reader is not None:
        if superuser:
            # The conditions of others' policies would run before the query's own.
            cursor.execute("SET LOCAL row_security = off")
        cursor.execute('SET LOCAL ROLE "{}"'.format(reader.replace('"', '""')))
        cursor.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
        if cursor.fetchone()[0]:
            raise QueryError(f"--role {reader}: that is a superuser; name a role that only reads.")
    cursor.execute("SET TRANSACTION READ ONLY")
    cursor.execute("SELECT 1")  # after a query, a transaction cannot be made writable again


def _reader(cursor: Any) -> str | None:
    """Return the role that only reads, if the server has it and the user may take it."""
    cursor.execute(
        "SELECT 1 FROM pg_roles WHERE rolname = %s AND pg_has_role(oid, 'MEMBER')", [READER]
    )
    if cursor.fetchone() is None:
        return None
    import psycopg

    cursor.execute("SAVEPOINT ig4_role")
    try:
        cursor.execute(f"SET LOCAL ROLE {READER}")
    except psycopg.errors.InsufficientPrivilege:  # a member that may not become it
        return None
    finally:
        cursor.execute("ROLLBACK TO SAVEPOINT ig4_role")
    return READER


def _declare(cursor: Any, sql: str) -> None:
    # A prepared statement is one statement: nothing can follow the query.
    cursor.execute(f"DECLARE ig4_query NO SCROLL CURSOR FOR {sql}".encode(), prepare=True)


def _rows(cursor: Any, timeout: float) -> Iterator[Sequence[Any]]:
    size, spent = _FIRST_ROWS, 0.0
    while True:
        began = monotonic()
        cursor.execute(f"FETCH FORWARD {size} FROM ig4_query")
        rows = cursor.fetchall()
        took = monotonic() - began
        spent += took
        yield from rows
        if len(rows) < size:
            return
        if timeout and spent > timeout:
            raise timed_out(timeout)
        size = min(size * 2, _MOST_ROWS) if took < _QUICK else max(size // 2, 1)


def _message(error: Any, sql: str, where: str) -> str:
    import psycopg

    text = error.diag.message_primary or str(error) or type(error).__name__
    first = text.strip().splitlines()[0].rstrip(".")
    if isinstance(error, psycopg.errors.ReadOnlySqlTransaction):
        return f"The database refused this: {first}. `ig4 query` only reads."
    if "temporary tables" in first or "during recovery" in first:
        return (
            f"{where}: {first}. `ig4 query` checks a query as a temporary view, which is rolled "
            "back: GRANT TEMPORARY ON DATABASE … TO your role, and ask the primary server."
        )
    if "data-modifying" in first or "INTO is not allowed" in first:
        return f"The database refused this: {first}. `ig4 query` only reads."
    if isinstance(error, psycopg.errors.SyntaxError):
        words = [
            match[1].upper() for match in (_FIRST_WORD.match(sql), _NEAR.search(first)) if match
        ]
        command = next((word for word in words if word in _COMMANDS), None)
        if command is not None:
            return (
                f"The database refused this: {command} is no query. `ig4 query` only reads, with "
                "one SELECT, VALUES, TABLE or WITH."
            )
        return (
            f"{first}. `ig4 query` runs one SELECT, VALUES, TABLE or WITH query, and only reads; "
            "`ig4 query --examples` shows queries that work."
        )
    return f"{first}. `ig4 query --examples` shows queries that work."
