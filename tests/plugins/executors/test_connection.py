"""The connection to a Ray cluster that asks for a token, and what it prints."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

pytest.importorskip("ray")
pytestmark = pytest.mark.slow

TOKEN = "0123456789abcdef" * 2

CLIENT = """
import sys
from ig4.core.errors import PrerequisiteError
from ig4.plugins.executors.connection import connection

try:
    with connection(sys.argv[1]):
        import ray

        print("in", ray.cluster_resources()["CPU"])
except PrerequisiteError as error:
    print("out", error)
"""

DYING = """
import os
from ig4.core.contracts import Work
from ig4.core.errors import PrerequisiteError
from ig4.plugins.executors.ray import Ray, RayOptions

class Deadly(Work):
    def __call__(self, task):
        os._exit(9)

try:
    with Ray(RayOptions(retries=1)).start(Deadly()) as run:
        list(run([1]))
except PrerequisiteError as error:
    print("told:", error)
"""


@pytest.fixture
def folder():
    made = Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp"))  # sockets have short names
    yield made
    shutil.rmtree(made, ignore_errors=True)


def python(code, *arguments, folder, **variables):
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env=os.environ | {"RAY_TMPDIR": str(folder), **variables},
        capture_output=True, text=True, timeout=200, check=True,
    )  # fmt: skip
    return done.stdout


@pytest.fixture
def guarded(folder):
    """The address of a cluster that wants a token."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    head = subprocess.Popen(
        [
            Path(sys.executable).with_name("ray"), "start", "--head", f"--port={port}", "--block",
            "--num-cpus=1", "--include-dashboard=false", "--disable-usage-stats",
            f"--temp-dir={folder}",
        ],
        env=os.environ
        | {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": TOKEN, "RAY_TMPDIR": str(folder)},
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert head.stdout is not None
    for line in head.stdout:
        if "Ray runtime started" in line:
            break
    yield f"127.0.0.1:{port}"
    head.terminate()
    head.communicate(timeout=60)


def test_a_cluster_with_a_token_lets_in_who_has_it_and_tells_others_in_a_line(guarded, folder):
    right = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": TOKEN}
    assert python(CLIENT, guarded, folder=folder, **right) == "in 1.0\n"
    wrong = right | {"RAY_AUTH_TOKEN": TOKEN[::-1]}
    told = python(CLIENT, guarded, folder=folder, **wrong)
    assert told.startswith(f"out no Ray cluster can be reached (at {guarded}): ")
    assert "RAY_AUTH_MODE=token" in told
    assert told.count("\n") == 1
    assert TOKEN[::-1] not in told


def test_what_nodes_report_is_not_printed_among_the_results(folder):
    told = python(DYING, folder=folder)
    assert told.startswith("told: an actor of Ray died again and again")
    assert told.count("\n") == 1
