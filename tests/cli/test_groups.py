"""`ig4 groups`: names, sizes, means of scores, and the share of variance between groups."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

import ig4
from ig4.cli.main import cli, main
from ig4.core.events import Notice


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    """A stored data set whose lengths tell the kinds, with imported scores that do not."""
    folder = tmp_path_factory.mktemp("groups")
    rows = [
        {"id": f"{kind}{n}", "question": question, "answer": answer, "metadata": {"n": n % 2}}
        for n in range(30)
        for kind, question, answer in (
            ("c", "what color is it?", f"red {n:02}"),
            ("d", "describe the image.", f"A red circle lies at {n:02}. It is small."),
        )
    ]
    (folder / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    table = "".join(f"{row['id']},{row['metadata']['n']}\n" for row in rows)
    (folder / "even.csv").write_text(f"id,even\n{table}")
    place = str(folder / "ig4.db")
    for line in (
        f"ingest {folder}/data.jsonl --name data",
        "score --scorers length",
        f"import-scores {folder}/even.csv --as even --column even",
    ):
        done = CliRunner().invoke(cli, [*line.split(), "--db", place])
        assert done.exit_code == 0, done.output
    return place


@pytest.fixture
def run(database, capsys, monkeypatch, tmp_path):
    """Run a command as the shell does: its exit code, output and errors."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IG4_DB", database)

    def _run(*arguments):
        with pytest.raises(SystemExit) as stop:
            main(list(arguments))
        return (stop.value.code, *capsys.readouterr())

    return _run


def test_groups_are_shown_with_means_and_what_they_explain(run):
    code, out, err = run("groups", "--by", "form")
    assert code == 0
    lines = [line.split() for line in out.splitlines()]
    assert lines[0] == ["group", "samples", "share", "even", "length"]
    assert lines[1] == ["describe", "30", "50.0%", "0.5", "37"]
    assert lines[2] == ["what", "color", "30", "50.0%", "0.5", "6"]
    assert ["length", "1"] in lines
    assert "most of the variance of length (1.00) lies between groups" in err
    assert "of even" not in err


def test_json_has_sizes_means_and_eta_squared(run):
    code, out, _ = run("groups", "data", "--by", "form", "--scorers", "even", "--json", "-q")
    told = json.loads(out)
    assert code == 0
    assert told["groups"][0] == {
        "name": "describe", "size": 30, "share": 0.5, "means": {"even": 0.5}
    }  # fmt: skip
    assert told["eta_squared"] == {"even": 0}
    assert (told["samples"], told["without_group"], told["grouper"]) == (60, 0, "form")


def test_options_go_to_the_grouper(run):
    code, out, _ = run("groups", "--by", "source", "-o", "source.key=$.metadata.n", "--json")
    assert code == 0
    assert [(one["name"], one["size"]) for one in json.loads(out)["groups"]] == [
        ("0", 30),
        ("1", 30),
    ]
    code, _, err = run("groups", "--by", "form", "-o", "source.key=x")
    assert code == 2
    assert "'source' is not used here" in err


def test_products_take_options_of_their_parts(run):
    flags = ("-o", "product.of=source,form", "-o", "source.key=$.metadata.n", "--json")
    code, out, _ = run("groups", "--by", "product", *flags)
    assert code == 0
    names = {one["name"]: one["size"] for one in json.loads(out)["groups"]}
    # fifteen of each combination are fewer than twenty, and join by source
    assert names == {"0": 30, "1": 30}


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (("--by", "source", "-o", "source.key=$.metadata.kind"), "where it ends, is the keys n"),
        (("--by", "source", "-o", "source.key=kind"), "tells no 'kind' of its samples"),
        (("--by", "clusters"), "run `ig4 cluster`"),
        (("--by", "clusters", "-o", "clusters.space=sentences"), "no space sentences"),
        (("--by", "forms"), "forms"),
        (("--scorers", "clip"), "no scores called 'clip'"),
        (("--by", "form", "-o", "form.min_size=0"), "min_size"),
        (("--by", "product", "-o", "product.of=form"), "of"),
    ],
)
def test_what_cannot_be_grouped_is_told_in_a_sentence(run, flags, told):
    code, out, err = run("groups", *flags, "-q")
    assert code in (1, 2)
    assert out == ""
    assert told in err
    assert "Traceback" not in err


def test_the_library_returns_the_same(database):
    heard = []
    found = ig4.groups(
        database, by="form", options={"form": {"min_size": 31}}, listeners=[heard.append]
    )
    assert [(group.name, group.size) for group in found.groups] == [("rest (groups under 31)", 60)]
    assert found.eta_squared["length"] is None
    assert found.groups[0].means == {"length": 21.5, "even": 0.5}
    assert not [event for event in heard if isinstance(event, Notice)]


def test_the_data_set_is_named_either_way_but_not_twice_differently(run):
    for named in (("--dataset", "data"), ("data",), ("data", "--dataset", "data")):
        code, out, _ = run("groups", *named, "--by", "form", "--json", "-q")
        assert (code, json.loads(out)["dataset"]) == (0, "data")
    code, _, err = run("groups", "data", "--dataset", "other")
    assert code == 2
    assert "two data sets are named, data and --dataset other: give one of them" in err
