"""A plugin that hangs, loops or interrupts is named, given up, and can be left out."""

from __future__ import annotations

import logging
import signal
import subprocess
import sys
import textwrap
import threading
import time

import pytest

from ig4.core.errors import PluginError, UsageError
from ig4.core.host.host import Host
from ig4.core.host.watch import call_watched, is_wanted, open_named
from ig4.core.records import Choice

from ...processes import environment

HANGING = {
    "loop": "while True:\n    pass",
    "sleep": "import time\ntime.sleep(1000)",
    "stubborn": """
        import time
        while True:
            try:
                time.sleep(1000)
            except Exception:
                pass
    """,
    "hook": """
        from ig4.core.hookspecs import hookimpl
        @hookimpl
        def ig4_components():
            while True:
                pass
    """,
}


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Install a distribution `ig4-slow` with one module, and give it 0.3 seconds."""
    monkeypatch.setenv("IG4_PLUGIN_TIMEOUT", "0.3")
    monkeypatch.syspath_prepend(tmp_path)

    def _install(code: str) -> None:
        info = tmp_path / "ig4_slow-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: ig4-slow\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text("[ig4]\nslow = slow_plugin\n")
        (tmp_path / "slow_plugin.py").write_text(textwrap.dedent(code))
        monkeypatch.delitem(sys.modules, "slow_plugin", raising=False)

    return _install


def reason_of(host: Host) -> str:
    (broken,) = [one for one in host.broken if one.dist == "ig4-slow"]
    return broken.reason


@pytest.mark.parametrize("code", HANGING.values(), ids=HANGING)
def test_a_plugin_that_hangs_is_named_and_given_up(install, caplog, monkeypatch, code):
    # The command line keeps ig4's log from the root's handlers.
    monkeypatch.setattr(logging.getLogger("ig4"), "propagate", True)
    install(code)
    handler = signal.getsignal(signal.SIGINT)
    started = time.monotonic()
    host = Host.discover()
    assert time.monotonic() - started < 20
    assert "took longer than 0.3 seconds" in reason_of(host)
    assert "ig4-slow" in caplog.text
    assert "IG4_PLUGINS=off" in caplog.text
    assert host.find("scorer", "length").dist == "ig4"
    assert signal.getsignal(signal.SIGINT) == handler
    started = time.monotonic()
    assert "took longer than 0.3 seconds" in reason_of(Host.discover())
    assert time.monotonic() - started < 0.3  # it is not waited for again


@pytest.mark.parametrize(
    "code",
    ["raise KeyboardInterrupt", "raise GeneratorExit", "raise BaseException('no')", "exit(3)"],
)
def test_a_plugin_that_interrupts_at_import_is_broken_and_stops_nothing(install, code):
    install(code)
    assert "cannot import slow_plugin" in reason_of(Host.discover())


def test_plugins_can_be_left_out(install, monkeypatch):
    install(HANGING["loop"])
    monkeypatch.setenv("IG4_PLUGINS", "off")
    host = Host.discover()
    assert "ig4-slow" in host.left_out
    assert not host.broken
    with pytest.raises(UsageError, match=r"IG4_PLUGINS leaves out the plugins of .*ig4-slow"):
        host.find("scorer", "absent")


def test_some_plugins_can_be_kept(monkeypatch):
    monkeypatch.setenv("IG4_PLUGINS", "ig4_vowels, Other")
    assert [is_wanted(dist) for dist in ("ig4", "ig4-vowels", "other", "more")] == [
        True, True, True, False,
    ]  # fmt: skip


def test_a_quick_call_costs_no_waiting_and_leaves_no_thread():
    started = time.monotonic()
    assert call_watched(lambda: 3, "it", 60.0) == 3
    assert time.monotonic() - started < 1
    time.sleep(0.05)
    assert "ig4-plugin-watch" not in [thread.name for thread in threading.enumerate()]


def test_a_call_of_another_thread_is_waited_for():
    results = []
    thread = threading.Thread(
        target=lambda: results.append(call_watched(lambda: time.sleep(0.2) or 5, "it", 0.1))
    )
    thread.start()
    thread.join()
    assert results == [5]


def test_ctrl_c_tells_which_plugin_was_waited_for(install, tmp_path):
    install("import time\nprint('here', flush=True)\ntime.sleep(1000)")
    child = subprocess.Popen(
        [sys.executable, "-m", "ig4", "plugins"],
        env=environment(tmp_path, IG4_PLUGIN_TIMEOUT="60"),
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stderr is not None
    assert child.stderr.readline() == "here\n"
    child.send_signal(signal.SIGINT)
    _, printed = child.communicate(timeout=20)
    assert "interrupted while waiting for plugin slow of ig4-slow" in printed
    assert child.returncode == 130


@pytest.mark.slow
def test_a_plugin_that_heeds_no_signal_does_not_hang_for_ever(install, tmp_path):
    install("import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True:\n    pass")
    done = subprocess.run(
        [sys.executable, "-m", "ig4", "plugins"],
        env=environment(tmp_path) | {"IG4_PLUGIN_TIMEOUT": "0.3"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert "ig4-slow" in done.stderr
    assert "heeds no signal: IG4_PLUGINS=off" in done.stderr


@pytest.fixture
def component(tmp_path, install):
    """Install a plugin with a scorer whose module has this code."""

    def _component(code):
        install("""
            import ig4
            @ig4.hookimpl
            def ig4_components():
                return [ig4.Component("scorer", "slow", "slow_scorer:Slow")]
        """)
        (tmp_path / "slow_scorer.py").write_text(textwrap.dedent(code))
        sys.modules.pop("slow_scorer", None)
        return Host.discover()

    return _component


SCORER = """
import time
from typing import ClassVar
import ig4
from pydantic import field_validator
class Options(ig4.Options):
    path: str = ""
    @field_validator("path")
    @classmethod
    def check(cls, value):
        if value == "hang":
            time.sleep(1000)
        return value
class Slow(ig4.Scorer):
    version: ClassVar[str] = "1"
    Options = Options
    def __init__(self, options):
        super().__init__(options)
        if options.path == "init":
            time.sleep(1000)
    def score(self, batch):
        return [1.0 for _ in batch]
"""


def test_the_module_of_a_component_that_hangs_is_named_and_given_up(component):
    host = component("import time\ntime.sleep(1000)")
    with pytest.raises(PluginError, match=r"scorer 'slow' of ig4-slow 1\.0 cannot be .*0\.3 sec"):
        host.load("scorer", "slow")


@pytest.mark.parametrize("path", ["hang", "init"])
def test_options_and_constructors_that_hang_are_given_up(component, path):
    host = component(SCORER)
    host.build(Choice("scorer", "slow", {}))
    with pytest.raises(PluginError, match=r"scorer 'slow' of ig4-slow.*0\.3 seconds"):
        host.build(Choice("scorer", "slow", {"path": path}))


def test_a_component_that_takes_long_to_open_is_named(caplog, monkeypatch):
    monkeypatch.setattr(logging.getLogger("ig4"), "propagate", True)
    monkeypatch.setattr("ig4.core.host.watch._OPEN_NOTICE_SECONDS", 0.05)

    class Large:
        def open(self):
            time.sleep(0.3)

    open_named(Large(), "clip")
    assert "still waiting for clip to load what it needs" in caplog.text
