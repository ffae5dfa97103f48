"""Recipes: settings by the name of a method, from ig4 and from third parties."""

from __future__ import annotations

import pytest

from ig4.core.config import build, load, recipe_values
from ig4.core.errors import ConfigError, PluginError
from ig4.core.host.host import Host
from ig4.core.host.recipes import find_recipe, recipe_settings

MODULE = """
from ig4.core.contracts import Recipe
from ig4.core.hookspecs import hookimpl
from ig4.core.records import Component

class Mine(Recipe):
    source = "nowhere"
    def settings(self):
        return {body}

@hookimpl
def ig4_components():
    return [Component("recipe", "mine", "mine:Mine", "A recipe.", api=2)]
"""


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """Install a recipe whose settings are the given Python."""

    def _install(body):
        info = tmp_path / "ig4_mine-1.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: ig4-mine\nVersion: 1\n")
        (info / "entry_points.txt").write_text("[ig4]\nmine = mine\n")
        (tmp_path / "mine.py").write_text(MODULE.replace("{body}", body))
        monkeypatch.syspath_prepend(tmp_path)
        import sys

        monkeypatch.delitem(sys.modules, "mine", raising=False)

    return _install


def test_the_papers_recipe_is_its_settings():
    assert build(recipe_values("paper")).select.weights == {
        "clip": 0.53, "length": 0.10, "reward": 0.10, "gpt": 0.27,
    }  # fmt: skip
    assert "2308.12067" in type(find_recipe("paper")).source


def test_every_built_in_recipe_names_components_that_there_are():
    host = Host.discover()
    known = {
        kind: {one.component.name for one in host.components(kind)}
        for kind in ("scorer", "selector", "embedder", "clusterer")
    }
    for registered in host.components("recipe"):
        config = build(recipe_settings(registered.component.name, host))
        assert config.select.selector in known["selector"], registered
        assert _used(config.run.scorers, config.scorers) <= known["scorer"], registered
        spaces = {*config.run.spaces, *config.embedders}
        assert _used(spaces, config.embedders) <= known["embedder"], registered
        assert config.cluster.clusterer in known["clusterer"] | {"none"}, registered


def _used(names, tables):
    """Return the components behind these names, which a table may give to one with options."""
    return {tables.get(name, {}).get("use", name) for name in names}


def test_a_recipe_of_a_third_party_is_laid_under_the_users_settings(mine):
    mine('{"select": {"selector": "topk", "size": 5}, "run": {"scorers": ["length"]}}')
    config = load(flags={"select": {"size": 9}}, recipe="mine")
    assert (config.select.selector, config.select.size) == ("topk", 9)
    assert config.run.scorers == ("length",)


def test_an_unknown_recipe_is_named_with_those_that_there_are():
    with pytest.raises(ConfigError, match=r"unknown recipe 'balancd'; did you mean balanced\?"):
        recipe_settings("balancd")


def test_a_recipe_that_fails_is_named(mine):
    mine("1 / 0")
    with pytest.raises(PluginError, match=r"recipe mine gives no settings .ZeroDivisionError"):
        recipe_settings("mine")


def test_a_recipe_says_nothing_of_where_data_lies(mine):
    mine('{"db": "elsewhere.db", "select": {"selector": "topk"}}')
    with pytest.raises(PluginError, match="recipe mine sets db: a recipe may set run, scorers"):
        recipe_settings("mine")


def test_a_recipe_whose_settings_are_no_configuration_is_refused(mine):
    mine('{"select": {"selectr": "topk"}}')
    with pytest.raises(ConfigError, match=r"unknown key select\.selectr; did you mean selector"):
        load(flags={}, recipe="mine")
