"""What is built and published: the package list, the wheel, the sdist and light imports."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from ig4.core.host.discovery import normalise

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("core", "plugins", "storage", "cli", "web")
HEAVY = ("torch", "sqlalchemy", "sklearn", "open_clip", "transformers", "openai", "anthropic")
MADE = ("__pycache__", "node_modules")
"""What tools leave in the tree."""

NODE = {"package.json", "package-lock.json", "tsconfig.json"}
"""What checks the types of the pages' JavaScript, and is of no use to those who install ig4."""

SOURCES = (*FOLDERS, "pyproject.toml", "README.md", "LICENSE", "MANIFEST.in")


@pytest.fixture(scope="module")
def pyproject() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    """A folder with the wheel and the sdist, built from a copy of the sources."""
    folder = tmp_path_factory.mktemp("build")
    source = folder / "source"
    source.mkdir()
    for name in SOURCES:
        path = ROOT / name
        if path.is_dir():
            shutil.copytree(path, source / name, ignore=shutil.ignore_patterns(*MADE))
        elif path.exists():
            shutil.copy(path, source / name)
    # The default way of `build`: the sdist first, and the wheel from the sdist.
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", folder / "dist", source]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "dist"


@pytest.fixture(scope="module")
def wheel(built) -> Path:
    (path,) = built.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Path:
    """A fresh folder into which the wheel alone is installed."""
    site = tmp_path_factory.mktemp("installed") / "site"
    options = ["--no-deps", "--no-index", "--quiet", "--target", site]
    subprocess.run([sys.executable, "-m", "pip", "install", *options, wheel], check=True)
    return site


