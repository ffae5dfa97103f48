"""`ig4 init` writes a file that names every setting there is."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner
from pydantic import BaseModel

from ig4.cli.main import cli
from ig4.core.config import ArmSection, Config, PriceSection, build, load
from ig4.plugins.builtin import COMPONENTS

_TABLE = re.compile(r"^(?:# )?\[([^\]]+)\]", re.MULTILINE)


@pytest.fixture
def written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert CliRunner().invoke(cli, ["init"]).exit_code == 0
    return Path("ig4.toml").read_text(encoding="utf-8")


def tables(text):
    """The text under the header of each table, commented or not."""
    parts = _TABLE.split(text)
    return {"": parts[0]} | dict(zip(parts[1::2], parts[2::2], strict=True))


def sections():
    """The tables of the configuration that have keys of their own, and these keys."""
    for name, field in Config.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield name, field.annotation
    yield 'prices."my-model"', PriceSection
    yield "ablate.arms.longest", ArmSection


@pytest.mark.parametrize(
    ("table", "key"),
    [(name, key) for name, section in sections() for key in section.model_fields] + [("", "db")],
)
def test_every_key_is_in_the_template(written, table, key):
    known = tables(written)
    is_table = any(name == f"{table}.{key}" or name.startswith(f"{table}.{key}.") for name in known)
    assert is_table or re.search(rf"(^|# |or ){key} = ", known[table], re.MULTILINE)


def test_what_is_commented_is_valid_too(written):
    lines = [
        line.removeprefix("# ") if re.match(r"# (\[|\w+ = )", line) else line
        for line in written.splitlines()
    ]
    config = build(tomllib.loads("\n".join(lines)))
    assert config.export.problems == "leave"
    assert config.ablate.arms["longest"].selector == "topk"


def test_no_component_table_is_left_out_of_the_template_that_users_must_know(written):
    assert {"scorers.clip", "scorers.gpt", "trainers.minigpt4", "benchmarks.vqa"} <= set(
        tables(written)
    )


RECIPES = [one.name for one in COMPONENTS if one.kind == "recipe"]


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_file_of_a_recipe_says_what_the_recipe_says(recipe, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    wanted = load(recipe=recipe)
    assert CliRunner().invoke(cli, ["init", "--recipe", recipe]).exit_code == 0
    assert load(Path("ig4.toml")) == wanted


def test_the_file_of_a_recipe_still_names_every_default(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    CliRunner().invoke(cli, ["init", "a/b.json", "--recipe", "balanced"])
    text = Path("ig4.toml").read_text(encoding="utf-8")
    assert '\nselector = "balanced" ' in text
    assert "\n# k = 10\n" in text
    assert "\n[embedders.clip-answer]\n" in text
    assert tomllib.loads(text)["dataset"]["path"] == "a/b.json"
    lines = [re.sub(r"^# (?=\[|\w+ = )", "", line) for line in text.splitlines()]
    assert build(tomllib.loads("\n".join(lines))).select.selector == "balanced"


def test_a_recipe_in_a_file_can_be_written_too(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    mine = """[run]
scorers = ["length"]
[scorers.length]
unit = "words"
[scorers."a name"]
use = "length"
[select]
fraction = 0.5
stages = [{ do = "reject", tails = { "a name" = [5, 95] } }]
[selectors.quota.quotas]
"how many" = 5
"\U0001f600 \\u007f" = 1
"""
    Path("mine.toml").write_text(mine, encoding="utf-8")
    wanted = load(recipe="mine.toml")
    assert CliRunner().invoke(cli, ["init", "--recipe", "mine.toml"]).exit_code == 0
    assert load(Path("ig4.toml")) == wanted
