"""Runs one reading query on SQLite: an authorizer allows nothing else, and limits end it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread
from time import monotonic
from typing import TYPE_CHECKING, Any

from ig4.storage.connect import describe
from ig4.storage.errors import QueryError
from ig4.storage.querying.readonly import open_readonly

if TYPE_CHECKING:
    from sqlalchemy import URL

MAX_BYTES = 1 << 26
"""No text or blob of a query may be larger (64 MiB)."""

_MAX_COLUMNS = 500
_MAX_PATTERN = 1000

_STEPS = 20_000
"""After so many steps of SQLite's machine (a millisecond) Python may notice an interrupt."""

_WATCH_SECONDS = 0.05
"""How often it is looked whether a query's time is up. SQLite's own steps are no clock: one of them
may copy megabytes."""

_GRACE_SECONDS = 2.0
"""So long after its time a query may go on: a function of SQLite cannot be stopped in the middle,
and `instr` or `replace` of two long texts, or `printf` of a long one, may take hours."""

_TABLE_FUNCTIONS = (
    "json_each('[]')", "json_tree('[]')", "pragma_table_info('x')", "pragma_table_xinfo('x')",
    "pragma_table_list", "pragma_index_list('x')", "pragma_index_info('x')",
    "pragma_foreign_key_list('x')",
)  # fmt: skip
"""Functions that are tables. SQLite declares them when they are first used, which takes rights
that a query does not get."""

_PRAGMAS = {
    "table_info", "table_xinfo", "table_list", "index_list", "index_info", "index_xinfo",
    "foreign_key_list", "database_list", "compile_options", "function_list", "pragma_list",
    "collation_list", "module_list",
}  # fmt: skip
"""Pragmas that only tell; as functions (`pragma_table_info('scores')`) they take an argument."""

_FUNCTIONS = {"load_extension", "fts3_tokenizer", "readfile", "writefile", "edit", "lsdir"}
"""Functions that open files or load code; some builds of SQLite have them."""

_ACTIONS = {
    getattr(sqlite3, f"SQLITE_{name}"): name.replace("_", " ")
    for name in (
        "ALTER_TABLE", "ANALYZE", "ATTACH", "CREATE_INDEX", "CREATE_TABLE", "CREATE_TEMP_INDEX",
        "CREATE_TEMP_TABLE", "CREATE_TEMP_TRIGGER", "CREATE_TEMP_VIEW", "CREATE_TRIGGER",
        "CREATE_VIEW", "CREATE_VTABLE", "DELETE", "DETACH", "DROP_INDEX", "DROP_TABLE",
        "DROP_TEMP_INDEX", "DROP_TEMP_TABLE", "DROP_TEMP_TRIGGER", "DROP_TEMP_VIEW", "DROP_TRIGGER",
        "DROP_VIEW", "DROP_VTABLE", "INSERT", "PRAGMA", "REINDEX", "SAVEPOINT", "TRANSACTION",
        "UPDATE",
    )
}  # fmt: skip


_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


@contextmanager
def query_sqlite(
    url: URL, sql: str, timeout: float, give_up: Callable[[QueryError], None] | None = None
) -> Iterator[tuple[Sequence[str], Iterator[Sequence[Any]], str | None]]:
    """Yield the column names of a query, its rows, and a note about the file, if there is one.

    `give_up` is called, in another thread, where the time is up and SQLite cannot be stopped.

    Raises:
        QueryError: the query is not valid, does more than read, takes SQLite longer than `timeout`
            seconds (0: as long as it takes), or makes a value that is larger than MAX_BYTES.
        StorageError: the file cannot be read.
    """
    with open_readonly(Path(url.database or "")) as file:
        guard = _Guard(timeout, give_up)
        _limit(file.connection, guard)
        watch = Thread(target=guard.watch, args=(file.connection,), daemon=True)
        watch.start()
        try:
            guard.began = monotonic()
            cursor = file.connection.execute(sql)
            guard.spent = monotonic() - guard.began
            columns = [column[0] for column in cursor.description or ()]
            yield columns, guard.rows(cursor), file.note
        except (sqlite3.Error, sqlite3.Warning, UnicodeDecodeError) as error:
            raise guard.explain(error, describe(url)) from None
        finally:
            guard.done.set()
            watch.join()


