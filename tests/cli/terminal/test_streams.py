"""What a command does when its output is closed, full, or read by nobody."""

from __future__ import annotations

import subprocess
import sys

import pytest

from ig4.storage.store import Store

from ...processes import environment

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="redirections of a POSIX shell"),
]

MANY = "SELECT value FROM json_each('[' || replace(hex(zeroblob(9999)), '00', '1,') || '1]')"
REPEAT = f"{MANY}, (VALUES (1), (2), (3), (4), (5), (6), (7), (8), (9))"


@pytest.fixture
def shell(tmp_path):
    """Run a line of bash in which `ig4` is the command; gives its status, stdout and stderr."""
    Store.open(tmp_path / "ig4.db").close()

    def run(line, **variables):
        script = f'ig4() {{ "{sys.executable}" -m ig4.cli.main "$@"; }}; {line}'
        return subprocess.run(
            ["bash", "-c", script],
            capture_output=True, text=True, cwd=tmp_path, env=environment(**variables), check=False,
        )  # fmt: skip

    return run


@pytest.mark.parametrize(
    ("command", "unbuffered"),
    [
        (f'query --csv "{REPEAT}"', ""),
        (f'query --json "{REPEAT}"', "1"),
        ("--help", ""),
        ("plugins", "1"),
        ("db stats --json", ""),
    ],
)
def test_a_reader_that_has_read_enough_is_no_error(shell, command, unbuffered):
    done = shell(f"ig4 {command} | true; echo ${{PIPESTATUS[0]}}", PYTHONUNBUFFERED=unbuffered)
    assert (done.stdout, done.stderr) == ("141\n", "")


@pytest.mark.parametrize("streams", [">&-", ">&- 2>&- <&-"])
def test_a_closed_stream_is_like_the_null_device(shell, streams):
    done = shell(f"ig4 query 'SELECT 1' {streams}; echo $?; ig4 query 'SELECT count(*) FROM runs'")
    assert done.stdout.split()[0] == "0"
    assert done.stdout.split()[-1] == "0"
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("command", "unbuffered"),
    [("query 'SELECT 1'", ""), (f'query --csv "{REPEAT}"', "1"), ("--help", "")],
)
def test_a_full_disk_behind_the_output_is_one_line(shell, command, unbuffered):
    done = shell(f"ig4 {command} > /dev/full", PYTHONUNBUFFERED=unbuffered)
    assert done.returncode == 1
    assert "No space left on device" in done.stderr
    assert done.stderr.count("\n") == 1


def test_too_little_memory_is_one_line(shell):
    values = ", ".join(["zeroblob(60000000)"] * 5)
    done = shell(f"ulimit -v 200000; ig4 query --json 'SELECT {values}'")
    assert done.returncode == 2
    assert "do not fit into the memory: let it read less" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_module_that_is_not_found_for_lack_of_memory_is_one_line(shell):
    report = "from ig4.cli.main import _report_error as report"
    error = "ImportError('cannot import name Image from PIL')"
    done = shell(f'ulimit -v 8000000; {sys.executable} -c "{report}; report({error})"')
    assert done.stderr.startswith("Error: there is not enough memory (cannot import name Image")
    assert done.stderr.count("\n") == 1
