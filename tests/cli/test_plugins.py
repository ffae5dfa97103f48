"""`ig4 plugins list`, `show` and `check`."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from click.testing import CliRunner

from ig4.cli.plugins import plugins
from ig4.core.errors import UsageError

from ..processes import environment

pytestmark = pytest.mark.slow


@pytest.fixture
def run():
    """Run `ig4 plugins …`; gives click's result."""
    return lambda *arguments: CliRunner().invoke(plugins, arguments)


@pytest.fixture
def with_vowels(plugin_site, monkeypatch):
    monkeypatch.syspath_prepend(plugin_site)


@pytest.fixture
def with_broken(broken_site, monkeypatch):
    monkeypatch.syspath_prepend(broken_site)


def test_without_a_subcommand_it_lists(run):
    assert run().output == run("list").output
    assert run().exit_code == 0
    assert json.loads(run("--json").stdout) == json.loads(run("list", "--json").stdout)


def test_every_component_is_one_line_with_kind_name_and_distribution(run, with_vowels):
    lines = [line.split() for line in run().stdout.splitlines()]
    assert lines[0] == ["kind", "name", "distribution", "state", "summary"]
    assert ["scorer", "vowels", "ig4-vowels", "ok"] in [line[:4] for line in lines]
    assert ["selector", "topk", "ig4", "ok"] in [line[:4] for line in lines]


def test_a_kind_can_be_picked(run):
    listed = json.loads(run("list", "--kind", "selector", "--json").stdout)
    names = [c["name"] for c in listed["components"]]
    assert names == sorted(names)
    assert {"quota", "random", "topk", "balanced"} <= set(names)
    assert {c["kind"] for c in listed["components"]} == {"selector"}


def test_a_missing_library_is_told_with_what_to_install(run, tmp_path, monkeypatch):
    info = tmp_path / "ig4_far-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: ig4-far\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[ig4]\nfar = farmod\n")
    (tmp_path / "farmod.py").write_text(
        "from ig4.core.hookspecs import hookimpl\nfrom ig4.core.records import Component\n"
        "@hookimpl\ndef ig4_components():\n"
        "    return [Component('scorer', 'far', 'farmod:Far', 'Far.', ('no_lib',), 'all')]\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert 'needs pip install "ig4-far[all]"' in run().stdout
    (far,) = [
        c
        for c in json.loads(run("list", "--json").stdout)["components"]
        if c["missing"] == ["no_lib"]
    ]
    assert (far["state"], far["extra"]) == ("missing", "all")


def test_broken_plugins_are_listed_with_their_reason(run, with_broken):
    listed = run()
    assert listed.exit_code == 0
    assert "did you mean ig4_components?" in listed.stdout
    assert {b["entry_point"] for b in json.loads(run("list", "--json").stdout)["broken"]} == {
        "absent",
        "misspelled",
    }


def test_show_tells_options_with_types_defaults_and_descriptions(run, with_vowels):
    shown = run("show", "vowels").stdout
    assert "from     ig4-vowels 0.3.0" in shown
    assert "class    ig4_vowels.scorer:Vowels" in shown
    assert 'vowels (str) = "aeiou"' in shown
    assert "The letters that count." in shown


def test_show_as_json(run, with_vowels):
    (shown,) = json.loads(run("show", "scorer/vowels", "--json").stdout)
    assert shown["version"] == "1"
    assert shown["options"] == [
        {
            "name": "vowels",
            "type": "str",
            "required": False,
            "default": "aeiou",
            "description": "The letters that count.",
        }
    ]


@pytest.mark.parametrize("name", ["topk", "selector/topk", "ig4/topk", "selector/ig4/topk"])
def test_a_component_can_be_named_in_four_ways(run, name):
    (shown,) = json.loads(run("show", name, "--json").stdout)
    assert (shown["kind"], shown["name"]) == ("selector", "topk")


def test_a_name_of_several_kinds_shows_them_all(run):
    shown = json.loads(run("show", "clip", "--json").stdout)
    assert {details["kind"] for details in shown} == {"scorer", "embedder"}


def test_an_unknown_name_is_answered_with_the_nearest(run):
    result = run("show", "qouta")
    assert isinstance(result.exception, UsageError)
    assert "did you mean quota?" in str(result.exception)


def test_showing_what_cannot_be_loaded_tells_why_and_fails(run, with_broken):
    result = run("show", "shout")
    assert result.exit_code == 1
    assert "must inherit from ig4.core.contracts.Scorer" in result.stdout


def test_check_of_one_good_component_passes_and_shows_its_import_time(run, with_vowels):
    result = run("check", "vowels", "--json")
    assert result.exit_code == 0
    (checked,) = json.loads(result.stdout)
    assert checked["state"] == "ok"
    assert checked["reason"] is None
    assert checked["import_ms"] >= 0


def test_check_finds_all_three_faults_and_only_those(run, with_broken, with_vowels):
    result = run("check", "--all", "--json")
    assert result.exit_code == 1
    checked = json.loads(result.stdout)
    broken = {
        c.get("entry_point") or c["name"] for c in checked if c["distribution"] == "ig4-broken"
    }
    assert broken == {"absent", "misspelled", "shout"}
    assert {c["state"] for c in checked if c["distribution"] == "ig4-vowels"} == {"ok"}


def test_check_without_a_name_checks_everything_readably(run, with_broken):
    lines = run("check").stdout.splitlines()
    (shout,) = [line for line in lines if line.startswith("scorer/shout")]
    assert shout.split()[1:3] == ["ig4-broken", "broken"]
    assert any(line.startswith("plugin misspelled") for line in lines)


def test_check_all_built_in_components_keep_their_contracts(run):
    checked = json.loads(run("check", "--json").stdout)
    assert [c for c in checked if c["state"] == "broken"] == []


def test_deep_check_tells_a_broken_library_from_a_missing_one(run, tmp_path, monkeypatch):
    info = tmp_path / "ig4_deep-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: ig4-deep\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[ig4]\ndeep = deepmod\n")
    (tmp_path / "crooked_lib.py").write_text("raise ImportError('libx.so: no such file')\n")
    (tmp_path / "deepmod.py").write_text(
        "from ig4.core.hookspecs import hookimpl\nfrom ig4.core.records import Component\n"
        "from ig4.core.contracts import Selector\n"
        "class Deep(Selector):\n    def select(self, *a): ...\n"
        "@hookimpl\ndef ig4_components():\n"
        "    return [Component('selector', 'deep', 'deepmod:Deep', 'D.', ('crooked_lib',), 'x')]\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert run("check", "deep").exit_code == 0
    result = run("check", "deep", "--deep")
    assert result.exit_code == 1
    assert "installed but cannot be imported: libx.so: no such file" in result.stdout
    assert "pip install" not in result.stdout


def test_listing_imports_no_component_and_none_of_their_libraries(plugin_site):
    code = (
        "import sys; from ig4.cli.plugins import plugins;"
        "plugins([], standalone_mode=False);"
        "print([m for m in ('torch', 'numpy', 'sklearn', 'pydantic', 'sqlalchemy',"
        " 'ig4_vowels.scorer') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=environment(plugin_site),
    )
    assert done.stdout.splitlines()[-1] == "[]"
    assert "vowels" in done.stdout


def test_types_with_limits_are_told_without_them(run):
    (shown,) = json.loads(run("show", "trainer/minigpt4", "--json").stdout)
    types = {option["name"]: option["type"] for option in shown["options"]}
    assert (types["steps"], types["batch_size"]) == ("int | null", "int")
