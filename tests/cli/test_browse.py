"""`ig4 browse`: a real server on this machine, asked over HTTP."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
from contextlib import closing, contextmanager

import pytest
from click.testing import CliRunner

from ig4.cli.main import cli
from ig4.core.errors import Ig4Error, UsageError

pytest.importorskip("uvicorn")
pytest.importorskip("starlette")


@contextmanager
def browsing(folder, *arguments):
    """Run the command; yields its port, its token, and the process."""
    command = [sys.executable, "-m", "ig4.cli.main", "browse", "--db", str(folder / "ig4.db")]
    process = subprocess.Popen(
        [*command, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    try:
        lines = process.stdout.readline() + process.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:(\d+)/#token=(\S+)", lines)
        assert found, lines + process.stderr.read()
        yield int(found[1]), found[2], process
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        process.stdout.close()
        process.stderr.close()


def ask(port, path="/api/about", method="GET", **headers):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.putrequest(method, path, skip_host=True)
    given = {"Host": f"127.0.0.1:{port}"} | headers
    for name, value in given.items():
        connection.putheader(name, value)
    connection.endheaders()
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, body


@pytest.fixture(scope="module")
def server(harbour_made, tmp_path_factory):
    import shutil

    folder = tmp_path_factory.mktemp("browse")
    shutil.copytree(harbour_made / "ig4-vectors", folder / "ig4-vectors")
    shutil.copy(harbour_made / "ig4.db", folder)
    with browsing(folder, "1", "--port", "0") as made:
        yield made


def test_it_serves_the_selection_to_this_machine(server):
    port, _, _ = server
    status, body = ask(port)
    assert status == 200
    assert b'"dataset":"harbour"' in body
    assert ask(port, "/")[0] == 200


def test_it_listens_on_the_loopback_address_alone(server):
    port = server[0]
    try:
        with open("/proc/net/tcp", encoding="ascii") as file:  # noqa: PTH123
            lines = file.read().splitlines()
    except OSError:
        pytest.skip("no /proc/net/tcp")
    bound = [line.split()[1] for line in lines[1:] if line.split()[1].endswith(f":{port:04X}")]
    assert {one.partition(":")[0] for one in bound} == {"0100007F"}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "rebound.example"}, 421),
        ({"Origin": "http://evil.example"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
    ],
)
def test_other_sites_get_nothing(server, headers, status):
    assert ask(server[0], **headers)[0] == status


def test_writing_takes_the_token(server):
    port, token, _ = server
    assert ask(port, "/api/selections", "POST")[0] == 403
    assert ask(port, "/api/selections", "POST", **{"X-Ig4-Token": token[:-1]})[0] == 403
    assert ask(port, "/api/nothing", "POST", **{"X-Ig4-Token": token})[0] in (404, 405)
    assert len(token) >= 32


def test_odd_requests_do_not_stop_it(server):
    port = server[0]
    paths = [
        "/api/samples?offset=%00",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/web/%00.js",
        "/api/query?sql=" + "x" * 20_000,
        "/api/samples?q=%ff%fe",
        "/thumb/1/1/1",
    ]
    for path in paths:
        status, body = ask(port, path)
        assert 200 <= status < 500, (path, status, body)
        assert b"root:" not in body
    with socket.create_connection(("127.0.0.1", port)) as raw:
        raw.sendall(b"\x00\xff nonsense\r\n\r\n")
    assert ask(port)[0] == 200


def test_it_stops_when_it_is_told_to(harbour):
    with browsing(harbour, "2", "--port", "0") as (port, _, process):
        assert ask(port)[0] == 200
        process.send_signal(signal.SIGINT)
        assert process.wait(20) in (0, 130, -signal.SIGINT)
        assert "Traceback" not in process.stderr.read()


def test_a_port_that_is_taken_is_named(harbour):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = CliRunner().invoke(
            cli, ["browse", "--db", str(harbour / "ig4.db"), "--port", str(port)]
        )
    assert isinstance(done.exception, UsageError)
    assert f"port {port} is taken" in str(done.exception)


def test_without_starlette_the_extra_is_named(harbour, monkeypatch):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    done = CliRunner().invoke(cli, ["browse", "--db", str(harbour / "ig4.db"), "--port", "0"])
    assert isinstance(done.exception, Ig4Error)
    assert "ig4[browse]" in str(done.exception)


def test_a_selection_that_is_not_there_is_a_message(harbour):
    done = CliRunner().invoke(cli, ["browse", "77", "--db", str(harbour / "ig4.db")])
    assert isinstance(done.exception, UsageError)
    assert "there is no selection 77" in str(done.exception)


def test_an_error_that_nobody_foresaw_is_told_in_the_terminal_alone(harbour):
    with browsing(harbour) as (port, _, process):
        with closing(sqlite3.connect(harbour / "ig4.db")) as connection, connection:
            connection.execute("UPDATE selections SET config = '{}'")
        status, body = ask(port, "/api/about?fresh=1")
        assert status == 500
        assert set(json.loads(body)) == {"error"}
        assert b"KeyError" not in body
        lines = []
        while not lines or "Error: " not in lines[-1]:
            lines.append(process.stderr.readline())
            assert lines[-1], lines
        assert any("Traceback (most recent call last)" in one for one in lines)
        assert lines[-1].startswith("KeyError")
