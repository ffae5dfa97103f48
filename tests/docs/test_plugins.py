"""docs/plugins.md shows the very files that the tests install."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from ig4.core.contracts import CONTRACTS
from ig4.core.host.discovery import HOOKS
from ig4.core.records import Component

from ..processes import environment

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "plugins.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"^`([\w./]+)`:\n\n```\w+\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))


def test_the_page_shows_the_whole_distribution():
    folder = ROOT / "tests" / "plugin_dist"
    real = {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.suffix in (".py", ".toml") and "build" not in path.parts
    }
    assert set(FILES) == real


@pytest.mark.parametrize("name", FILES)
def test_every_file_is_shown_as_it_is(name):
    assert FILES[name] == (ROOT / "tests" / "plugin_dist" / name).read_text(encoding="utf-8")


def test_every_field_of_a_component_and_every_kind_is_explained():
    for field in fields(Component):
        assert f"| `{field.name}` |" in PAGE
    for kind in CONTRACTS:
        assert f'`"{kind}"`' in PAGE


def test_every_hook_is_explained():
    for hook in HOOKS:
        assert f"def {hook}(" in PAGE


@pytest.mark.slow
def test_the_plugin_passes_the_conformance_tests_it_shows(plugin_site, tmp_path):
    """Its own tests, run as its author would, against the installed distribution."""
    shutil.copytree(ROOT / "tests" / "plugin_dist" / "tests", tmp_path / "tests")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"],
        cwd=tmp_path,
        env=environment(plugin_site),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed is not None
    assert int(passed[1]) == 26 + 21 + 2 * 4  # scorer, clusterer, two declarations
