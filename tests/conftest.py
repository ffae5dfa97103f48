"""Fixtures that every test may use."""

from __future__ import annotations

import atexit
import gc
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoints, entry_points
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from .llm_server.client import LlmServer

ROOT = Path(__file__).resolve().parent.parent

# A busy machine is no fault of what is tested.
settings.register_profile("ig4", deadline=None)
settings.load_profile("ig4")


def pytest_configure() -> None:
    """Make this process, and those that tests start, what they are in a quiet shell."""
    # A shell's background jobs ignore interrupts, and so would what they start.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    # And what nohup starts does not end with its terminal.
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
    # Workers share the cores: threads of torch's own would only be in each other's way.
    if "PYTEST_XDIST_WORKER" in os.environ:
        os.environ.setdefault("OMP_NUM_THREADS", "1")
    # Every process that a test starts would compile all of ig4 anew.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    # Libraries complain about what is left when the process ends.
    atexit.register(gc.unfreeze)
    # Thousands of databases need not wait for a disk. Workers inherit it.
    if "TMPDIR" not in os.environ and _has_room(MEMORY):
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Call bytes by their argument: what a library packs has the time in it, and workers differ."""
    return argname if isinstance(val, bytes) else None


@pytest.fixture(autouse=True, scope="session")
def remembered_plugins() -> Iterator[None]:
    """Let this process look for installed plugins again only where a folder of its path changed.

    Hundreds of distributions are read for that, and every second test does it.
    """
    found: dict[tuple[Any, ...], EntryPoints] = {}

    def remembered(*, group: str) -> EntryPoints:
        key = (group, *((one, _changed_at(one)) for one in sys.path))
        if key not in found:
            found[key] = entry_points(group=group)
        return found[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ig4.core.host.discovery.entry_points", remembered)
        yield


def _changed_at(folder: str) -> int | None:
    """Return when a name in a folder was made or taken away last."""
    try:
        return Path(folder).stat().st_mtime_ns
    except OSError:
        return None


MEMORY = Path("/dev/shm")
"""A folder in memory, where Linux has one."""
ROOM = 4 * 2**30
"""What the tests' folders may need, several times over."""


def _has_room(folder: Path) -> bool:
    return os.access(folder, os.W_OK) and shutil.disk_usage(folder).free >= ROOM


LONGEST = (
    "tests/cli/test_calls.py",
    "tests/examples/test_arena.py",
    "tests/examples/test_miniature.py",
    "tests/core/engine/test_kill.py",
    "tests/plugins/training/test_interrupted.py",
    "tests/plugins/training/test_processes.py",
)
"""Modules of which one test alone takes half a minute or more."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest: one that came last would leave the other workers idle."""
    names = {item: item.nodeid.partition("::")[0] for item in items}
    items.sort(key=lambda item: names[item] not in LONGEST)


def pytest_collection_finish() -> None:
    """Take what was collected, and all that was imported for it, out of the collector's sight."""
    _freeze()


MANY = 100
"""So many modules more are a library such as torch, which has a million objects."""

_frozen_modules = 0


def pytest_runtest_setup() -> None:
    """Do the same once a test has imported a large library.

    Every training ends in two full collections, and each would look at all of torch again.
    """
    if len(sys.modules) > _frozen_modules + MANY:
        _freeze()


def _freeze() -> None:
    global _frozen_modules
    gc.collect()  # what is garbage by now would never be freed
    gc.freeze()
    _frozen_modules = len(sys.modules)


_SLOW_MODULE = re.compile(r"^pytestmark = \[?\s*pytest\.mark\.slow", re.MULTILINE)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out modules that are slow as a whole unread: torch alone takes seconds to import."""
    if config.option.markexpr != "not slow" or collection_path.suffix != ".py":
        return None
    return bool(_SLOW_MODULE.search(collection_path.read_text(encoding="utf-8"))) or None


@pytest.fixture(scope="session")
def shared() -> Path:
    """The project's shared data folder, or a skip where there is none."""
    folder = Path(os.environ.get("IG4_SHARED", ROOT.parent / "shared"))
    if not (folder / "data").is_dir():
        pytest.skip(f"no shared data at {folder}")
    return folder


# Distributions of their own: installed by `plugin_site`, not collected here.
collect_ignore = ["plugin_dist", "plugin_dist_broken", "plugin_dist_pools"]


def _pip_install(project: Path, folder: Path) -> Path:
    """Install a project of tests/ into a fresh folder, without a network; return the folder."""
    source = folder / "source" / project.name  # a build leaves files beside its pyproject
    shutil.copytree(project, source)
    site = folder / "site"
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--quiet"]
    command = [sys.executable, "-m", "pip", "install", *options, "--target", site, source]
    subprocess.run(command, check=True, capture_output=True, text=True)
    return site


@pytest.fixture(scope="session")
def plugin_site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ig4-vowels (scorer vowels, clusterer bands) installed, for PYTHONPATH."""
    return _pip_install(ROOT / "tests" / "plugin_dist", tmp_path_factory.mktemp("vowels"))


@pytest.fixture(scope="session")
def pools_site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ig4-crowds installed: components of the second version of the contracts."""
    return _pip_install(ROOT / "tests" / "plugin_dist_pools", tmp_path_factory.mktemp("crowds"))


@pytest.fixture(scope="session")
def broken_site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ig4-broken installed, which fails in three ways."""
    return _pip_install(ROOT / "tests" / "plugin_dist_broken", tmp_path_factory.mktemp("broken"))


@pytest.fixture(scope="session")
def running_llm_server():
    """A process that speaks OpenAI's and Anthropic's interfaces."""
    with LlmServer() as server:
        yield server


@pytest.fixture
def llm_server(running_llm_server, monkeypatch):
    """That process, having forgotten everything, and where the clients look for it."""
    running_llm_server.reset()
    for name in ("AZURE_OPENAI_ENDPOINT", "AZURE_OPENAI_API_KEY", "ANTHROPIC_AUTH_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OPENAI_BASE_URL", running_llm_server.openai_url)
    monkeypatch.setenv("OPENAI_API_KEY", "canary-openai-0123456789")
    monkeypatch.setenv("ANTHROPIC_BASE_URL", running_llm_server.anthropic_url)
    monkeypatch.setenv("ANTHROPIC_API_KEY", "canary-anthropic-0123456789")
    return running_llm_server


@pytest.fixture(scope="session")
def harbour_made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what tests/harbour.py makes; not to be changed."""
    from .harbour import make_harbour

    return make_harbour(tmp_path_factory.mktemp("harbour"))


@pytest.fixture
def harbour(harbour_made: Path, tmp_path: Path) -> Path:
    """A copy of that database, for one test; the pictures stay where they were."""
    folder = tmp_path / "harbour"
    shutil.copytree(harbour_made / "ig4-vectors", folder / "ig4-vectors")
    shutil.copy(harbour_made / "ig4.db", folder)
    return folder
