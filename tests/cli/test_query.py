"""The forms in which rows are printed: for people, spreadsheets, programs and terminals."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

import ig4
from ig4.cli.main import cli
from ig4.cli.terminal.csvcells import CsvCells, is_formula
from ig4.storage.store import Store

from ..processes import environment


@pytest.fixture
def query(tmp_path, monkeypatch):
    """Run `ig4 query` in a folder with an empty database."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("IG4_DB", raising=False)
    Store.open("ig4.db").close()

    def run(*arguments):
        return CliRunner().invoke(cli, ["query", *arguments])

    return run


FORMULAS = ["=cmd|' /C calc'!A0", "+1+cmd|x", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1"]  # noqa: RUF001


def sql_of(texts):
    return "VALUES " + ", ".join("('{}')".format(text.replace("'", "''")) for text in texts)


def test_a_spreadsheet_finds_no_formula_in_csv_and_what_was_changed_is_told(query):
    done = query("--csv", sql_of([*FORMULAS, "a=b"]))
    cells = [row[0] for row in csv.reader(io.StringIO(done.stdout, newline=""))][1:]
    assert cells == [*("'" + text for text in FORMULAS), "a=b"]
    assert "8 texts" in done.stderr
    assert "--raw" in done.stderr


def test_raw_csv_holds_the_texts_as_they_are(query):
    done = query("--csv", "--raw", sql_of(FORMULAS))
    assert [row[0] for row in csv.reader(io.StringIO(done.stdout, newline=""))][1:] == FORMULAS
    assert done.stderr == ""


def test_numbers_stay_numbers_in_csv(query):
    done = query("--csv", "SELECT -0.5 AS a, '-0.5' AS b, '+1e3' AS c, -7 AS d, NULL AS e, x'00ff'")
    assert done.stdout.splitlines()[1] == "-0.5,-0.5,+1e3,-7,,00ff"
    assert not is_formula("-inf")


def test_a_terminal_gets_no_control_characters_of_a_text():
    cells = CsvCells(raw=True, printable=True)
    assert cells.cell("\x1b[31mred\x9b\u202e") == "�[31mred��"
    assert CsvCells(raw=True).cell("\x1b[31m") == "\x1b[31m"


def test_cells_are_quoted_wherever_a_spreadsheet_may_see_a_border():
    line = CsvCells().line(['a"b', "c;=d", "e,f", "g\rh", "i\tj", 1.5, None, True, "k"])
    assert line == '"a""b","c;=d","e,f","g\rh","i\tj",1.5,,True,k'
    assert CsvCells().line([""]) == '""'
    assert CsvCells().cell({"a": None}) == '"{""a"": null}"'


def test_markdown_escapes_what_would_be_markup(query):
    done = query("--markdown", "SELECT 'a|b' || char(10) || '<b>' AS text, 1.5 AS n")
    assert done.stdout.splitlines() == ["| text | n |", "|---|---:|", "| a\\|b<br>\\<b\\> | 1.5 |"]


def test_lines_show_a_value_each(query):
    done = query("--line", "VALUES ('one', 1), ('two' || char(10) || 'lines', 2)")
    assert done.stdout == "column1  one\ncolumn2  1\n\ncolumn1  two\n         lines\ncolumn2  2\n"


def test_the_schema_says_what_columns_mean(query):
    assert "scores_long: one row a score" in query("--schema").stdout
    report = json.loads(query("--schema", "scores", "--json").stdout)
    assert [table["name"] for table in report] == ["scores"]
    assert {column["name"] for column in report[0]["columns"]} >= {"value", "error"}
    assert "There is no table or view" in str(query("--schema", "nothing").exception)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--csv", "--json"], "--csv and --json"),
        (["--raw"], "--raw goes with --csv"),
        ([], "give an"),
    ],
)
def test_flags_that_do_not_fit_are_refused(query, flags, message):
    done = query(*flags, *(["SELECT 1"] if flags else []))
    assert (done.exit_code, message in done.stderr) == (2, True)


def test_a_role_is_for_postgresql(query):
    assert "has no roles" in str(query("--role", "reader", "SELECT 1").exception)


def test_the_library_gives_rows_by_name_and_takes_an_open_store(query):
    assert ig4.query("SELECT 1 AS n, 2 AS n") == [{"n": 1, "n:2": 2}]
    with ig4.open("ig4.db") as store:
        assert ig4.query("SELECT count(*) AS runs FROM runs", db=store) == [{"runs": 0}]
    with pytest.raises(ig4.Ig4Error, match="only reads"):
        ig4.query("DROP TABLE runs")


WIDE = "SELECT " + ", ".join(f"'some words of column {n}' AS c{n}" for n in range(8))


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no terminals of this kind there")
@pytest.mark.parametrize(
    ("arguments", "wanted", "unwanted"),
    [
        ([WIDE], "c7  some words of column 7", "│"),
        (["SELECT 'short' AS a, 'words' AS b"], "short   words", "a  short"),
        (["--csv", "SELECT char(27) || '[2J' AS a"], "�[2J", "\x1b[2J"),
    ],
)
def test_a_terminal_of_80_columns_shows_what_can_be_read(query, arguments, wanted, unwanted):
    import pty
    import termios

    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    command = [sys.executable, "-m", "ig4.cli.main", "query", *arguments]
    folders = {name: os.environ[name] for name in ("PYTHONPATH",) if name in os.environ}
    done = subprocess.Popen(
        command, stdout=theirs, stderr=subprocess.DEVNULL, cwd=Path.cwd(),
        env={**environment(), **folders, "PYTHONUTF8": "1"},
    )  # fmt: skip
    done.wait(60)
    os.close(theirs)
    shown = os.read(ours, 100_000).decode()
    os.close(ours)
    assert wanted in shown
    assert unwanted not in shown


# SQLite cannot be stopped inside a function; these would take minutes.
ENDLESS = "SELECT instr(zeroblob(60000000), zeroblob(30000000) || x'01')"


def run_alone(tmp_path, *arguments):
    Store.open(tmp_path / "ig4.db").close()
    command = [sys.executable, "-m", "ig4", "query", "--db", tmp_path / "ig4.db", *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=60, env=environment(), check=False
    )


@pytest.mark.slow
@pytest.mark.parametrize("sql", [ENDLESS, "SELECT printf('%.*c', 2000000000, 'x')"])
def test_a_function_that_cannot_be_stopped_ends_with_the_command(tmp_path, sql):
    done = run_alone(tmp_path, "--timeout", "0.2", sql)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("Error: The query took longer than 0.2 s")
    assert done.stderr.count("\n") == 1


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the size of a process")
def test_a_row_larger_than_the_memory_is_an_error_in_one_line(tmp_path):
    values = ", ".join(["zeroblob(60000000)"] * 40)
    done = run_alone(tmp_path, f"SELECT {values}")
    assert (done.returncode, done.stdout) == (2, "")
    assert "do not fit into the memory" in done.stderr
    assert done.stderr.count("\n") == 1