def _limit(connection: sqlite3.Connection, guard: _Guard) -> None:
    connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_BYTES)
    connection.setlimit(sqlite3.SQLITE_LIMIT_COLUMN, _MAX_COLUMNS)
    connection.setlimit(sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH, _MAX_PATTERN)
    # What a file's own views and defaults may call: nothing with side effects.
    connection.execute("PRAGMA trusted_schema = OFF")
    for function in _TABLE_FUNCTIONS:
        with suppress(sqlite3.OperationalError):  # this build of SQLite lacks it
            connection.execute(f"SELECT 1 FROM {function}").fetchone()
    connection.set_authorizer(guard.authorize)
    connection.set_progress_handler(guard.notice_interrupt, _STEPS)


class _Guard:
    """Says what a query may do, and when its time is up; remembers what it refused."""

    def __init__(self, timeout: float, give_up: Callable[[QueryError], None] | None) -> None:
        self.timeout = timeout
        self.give_up = give_up
        self.refused: str | None = None
        self.spent = 0.0
        self.began: float | None = None
        self.stopped = False
        self.interrupted = False
        self.done = Event()

    def authorize(self, action: int, first: str | None, second: str | None, *_: str | None) -> int:
        """Allow reading and calling functions, but none that opens files, and pragmas that tell."""
        if action in (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_RECURSIVE):
            return sqlite3.SQLITE_OK
        if action == sqlite3.SQLITE_FUNCTION:
            if (second or "").lower() not in _FUNCTIONS:
                return sqlite3.SQLITE_OK
            self.refused = f"the function {second}"
        elif action == sqlite3.SQLITE_PRAGMA and (first or "").lower() in _PRAGMAS:
            return sqlite3.SQLITE_OK
        else:
            self.refused = _ACTIONS.get(action, "this statement")
        return sqlite3.SQLITE_DENY

    def notice_interrupt(self) -> bool:
        """Let Python see an interrupt of the user while SQLite works, and stop SQLite then."""
        try:
            return self.interrupted
        except KeyboardInterrupt:  # SQLite would forget it
            self.interrupted = True
            return True

    def watch(self, connection: sqlite3.Connection) -> None:
        """Stop SQLite when the query's time is up; runs in a thread until `done` is set."""
        while self.timeout and not self.done.wait(_WATCH_SECONDS):
            began = self.began
            if began is None:
                continue
            over = self.spent + monotonic() - began - self.timeout
            if over > 0:
                self.stopped = True
                connection.interrupt()
            if over > _GRACE_SECONDS and self.give_up is not None and not self.done.is_set():
                self.give_up(self._timed_out())
                return

    def _timed_out(self) -> QueryError:
        return QueryError(
            f"The query took longer than {self.timeout:g} s and was stopped: give it more time "
            "with --timeout SECONDS (0: no limit), or let it read less."
        )

    def rows(self, cursor: sqlite3.Cursor) -> Iterator[Sequence[Any]]:
        """Yield the rows of a query; a reader of them may take as long as it likes."""
        row: Sequence[Any] | None = ()
        while row is not None:
            self.began = monotonic()
            row = cursor.fetchone()
            self.spent += monotonic() - self.began
            self.began = None
            if row is not None:
                yield row

    def explain(self, error: Exception, where: str) -> BaseException:
        """Return the error to raise for an error of SQLite."""
        text = str(error).rstrip(".")
        if self.interrupted:
            return KeyboardInterrupt()
        if self.stopped:
            return self._timed_out()
        if self.refused is not None:
            return QueryError(
                f"The database refused this: {self.refused} is not allowed. `ig4 query` only reads."
            )
        if "too big" in text:
            return QueryError(
                f"{text}: no value of a query may be larger than {MAX_BYTES:,} bytes."
            )
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGED:  # not: malformed JSON
            return QueryError(f"{where} is damaged ({text}): see `ig4 db check`.")
        return QueryError(f"{text}. `ig4 query --examples` shows queries that work.")
