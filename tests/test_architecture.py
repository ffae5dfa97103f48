"""Which file may import which: no circles, one direction, and no heavy library outside plugins."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from .imports import (
    FOLDERS,
    Import,
    find_circle,
    find_imports,
    find_packages,
    find_wrong_ways,
    read_sources,
)

ROOT = Path(__file__).resolve().parent.parent

ALLOWED = {
    "cli": {"cli", "core", "storage"},
    "plugins": {"plugins", "core"},
    "core": {"core", "storage", "ig4._errors"},
    "storage": {"storage", "ig4._errors"},
    # The files of core/_public/:
    "ig4": {"core", "ig4._progress"},
    "ig4._progress": {"cli"},  # how the library shows what it does, to people
    "ig4.__main__": {"cli"},
    "ig4._errors": set(),
}

CLI_USES_PLUGINS = {
    # `ig4 demo` and `ig4 doctor` are about these built-in plugins; nobody can replace them.
    ("ig4.cli.demo", "ig4.plugins.demo.dataset"),
    ("ig4.cli.checkup", "ig4.plugins.models.hardware"),
}

HEAVY = {
    "accelerate", "altair", "anthropic", "bitsandbytes", "datasets", "open_clip", "openai",
    "pandas", "peft", "pyarrow", "pycocoevalcap", "ray", "sacrebleu", "scipy", "sentencepiece",
    "sklearn", "torch", "torchvision", "transformers", "vl_convert",
}  # fmt: skip

HEAVY_OUTSIDE_PLUGINS = {
    ("ig4.core.files.reading.parquetpages", "pyarrow"),  # to look into them before they are read
    ("ig4.core.files.reading.tables", "pyarrow"),  # to read tables of scores that are Parquet files
    ("ig4.core.files.reading.compressed", "pyarrow"),  # to unpack Zstandard
    ("ig4.storage.vectors.columnar", "pyarrow"),  # for vectors in files
    ("ig4.core.views.frames", "pandas"),  # for those who call to_pandas() of a result
    ("ig4.core.api.queryrows", "pandas"),  # these three for its type
    ("ig4.core.engine.selecting.result", "pandas"),
    ("ig4.core.views.tabular", "pandas"),
    ("ig4.core.charts.library", "altair"),  # to write specifications of charts
    ("ig4.core.charts.library", "vl_convert"),  # to draw charts as files
}


@pytest.fixture(scope="module")
def tree():
    """What each file of the tree imports."""
    return find_imports(read_sources(ROOT))


@pytest.mark.slow
def test_every_file_is_read(tree):
    files = sum(1 for folder in FOLDERS for _ in (ROOT / folder).rglob("*.py"))
    assert len(tree) == files > 0
    assert {"ig4", "ig4.core", "ig4._errors", "ig4.plugins.builtin"} <= set(tree)
    assert Import("ig4.core.api", deferred=True) in tree["ig4"]


def test_no_files_import_each_other_in_a_circle(tree):
    assert find_circle(tree) == []


def test_imports_go_one_way(tree):
    assert find_wrong_ways(tree, ALLOWED) == CLI_USES_PLUGINS


def test_only_plugins_import_heavy_libraries(tree):
    others = set(ALLOWED) - {"plugins"}
    assert find_packages(tree, HEAVY, others) == HEAVY_OUTSIDE_PLUGINS
    assert find_packages(tree, HEAVY, others, at_once=True) == set()


@pytest.mark.slow
def test_nothing_outside_plugins_loads_a_heavy_library_when_it_is_imported(tree):
    unasked = {"ig4.__main__", "ig4.storage.migrations.env"}  # these run when they are imported
    names = [name for name in tree if not name.startswith("ig4.plugins")]
    code = (
        "import importlib, sys\n"
        f"for name in {sorted(set(names) - unasked)}: importlib.import_module(name)\n"
        f"print(sorted({HEAVY} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


# The rules themselves, on small trees that break them.


def imported(text, path="core/engine/one.py"):
    """Return what a file of a small tree imports."""
    names = ("core/__init__", "core/engine/__init__", "core/engine/two", "core/three")
    sources = {f"{name}.py": "" for name in names} | {path: text}
    return [one.target for found in find_imports(sources).values() for one in found]


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("import ig4.core.three", "ig4.core.three"),
        ("import ig4.core.three as other", "ig4.core.three"),
        ("from ig4.core.three import name", "ig4.core.three"),
        ("from ig4.core import three", "ig4.core.three"),
        ("from ig4.core.three import *", "ig4.core.three"),
        ("from . import two", "ig4.core.engine.two"),
        ("from .two import name", "ig4.core.engine.two"),
        ("from . import name", "ig4.core.engine"),
        ("from .. import three", "ig4.core.three"),
        ("from ..three import name", "ig4.core.three"),
        ("from ... import core", "ig4.core"),
        ("import torch.nn.functional as F", "torch.nn.functional"),
        ("from torch.nn import Linear", "torch.nn"),
        ("import importlib\nimportlib.import_module('torch')", "torch"),
        ("from importlib import import_module\nimport_module('..three')", "ig4.core.three"),
        ("__import__('torch')", "torch"),
    ],
)
def test_an_import_is_found_however_it_is_written(text, target):
    assert [name for name in imported(text) if name != "importlib"] == [target]


def test_relative_imports_of_a_package_start_from_itself():
    assert imported("from .two import name", "core/engine/__init__.py") == ["ig4.core.engine.two"]
    assert imported("from . import _errors", "core/_public/__init__.py") == ["ig4"]


@pytest.mark.parametrize(
    ("text", "deferred"),
    [
        ("import torch", False),
        ("try:\n    import torch\nexcept ImportError:\n    torch = None", False),
        ("class A:\n    import torch", False),
        ("def f():\n    import torch", True),
        ("async def f():\n    import torch", True),
        ("class A:\n    def f(self):\n        if self:\n            import torch", True),
        ("if TYPE_CHECKING:\n    import torch", True),
        ("if typing.TYPE_CHECKING:\n    import torch", True),
        ("if TYPE_CHECKING:\n    pass\nelse:\n    import torch", False),
    ],
)
def test_it_is_known_whether_an_import_waits(text, deferred):
    assert find_imports({"core/one.py": text}) == {"ig4.core.one": {Import("torch", deferred)}}


@pytest.mark.parametrize(
    "last",
    [
        "from ig4.core.a import x",
        "def f():\n    from ig4.core import a",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import ig4.core.a",
        "from .a import x",
    ],
)
def test_a_circle_is_found(last):
    sources = {
        "core/a.py": "import ig4.core.b",
        "core/b.py": "import ig4.core.c",
        "core/c.py": last,
        "core/d.py": "import ig4.core.a",
    }
    assert set(find_circle(find_imports(sources))) == {"ig4.core.a", "ig4.core.b", "ig4.core.c"}
    assert find_circle(find_imports({**sources, "core/c.py": "import json"})) == []


def test_a_package_and_a_file_of_its_own_can_make_a_circle():
    sources = {"cli/__init__.py": "from .a import x", "cli/a.py": "from ig4.cli import y"}
    assert set(find_circle(find_imports(sources))) == {"ig4.cli", "ig4.cli.a"}


def test_the_files_of_the_public_package_can_be_in_a_circle():
    sources = {"core/_public/__init__.py": "from ig4.core import a", "core/a.py": "import ig4"}
    empty = {"core/__init__.py": ""}
    assert set(find_circle(find_imports({**sources, **empty}))) == {"ig4", "ig4.core.a"}


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("cli/a.py", "ig4.plugins.b"),
        ("core/a.py", "ig4.plugins.b"),
        ("core/a.py", "ig4.cli.b"),
        ("core/a.py", "ig4"),
        ("storage/a.py", "ig4.core.b"),
        ("storage/a.py", "ig4.cli.b"),
        ("storage/a.py", "ig4.plugins.b"),
        ("plugins/a.py", "ig4.storage.b"),
        ("plugins/a.py", "ig4.cli.b"),
        ("plugins/a.py", "ig4._errors"),
        ("core/_public/_errors.py", "ig4.core.b"),
        ("core/_public/__init__.py", "ig4.plugins.b"),
    ],
)
@pytest.mark.parametrize("form", ["import {}", "def f():\n    import {}", "from {} import x"])
def test_an_import_that_goes_the_wrong_way_is_found(path, target, form):
    tree = find_imports({path: form.format(target)})
    (module,) = tree
    assert find_wrong_ways(tree, ALLOWED) == {(module, target)}


def test_imports_that_go_the_right_way_are_left_in_peace():
    sources = {
        "cli/a.py": "import ig4.core.b, ig4.storage.b, ig4.cli.b, plugins",
        "core/a.py": "import ig4.storage.b, ig4.core.b, ig4._errors, cli",
        "storage/a.py": "import ig4.storage.b, ig4._errors, core",
        "plugins/a.py": "import ig4.core.b, ig4.plugins.b, storage",
        "core/_public/__main__.py": "import ig4.cli.main",
    }
    assert find_wrong_ways(find_imports(sources), ALLOWED) == set()


def test_a_heavy_library_is_found_in_every_folder_that_is_asked_about():
    text = "def f():\n    from torch.nn import Linear"
    tree = find_imports({f"{folder}/a.py": text for folder in FOLDERS})
    expected = {("ig4.core.a", "torch"), ("ig4.cli.a", "torch")}
    assert find_packages(tree, HEAVY, {"core", "cli"}) == expected
    assert find_packages(tree, HEAVY, {"core", "cli"}, at_once=True) == set()
    now = find_imports({"core/a.py": "import torch.nn"})
    assert find_packages(now, HEAVY, {"core"}, at_once=True) == {("ig4.core.a", "torch")}
    assert find_packages(find_imports({"core/a.py": "import torches"}), HEAVY, {"core"}) == set()
