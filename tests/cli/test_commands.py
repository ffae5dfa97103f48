"""What commands print and where they look, run in this process; exit codes are in test_main."""

from __future__ import annotations

import json
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from ig4.cli.main import cli

ROWS = [{"id": f"s{n}", "instruction": "What?", "answer": "word " * (n + 1)} for n in range(6)]
LENGTH = ["--scorers", "length", "--clusterer", "none", "--selector", "topk", "--size", "2"]


@pytest.fixture
def ig4(tmp_path, monkeypatch):
    """Run a command in a folder with `rows.jsonl`; gives its result, stdout and stderr apart."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("IG4_DB", raising=False)
    Path("rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))

    def run(*arguments, **environment):
        return CliRunner().invoke(cli, list(map(str, arguments)), env=environment)

    return run


def json_of(done):
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_a_recipe_serves_a_run_of_fewer_scorers(ig4):
    done = ig4("run", "rows.jsonl", *LENGTH, "--recipe", "paper", "--json")
    assert "the weights of reward count for nothing" in done.stderr
    assert json_of(done)["config"]["weights"] == {"length": 0.1}


def test_a_misspelled_weight_is_refused(ig4):
    done = ig4("run", "rows.jsonl", *LENGTH, "--weights", "lenght=1")
    assert "'lenght', which is not among the scorers (length); did you mean length?" in str(
        done.exception
    )


def test_a_run_maps_the_columns_of_a_table(ig4):
    Path("odd.csv").write_text("key,says\na,short\nb,somewhat longer\n")
    done = ig4("run", "odd.csv", "--columns", "id=key,answer=says", *LENGTH, "--json")
    assert [row["id"] for row in json_of(done)["selected"]] == ["b", "a"]


def test_every_command_takes_the_database_of_ig4_toml(ig4):
    Path("ig4.toml").write_text('db = "other.db"\n')
    assert ig4("ingest", "rows.jsonl").exit_code == 0
    assert ig4("db", "path").stdout.strip() == str(Path("other.db").absolute())
    assert json_of(ig4("query", "SELECT count(*) AS n FROM samples", "--json")) == [{"n": 6}]
    assert json_of(ig4("doctor", "--json"))["database"]["location"].endswith("other.db")
    assert not Path("ig4.db").exists()


def test_the_environment_and_the_flag_lie_over_ig4_toml(ig4):
    Path("ig4.toml").write_text('db = "other.db"\n')
    there = ig4("db", "path", IG4_DB="mine.db").stdout
    assert there.strip().endswith("mine.db")
    assert ig4("db", "path", "--db", "flag.db", IG4_DB="mine.db").stdout.strip().endswith("flag.db")


@pytest.mark.slow
def test_a_dry_run_leaves_out_imported_scores_and_clusters(ig4):
    ig4("ingest", "rows.jsonl")
    Path("gpt.csv").write_text("id,score\n" + "".join(f"s{n},{n}\n" for n in range(6)))
    Path("clusters.json").write_text(json.dumps({"0": [f"s{n}" for n in range(6)]}))
    assert ig4("import-scores", "gpt.csv", "--as", "gpt", "--column", "score").exit_code == 0
    assert ig4("import-clusters", "clusters.json", "--as", "spectral").exit_code == 0
    report = ig4("run", "--scorers", "gpt,length", "--dry-run", "--json")
    assert json_of(report)["calls"] == {"length": 6}


def test_a_dry_run_of_scoring_is_a_table_or_json(ig4):
    ig4("ingest", "rows.jsonl")
    dry = ["score", "--scorers", "length", "--dry-run"]
    assert "not known" in ig4(*dry).stdout
    assert json_of(ig4(*dry, "--json"))["calls"] == {"length": 6}
    ig4("score", "--scorers", "length", "--quiet")
    assert json_of(ig4(*dry, "--json"))["calls"] == {"length": 0}


def test_examples_are_listed_for_people_and_programs(ig4):
    from ig4.storage.querying.query import EXAMPLES

    assert [row["sql"] for row in json_of(ig4("query", "--examples", "--json"))] == [
        sql for _, sql in EXAMPLES
    ]
    assert all(question in ig4("query", "--examples").stdout for question, _ in EXAMPLES)


def test_the_database_is_counted_backed_up_and_found_up_to_date(ig4):
    ig4("run", "rows.jsonl", *LENGTH, "--quiet")
    assert json_of(ig4("db", "stats", "--json"))["rows"]["samples"] == 6
    assert "up to date" in ig4("db", "upgrade").stdout
    saved = json_of(ig4("db", "backup", "--json"))
    sql = "SELECT count(*) AS n FROM selected_samples"
    assert json_of(ig4("query", sql, "--json", "--db", saved["path"])) == [{"n": 2}]
    assert saved["bytes"] == Path(saved["path"]).stat().st_size
    assert saved["verified"] == ["pages and indexes", "number of rows of each table"]
    assert saved["rows"]["samples"] == 6


def test_what_the_system_refuses_is_one_line(ig4, capsys):
    from ig4.cli.main import main

    ig4("ingest", "rows.jsonl")
    with pytest.raises(SystemExit) as stop:
        main(["db", "backup", "rows.jsonl/below/copy.db"])
    report = capsys.readouterr().err
    assert (stop.value.code, report.count("\n")) == (1, 1)
    assert "rows.jsonl" in report


def commands(command, name=("ig4",), above=""):
    """Yield the names and the help of each command, with that of the group it is in."""
    shown = above + (command.epilog or "")
    if isinstance(command, click.Group):
        for one in command.list_commands(click.Context(command)):
            below = command.get_command(click.Context(command), one)
            yield from commands(below, (*name, one), shown if command is not cli else "")
    if command is not cli:
        yield " ".join(name), shown


@pytest.mark.parametrize(("name", "epilog"), [pytest.param(*c, id=c[0]) for c in commands(cli)])
def test_the_help_of_every_command_has_examples(name, epilog):
    examples = [line.strip() for line in epilog.splitlines() if line.startswith("  ig4 ")]
    group = name.rpartition(" ")[0] if name.count(" ") > 1 else name
    assert any(line.startswith(group) for line in examples)


HOSTILE = "\x1b]0;owned\x07\x9b31m[red]"


def test_text_of_a_data_set_gives_the_terminal_no_orders(ig4):
    row = {"id": HOSTILE, "answer": "a b", "image": f"{HOSTILE}.png"}
    Path("rows.jsonl").write_text(json.dumps(row) + "\n")
    read = ig4("ingest", "rows.jsonl")
    assert "the image file is missing" in read.stderr
    listed = ig4("query", "SELECT external_id FROM samples")
    as_json = ig4("query", "SELECT external_id FROM samples", "--json")
    for text in (read.stderr, listed.stdout, as_json.stdout):
        assert not {"\x1b", "\x07", "\x9b"} & set(text)
        assert "[red]" in text
    assert json_of(as_json) == [{"external_id": HOSTILE}]


def test_wide_and_unbreakable_spaces_are_shown_as_they_are(ig4):
    ig4("ingest", "rows.jsonl")
    shown = ig4("query", "SELECT 'a\u00a0b\u3000c\td' AS text").stdout
    assert "a\u00a0b\u3000c d" in shown


def test_an_error_gives_the_terminal_no_orders(ig4, capsys):
    from ig4.cli.main import main

    Path(f"{HOSTILE}.json").write_text("[")
    with pytest.raises(SystemExit):
        main(["ingest", f"{HOSTILE}.json"])
    report = capsys.readouterr().err
    assert "[red].json" in report
    assert not {"\x1b", "\x07", "\x9b"} & set(report)


def test_a_query_s_json_keeps_columns_of_one_name_and_numbers_json_lacks(ig4):
    ig4("ingest", "rows.jsonl")
    report = json_of(ig4("query", "SELECT 1 AS n, 2 AS n, 9e999 AS big", "--json"))
    assert report == [{"n": 1, "n:2": 2, "big": "inf"}]


@pytest.mark.parametrize(
    "path", ["data/😀", 'a "quoted" one', "C:\\data\\new", "tab\there", "del\x7f"]
)
def test_init_writes_any_path_so_that_it_is_read_back(ig4, path):
    from ig4.core.config import load

    assert ig4("init", path).exit_code == 0
    assert load().dataset.path == Path(path)


def test_an_option_of_the_format_lies_over_the_flag_of_the_same_name(ig4):
    Path("old.jsonl").write_bytes(
        '{"id": "a", "instruction": "Was?", "answer": "Größe"}\n'.encode("latin-1")
    )
    done = ig4("ingest", "old.jsonl", "--encoding", "utf-8", "-o", "encoding=latin-1", "--json")
    assert json_of(done)["samples"] == 1


def test_a_dry_run_prints_the_plan_and_what_it_takes(ig4):
    printed = ig4("run", "rows.jsonl", *LENGTH, "--dry-run").stdout
    assert "selection  2 samples by topk" in printed
    assert "clusters   none" in printed
    assert "weights    by default" in printed
    weighted = ig4("run", "rows.jsonl", *LENGTH, "--weights", "length=0.5", "--dry-run")
    assert "weights    length 0.5" in weighted.stdout
    report = json_of(ig4("run", "rows.jsonl", *LENGTH, "--dry-run", "--json"))
    assert report["plan"]["selection"]["size"] == 2
    assert (report["plan"]["clustering"], report["calls"]) == (None, {"length": 6})
    assert not Path("ig4.db").exists()
