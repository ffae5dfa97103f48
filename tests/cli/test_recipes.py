"""`ig4 recipes`: the methods that there are, and what each sets."""

from __future__ import annotations

import json
import tomllib

from click.testing import CliRunner

from ig4.cli.main import cli
from ig4.core.config import build, recipe_values


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
