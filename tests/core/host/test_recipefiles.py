"""Recipes in files: the same as those with a name, and refused in words where they are wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from ig4.core.config import build, load, recipe_file, recipe_values
from ig4.core.engine.ablating.arms.arm import Inventory, expand_arms
from ig4.core.errors import ConfigError
from ig4.core.host.recipes import is_recipe_file, recipe_label

GOOD = """
[run]
scorers = ["length"]
[select]
selector = "mine"
scale = "percentile"
[select.weights]
length = -1.0
[selectors.mine]
use = "topk"
[learned]
benchmarks = ["dev"]
"""


@pytest.fixture
def recipe(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def write(text, name="mine.toml"):
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return str(path)

    return write


@pytest.mark.parametrize(
    ("name", "is_file"),
    [
        ("learned.toml", True), ("./learned", True), ("/tmp/x", True), ("~/x", True),
        ("balanced", False), ("ig4/balanced", False),
    ],
)  # fmt: skip
def test_a_file_is_told_from_a_name(name, is_file):
    assert is_recipe_file(name) is is_file


def test_a_file_lies_under_the_users_settings(recipe):
    config = load(flags={"select": {"size": 9}}, recipe=recipe(GOOD))
    assert config.select.weights == {"length": -1.0}
    assert config.choice("selector", config.select.selector).use == "topk"
    assert config.select.size == 9


def test_what_a_recipe_was_learned_from_sets_nothing(recipe):
    settings, learned = recipe_file(Path(recipe(GOOD)))
    assert learned == {"benchmarks": ["dev"]}
    assert build(settings).select.scale == "percentile"


def test_paths_of_options_start_at_the_file(recipe):
    recipe("hello", "there/prompt.txt")
    name = recipe('[scorers.gpt]\nprompt = "prompt.txt"\n', "there/mine.toml")
    assert recipe_values(name)["scorers"]["gpt"]["prompt"] == "there/prompt.txt"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the recipe mine.toml sets nothing: it may set run, scorers"),
        ("[learned]\nn = 1", "sets nothing"),
        ("[export]\npath = 'x'", "the recipe mine.toml sets export: it may set run"),
        ("[select]\nselectr = 'topk'", "the recipe mine.toml: unknown key select.selectr; did you"),
        ("[select", "mine.toml is not valid TOML"),
        ("[scorers.gpt]\napi_key = 'sk-12345678901234567890abcd'", "holds a key or a password"),
    ],
)
def test_a_file_that_is_no_recipe_is_refused(recipe, text, message):
    with pytest.raises(ConfigError, match=message.replace(".", r"\.")):
        recipe_values(recipe(text))


def test_a_file_that_is_not_there_is_named():
    with pytest.raises(ConfigError, match=r"there is no nowhere\.toml: `ig4 recipes` lists"):
        recipe_values("nowhere.toml")


def test_arms_take_files_and_are_called_by_their_names_alone(recipe):
    name = recipe(GOOD, "there/mine.toml")
    (arm,) = expand_arms([f"recipes:{name}"], Inventory(("length",)))
    assert (arm.name, arm.recipe) == ("recipe-mine", name)
    assert recipe_label("balanced") == "balanced"
    config = Path("there/ig4.toml")
    config.write_text('[ablate.arms.a]\nrecipe = "mine.toml"\n[ablate.arms.b]\nrecipe = "paper"\n')
    arms = load(config).ablate.arms
    assert (arms["a"].recipe, arms["b"].recipe) == ("there/mine.toml", "paper")
