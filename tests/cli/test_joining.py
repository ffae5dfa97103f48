"""`ig4 db merge` and `ig4 db copy` as a user runs them: nothing is computed or paid for twice."""

from __future__ import annotations

import gc
import json
import sqlite3
from contextlib import closing

import pytest

from ig4.cli.main import main

from ..harbour import write_data


@pytest.fixture
def ig4(tmp_path, monkeypatch, capsys):
    """Run `ig4` to its end in this process; return its exit code, output and messages."""
    monkeypatch.chdir(tmp_path)
    thresholds = gc.get_threshold()

    def run(*arguments):
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(list(map(str, arguments)))
        return ended.value.code, *capsys.readouterr()

    yield run
    gc.set_threshold(*thresholds)


def printed(result):
    code, out, err = result
    assert code == 0, err
    return json.loads(out)


def test_what_two_databases_have_scored_is_whole_in_a_third(ig4, tmp_path):
    write_data(tmp_path / "data")
    for name, scorer in (("one.db", "length"), ("two.db", "ending")):
        assert ig4("ingest", "data/llava.json", "--name", "harbour", "--db", name)[0] == 0
        assert ig4("score", "--scorers", scorer, "--db", name)[0] in (0, 3)
    merged = printed(ig4("db", "merge", "one.db", "two.db", "--db", "all.db", "--json"))
    assert [one["datasets"] for one in merged["merged"]] == [
        {"harbour": "harbour (taken over)"}, {"harbour": "harbour"},
    ]  # fmt: skip
    scored = printed(ig4("score", "--scorers", "length,ending", "--db", "all.db", "--json"))
    assert scored["scored"] == {"length": 0, "ending": 0}
    assert ig4("db", "check", "--db", "all.db")[0] == 0


def test_a_plan_makes_no_database(ig4, harbour, tmp_path):
    code, out, _ = ig4("db", "merge", harbour / "ig4.db", "--db", "new.db", "--dry-run")
    assert code == 0
    assert "rows would be taken over" in out
    assert not (tmp_path / "new.db").exists()


def test_the_rule_for_conflicts_is_told(ig4, harbour, tmp_path):
    assert ig4("db", "copy", "--db", harbour / "ig4.db", "--to", "mine.db")[0] == 0
    with closing(sqlite3.connect(tmp_path / "mine.db")) as connection, connection:
        connection.execute(
            "UPDATE scores SET value = 5, crc = NULL WHERE content_id = 5 AND value IS NOT NULL"
        )
    code, out, _ = ig4("db", "merge", harbour / "ig4.db", "--db", "mine.db")
    assert code == 0
    assert "conflicts: what is here stays, unless it is a failure" in out


@pytest.mark.parametrize("missing", ["db merge none.db", "db copy --db none.db --to x.db"])
def test_a_missing_database_is_one_line_and_makes_nothing(ig4, tmp_path, missing):
    code, out, err = ig4(*missing.split())
    assert (code, out) == (1, "")
    assert "There is no score database at" in err
    assert "Traceback" not in err
    assert list(tmp_path.glob("*.db")) == []


def test_commands_do_the_same_on_a_copy(ig4, harbour, tmp_path):
    original = harbour / "ig4.db"
    copied = printed(ig4("db", "copy", "--db", original, "--to", "copy.db", "--json"))
    assert copied["rows"]["scores"] > 200
    assert copied["target"] == str(tmp_path / "copy.db")
    asked = ("select", "--size", "9", "--weights", "gpt=0.7,look=0.3", "--json", "--db")
    first, second = (printed(ig4(*asked, place)) for place in (original, "copy.db"))
    assert first == second
    scored = printed(ig4("score", "--scorers", "length", "--db", "copy.db", "--json"))
    assert scored["scored"] == {"length": 0}


def test_a_target_that_holds_something_is_refused(ig4, harbour):
    assert ig4("db", "copy", "--db", harbour / "ig4.db", "--to", "copy.db")[0] == 0
    code, _, err = ig4("db", "copy", "--db", harbour / "ig4.db", "--to", "copy.db")
    assert code == 1
    assert "is not empty" in err
    assert "ig4 db merge" in err


@pytest.mark.slow
def test_replies_that_a_colleague_paid_for_are_not_paid_for_again(ig4, llm_server, tmp_path):
    pytest.importorskip("openai")
    rows = [{"image_id": f"c{n}", "caption": f"Caption {n}: a dog."} for n in range(12)]
    (tmp_path / "filter_cap.json").write_text(json.dumps({"annotations": rows}))
    for name, folder in (("theirs.db", "boats"), ("mine.db", "ships")):
        assert ig4("ingest", "filter_cap.json", "--name", folder, "--db", name)[0] == 0
    ask = ("score", "--scorers", "gpt", "-o", "gpt.model=gpt-4o-mini", "--json", "--no-check")
    paid = printed(ig4(*ask, "--db", "theirs.db"))
    assert paid["calls"] == 12
    assert ig4("db", "merge", "theirs.db", "--db", "mine.db")[0] == 0
    again = printed(ig4(*ask, "--db", "mine.db"))
    assert again.get("calls", 0) == 0
    values = ("query", "SELECT external_id, gpt FROM scores_wide ORDER BY 1", "--json", "--db")
    assert printed(ig4(*values, "mine.db")) == printed(ig4(*values, "theirs.db"))
    # Scores that are lost come from the ledger.
    with closing(sqlite3.connect(tmp_path / "mine.db")) as connection, connection:
        connection.execute("DELETE FROM scores")
    again = printed(ig4(*ask, "--db", "mine.db"))
    assert again.get("calls", 0) == 0
    assert printed(ig4(*values, "mine.db")) == printed(ig4(*values, "theirs.db"))
    for name in ("theirs.db", "mine.db"):
        assert b"canary" not in (tmp_path / name).read_bytes()
