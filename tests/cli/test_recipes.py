"""`ig4 recipes`: the methods that there are, and what each sets."""

from __future__ import annotations

import json
import tomllib

import pytest
from click.testing import CliRunner
from PIL import Image

from ig4.cli.main import cli
from ig4.core.config import build, recipe_values
from ig4.core.host.host import Host
from ig4.plugins.builtin import COMPONENTS

NAMES = [one.name for one in COMPONENTS if one.kind == "recipe"]


def run(*arguments):
    return CliRunner().invoke(cli, ["recipes", *arguments])


def test_recipes_are_listed_with_their_source():
    listed = {one["name"]: one for one in json.loads(run("--json").stdout)}
    assert {"paper", "balanced", "random", "deita", "facility-location"} <= set(listed)
    assert "2312.15685" in listed["deita"]["source"]
    assert listed["random"]["state"] == "ready"
    lines = run().stdout.splitlines()
    assert lines[0].split()[0] == "recipe"
    assert any(line.startswith("balanced ") for line in lines)


def test_the_settings_of_a_recipe_are_shown_as_toml_that_says_the_same():
    shown = run("show", "paper").stdout
    settings = tomllib.loads(shown[shown.index("[run]") :])
    assert build(settings) == build(recipe_values("paper"))


def test_settings_of_stages_are_toml_too():
    shown = run("show", "normsim").stdout
    settings = tomllib.loads(shown[shown.index("[run]") :])
    assert build(settings) == build(recipe_values("normsim"))


def test_an_unknown_recipe_is_an_error_with_a_guess():
    result = run("show", "papr")
    assert result.exit_code != 0
    assert "did you mean paper?" in str(result.exception)


BASELINES = {"topk", "quota", "random"}
"""Selectors that are no method of their own: `quota` is the paper's, `topk` any score's."""


def test_every_selector_that_is_a_method_is_a_recipe():
    host = Host.discover()
    selectors = {one.component.name for one in host.components("selector")} - BASELINES
    used = {recipe_values(name)["select"]["selector"] for name in NAMES}
    assert selectors <= used
    named_alike = selectors - {"capability-style"}  # mmSSR's
    assert named_alike <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_names_scorers_and_weights_that_go_together(name):
    config = build(recipe_values(name))
    scored = set(config.run.scorers)
    assert {weight.partition(".")[0] for weight in config.select.weights} <= scored


def test_longest_counts_tokens_and_leaves_the_papers_length_alone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    # The more short words, the more tokens and the fewer characters.
    answers = [" ".join(["photograph"] * (9 - n) + ["a"] * (2 * n)) for n in range(9)]
    records = [
        {"id": f"s{n}", "instruction": "What?", "answer": answer}
        for n, answer in enumerate(answers)
    ]
    (tmp_path / "set.jsonl").write_text("".join(json.dumps(one) + "\n" for one in records))

    def ig4(*arguments):
        return CliRunner().invoke(cli, [*arguments])

    assert ig4("ingest", "set.jsonl").exit_code == 0
    assert ig4("score", "--scorers", "length").exit_code == 0
    refused = ig4("select", "--recipe", "longest", "--size", "2")
    assert refused.exit_code != 0
    assert "selects by length-tokens, which set does not have" in str(refused.exception)
    assert "`ig4 run --dataset set --recipe longest`" in str(refused.exception)
    assert "ig4 score" not in str(refused.exception)
    made = ig4("run", "--recipe", "longest", "--size", "2", "--json")
    assert made.exit_code == 0, made.output
    chosen = json.loads(ig4("select", "--recipe", "longest", "--size", "2", "--json").stdout)
    assert [one["id"] for one in chosen["selected"]] == ["s8", "s7"]
    assert chosen["config"]["reads"]["columns"] == ["length-tokens"]


OF_THE_USER = {"instructiongpt4-v2": "its checkpoint", "mlm-filter": "scores of its outputs"}
"""Recipes that name what nobody but the user has."""


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """A data set of four samples with pictures, and one without an answer."""
    folder = tmp_path_factory.mktemp("pictures")
    rows = []
    for n, colour in enumerate(["red", "green", "blue", "white", "black"]):
        Image.new("RGB", (20, 20), colour).save(folder / f"{n}.png")
        answer = "" if n == 4 else f"It is {colour}, as you see here."
        rows.append({"id": n, "image": f"{n}.png", "instruction": "Which?", "answer": answer})
    (folder / "set.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


@pytest.mark.parametrize("name", [name for name in NAMES if name not in OF_THE_USER])
def test_a_dry_run_of_a_recipe_counts_what_is_missing(pictures, name, monkeypatch, tmp_path):
    if {one["name"]: one["missing"] for one in json.loads(run("--json").stdout)}[name]:
        pytest.skip("what it needs is not installed")
    monkeypatch.chdir(tmp_path)
    words = ["run", str(pictures / "set.jsonl"), "--recipe", name, "--size", "2", "--k", "2"]
    told = json.loads(
        CliRunner()
        .invoke(cli, [*words, "--dry-run", "--json", "-q"], catch_exceptions=False)
        .stdout
    )
    wanted = {*told["plan"]["scoring"]["scorers"]}
    assert wanted <= set(told["calls"])
    assert all(told["calls"][scorer] in {4, 5} for scorer in wanted)
    assert set(told["seconds"]) == set(told["calls"])
    spaces = {f"embedder {space}" for space in told["plan"]["scoring"]["spaces"]}
    assert spaces <= set(told["calls"])


@pytest.mark.parametrize("named", [",", "", " , "])
def test_a_run_with_no_name_of_a_recipe_is_refused(named):
    done = CliRunner().invoke(cli, ["run", "--recipe", named])
    assert done.exit_code == 2
    assert "name a recipe" in done.output
