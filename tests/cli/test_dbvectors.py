"""`ig4 db vectors` as a user runs it: vectors move, and everything works as before."""

from __future__ import annotations

import gc
import json
import shutil

import numpy as np
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


@pytest.fixture
def imported(ig4, tmp_path):
    """A database with a space of vectors; returns how many."""
    write_data(tmp_path / "data")
    assert ig4("ingest", "data/llava.json", "--name", "harbour")[0] == 0
    count = printed(ig4("db", "stats", "--json"))["rows"]["samples"]
    np.save(tmp_path / "v.npy", np.random.default_rng(0).normal(size=(count, 16)).astype("f4"))
    assert ig4("import-vectors", "v.npy", "--as", "mine")[0] == 0
    return count


def printed(result):
    code, out, err = result
    assert code == 0, err
    return json.loads(out)


def clusters(ig4, db):
    """Return the cluster of each sample by the space."""
    given = ("--space", "mine", "--clusterer", "kmeans", "--k", "3", "--db", db)
    assert ig4("cluster", *given)[0] == 0
    sql = "SELECT external_id, cluster FROM scores_wide ORDER BY 1"
    return printed(ig4("query", sql, "--json", "--db", db))


def test_vectors_move_there_and_back_and_clusters_are_the_same(ig4, imported, tmp_path):
    assert ig4("db", "copy", "--to", "other.db")[0] == 0
    moved = printed(ig4("db", "vectors", "--to", "files", "--json"))
    assert moved["folder"] == str(tmp_path / "files")
    (one,) = moved["components"]
    assert (one["component"], one["inside"], one["files"]) == ("mine", 0, 1)
    assert one["outside"] > 0
    found = clusters(ig4, "ig4.db")
    assert found == clusters(ig4, "other.db")
    assert len({row["cluster"] for row in found}) == 3
    assert ig4("db", "check")[0] == 0
    back = printed(ig4("db", "vectors", "--into-database", "--json"))
    assert back["folder"] is None
    assert back["components"][0]["inside"] == one["outside"]
    assert not (tmp_path / "files").exists()


def test_without_an_option_it_shows_where_they_lie(ig4, imported):
    code, out, _ = ig4("db", "vectors")
    assert code == 0
    assert "vectors lie in the database itself" in out
    assert "mine" in out
    code, out, _ = ig4("db", "vectors", "--to", "files")
    assert code == 0
    assert "files" in out.splitlines()[0]


def test_vectors_that_are_imported_later_go_there_too(ig4, imported, tmp_path):
    assert ig4("db", "vectors", "--to", "files")[0] == 0
    count = 7_000
    records = [
        {"id": str(n), "conversations": [{"from": "human", "value": f"q {n}"},
                                         {"from": "gpt", "value": f"a {n}"}]}
        for n in range(count)
    ]  # fmt: skip
    (tmp_path / "more.json").write_text(json.dumps(records))
    np.save(tmp_path / "w.npy", np.ones((count, 64), dtype="f4"))
    assert ig4("db", "vectors", "--to", "files", "--file-mb", "1")[0] == 0
    assert ig4("ingest", "more.json", "--name", "more")[0] == 0
    assert ig4("import-vectors", "w.npy", "--as", "other", "--dataset", "more")[0] == 0
    places = {
        one["component"]: one for one in printed(ig4("db", "vectors", "--json"))["components"]
    }
    assert places["other"]["files"] == 2
    assert places["other"]["outside"] + places["other"]["inside"] == count


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--to", "x", "--compact"], "give only one of"),
        (["--file-mb", "4"], "--file-mb goes with --to"),
        (["--to", "data"], "not empty"),
    ],
)
def test_what_cannot_be_is_said(ig4, imported, options, told):
    code, _, err = ig4("db", "vectors", *options)
    assert code != 0
    assert told in err
    assert "Traceback" not in err


def test_a_folder_that_is_not_there_is_told_in_one_line(ig4, imported, tmp_path):
    assert ig4("db", "vectors", "--to", "files")[0] == 0
    (tmp_path / "files").rename(tmp_path / "away")
    code, _, err = ig4("cluster", "--space", "mine", "--clusterer", "kmeans", "--k", "4")
    assert code == 1
    assert "does not see: mount it there" in err
    assert "Traceback" not in err
    assert ig4("db", "check", "--repair")[0] == 1
    (tmp_path / "away").rename(tmp_path / "files")
    assert ig4("db", "check")[0] == 0
    assert ig4("cluster", "--space", "mine", "--clusterer", "kmeans", "--k", "4")[0] == 0


def test_vectors_of_a_folder_that_is_gone_are_given_up_when_the_user_says_so(
    ig4, imported, tmp_path
):
    assert ig4("db", "vectors", "--to", "files")[0] == 0
    shutil.rmtree(tmp_path / "files")
    code, _, err = ig4("db", "vectors")
    assert code == 1
    assert "ig4 db vectors --lost" in err
    assert ig4("db", "vectors", "--lost")[0] == 2  # nobody can be asked
    code, out, err = ig4("db", "vectors", "--lost", "--yes")
    assert code == 0
    assert "free to be computed again" in err
    assert "in the database itself" in out
    assert ig4("db", "check")[0] == 0