def run_installed(site: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python elsewhere, with the wheel's `ig4` and everything else of this environment.

    -S keeps the checkout's editable install out of the way.
    """
    paths = [str(site), *(path for path in sys.path if path.endswith("-packages"))]
    return subprocess.run(
        [sys.executable, "-S", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_package_list_equals_the_tree(pyproject):
    """A subpackage that is left out would vanish from the wheel without a word."""
    found = {"ig4"}
    for folder in FOLDERS:
        for init in (ROOT / folder).rglob("__init__.py"):
            parts = init.parent.relative_to(ROOT).parts
            if parts != ("core", "_public"):
                found.add(".".join(("ig4", *parts)))
    assert set(pyproject["tool"]["setuptools"]["packages"]) == found


def test_every_folder_with_modules_is_a_package():
    bare = {
        path.parent.relative_to(ROOT).as_posix()
        for folder in FOLDERS
        for path in (ROOT / folder).rglob("*.py")
        if not (path.parent / "__init__.py").exists()
    }
    assert bare == set()


def test_every_file_of_the_packages_is_in_the_wheel(wheel):
    """Modules and data alike: models, migrations, py.typed."""
    names = set(zipfile.ZipFile(wheel).namelist())
    expected = set()
    for folder in FOLDERS:
        for path in (ROOT / folder).rglob("*"):
            if path.is_file() and not {*MADE, *NODE} & {*path.parts}:
                inside = path.relative_to(ROOT).as_posix().replace("core/_public/", "", 1)
                expected.add(f"ig4/{inside}")
    assert expected - names == set()
    assert {"ig4/py.typed", "ig4/storage/migrations/env.py", "ig4/core/testing/scorer.py"} <= names


def test_nothing_but_ig4_is_at_the_top_level_of_the_wheel(wheel):
    tops = {name.partition("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"ig4"}


def test_the_wheel_declares_licence_entry_points_and_a_light_base(wheel):
    archive = zipfile.ZipFile(wheel)
    (info,) = {n.partition("/")[0] for n in archive.namelist() if ".dist-info/" in n}
    metadata = Parser().parsestr(archive.read(f"{info}/METADATA").decode())
    assert metadata["License-Expression"] == "Apache-2.0"
    assert "Apache License" in archive.read(f"{info}/licenses/LICENSE").decode()
    entry_points = archive.read(f"{info}/entry_points.txt").decode()
    assert "ig4 = ig4.cli.main:main" in entry_points
    assert "builtin = ig4.plugins.builtin" in entry_points
    base = [r for r in metadata.get_all("Requires-Dist") if "extra ==" not in r]
    assert not any(r.startswith(("torch", "open_clip", "scikit-learn")) for r in base)
    assert {"clip", "reward", "gpt", "claude", "train", "ray", "report", "all", "dev"} <= set(
        metadata.get_all("Provides-Extra")
    )


def test_the_sdist_holds_what_the_wheel_is_built_from(built):
    (path,) = built.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"pyproject.toml", "README.md", "LICENSE", "core/_public/py.typed"} <= names
    assert {"web/report.html", "web/style.css", "web/report.js"} <= names


def test_pages_are_in_the_wheel_and_what_checks_them_is_not(built, wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {"ig4/web/report.html", "ig4/web/browse.css", "ig4/web/browse.js"} <= names
    (path,) = built.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names |= set(archive.getnames())
    assert [name for name in names if {*MADE, *NODE} & {*name.split("/")}] == []


def test_the_installed_wheel_runs_where_the_checkout_cannot_be_seen(installed, tmp_path):
    done = run_installed(installed, tmp_path, "-c", "import ig4; print(ig4.__file__)")
    assert done.stderr == ""
    assert Path(done.stdout.strip()).is_relative_to(installed)
    version = run_installed(installed, tmp_path, "-m", "ig4.cli.main", "--version")
    assert version.returncode == 0, version.stderr
    assert version.stdout.split()[-1][0].isdigit()


def test_the_installed_wheel_finds_its_components(installed, tmp_path):
    code = (
        "from ig4.core.host.host import Host; host = Host.discover();"
        "print(host.broken, host.load('selector', 'quota').__name__)"
    )
    assert run_installed(installed, tmp_path, "-c", code).stdout.strip() == "[] Quota"


def test_the_folders_are_never_importable_by_their_bare_names(installed, tmp_path):
    for name in FOLDERS:
        done = run_installed(installed, tmp_path, "-c", f"import {name}")
        assert f"No module named '{name}'" in done.stderr


def loaded_by(*arguments: str) -> list[str]:
    """Return the modules that a fresh Python has loaded when it is done."""
    code = (
        "import runpy, sys, atexit\n"
        "atexit.register(lambda: print('\\n' + ' '.join(sys.modules), file=sys.stderr))\n"
        f"{arguments[0]}\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments[1:]], capture_output=True, text=True, check=False
    )
    return done.stderr.splitlines()[-1].split()


@pytest.mark.parametrize(
    "arguments",
    [
        ("import ig4",),
        ("runpy.run_module('ig4.cli.main', run_name='__main__')", "--help"),
        ("runpy.run_module('ig4.cli.main', run_name='__main__')", "--version"),
        ("runpy.run_module('ig4.cli.main', run_name='__main__')", "plugins"),
    ],
    ids=["import", "--help", "--version", "plugins"],
)
def test_nothing_heavy_is_loaded_for(arguments):
    loaded = loaded_by(*arguments)
    assert "ig4" in loaded
    assert [name for name in (*HEAVY, "numpy", "pydantic", "PIL") if name in loaded] == []


def made_extras() -> list[str]:
    """Return the extras that `make` installs."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    return re.search(r"^EXTRAS := (.+)$", makefile, re.MULTILINE)[1].split(",")


def test_make_installs_extras_that_exist(pyproject):
    assert set(made_extras()) <= set(pyproject["project"]["optional-dependencies"])
    assert "dev" in made_extras()


def test_the_constraints_pin_what_make_installs(pyproject):
    """Exact versions of every direct need; the file names no place to get them from."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    assert all(re.fullmatch(r"[a-z0-9.-]+==[\w.]+", line) for line in pins), pins
    extras = pyproject["project"]["optional-dependencies"]
    needed = pyproject["project"]["dependencies"] + [r for e in made_extras() for r in extras[e]]
    names = {normalise(re.match(r"[\w.-]+", requirement)[0]) for requirement in needed}
    assert names - {line.partition("==")[0] for line in pins} == set()


def test_what_is_pinned_satisfies_what_is_declared(pyproject):
    pins = dict(
        line.split("==")
        for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
        if "==" in line
    )
    extras = pyproject["project"]["optional-dependencies"]
    for text in [
        *pyproject["project"]["dependencies"],
        *(r for e in made_extras() for r in extras[e]),
    ]:
        requirement = Requirement(text)
        assert requirement.specifier.contains(pins[normalise(requirement.name)]), text


def test_licence_and_contributing_guide_are_there():
    assert "Apache License" in (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "make test" in (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
