"""`ig4 groups`: names, sizes, means of scores, and the share of variance between groups."""

from __future__ import annotations

import json

import pytest

import ig4
from ig4.core.events import Notice


@pytest.fixture
def data(tmp_path, ig4, monkeypatch):
    """A stored data set whose lengths tell the kinds, with imported scores that do not."""
    monkeypatch.chdir(tmp_path)
    rows = [
        {"id": f"{kind}{n}", "question": question, "answer": answer, "metadata": {"n": n % 2}}
        for n in range(30)
        for kind, question, answer in (
            ("c", "what color is it?", "red"),
            ("d", "describe the image.", "A red circle lies on a blue table. It is small."),
        )
    ]
    (tmp_path / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    table = "id,even\n" + "".join(f"{row['id']},{row['metadata']['n']}\n" for row in rows)
    (tmp_path / "even.csv").write_text(table)
    assert ig4("ingest", "data.jsonl", "-q")[0] == 0
    assert ig4("score", "--scorers", "length", "-q")[0] == 0
    assert ig4("import-scores", "even.csv", "--as", "even", "--column", "even", "-q")[0] == 0
    return tmp_path


def test_groups_are_shown_with_means_and_what_they_explain(data, ig4):
    code, out, err = ig4("groups", "--by", "form", "-q")
    assert code == 0
    lines = [line.split() for line in out.splitlines()]
    assert lines[0] == ["group", "samples", "share", "even", "length"]
    assert lines[1] == ["describe", "30", "50.0%", "0.5", "47"]
    assert lines[2] == ["what", "color", "30", "50.0%", "0.5", "3"]
    assert ["length", "1"] in lines
    assert "length 1.00 of the variance lies between groups" in err
    assert "even" not in err


def test_json_has_sizes_means_and_eta_squared(data, ig4):
    code, out, _ = ig4("groups", "data", "--by", "form", "--scorers", "even", "--json", "-q")
    told = json.loads(out)
    assert code == 0
    assert told["groups"][0] == {
        "name": "describe", "size": 30, "share": 0.5, "means": {"even": 0.5}
    }  # fmt: skip
    assert told["eta_squared"] == {"even": 0}
    assert (told["samples"], told["without_group"], told["grouper"]) == (60, 0, "form")


def test_options_go_to_the_grouper(data, ig4):
    code, out, _ = ig4("groups", "--by", "source", "-o", "source.key=$.metadata.n", "--json")
    assert code == 0
    assert [(one["name"], one["size"]) for one in json.loads(out)["groups"]] == [
        ("0", 30),
        ("1", 30),
    ]
    code, _, err = ig4("groups", "--by", "form", "-o", "source.key=x")
    assert code == 2
    assert "'source' is not used here" in err


def test_products_take_options_of_their_parts(data, ig4):
    flags = ("-o", "product.of=source,form", "-o", "source.key=$.metadata.n", "--json")
    code, out, _ = ig4("groups", "--by", "product", *flags)
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
def test_what_cannot_be_grouped_is_told_in_a_sentence(data, ig4, flags, told):
    code, out, err = ig4("groups", *flags, "-q")
    assert code in (1, 2)
    assert out == ""
    assert told in err
    assert "Traceback" not in err


def test_the_library_returns_the_same(data):
    heard = []
    found = ig4.groups(
        "ig4.db", by="form", options={"form": {"min_size": 31}}, listeners=[heard.append]
    )
    assert [(group.name, group.size) for group in found.groups] == [("rest (groups under 31)", 60)]
    assert found.eta_squared["length"] is None
    assert found.groups[0].means == {"length": 25, "even": 0.5}
    assert not [event for event in heard if isinstance(event, Notice)]
