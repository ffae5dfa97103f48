"""`ig4 doctor`: what works here, without giving secrets away."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest
from click.testing import CliRunner

from ig4.cli.doctor import doctor

PARTS = ("Extras", "Device", "Model caches", "Environment", "Database")


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run `ig4 doctor …` in an empty folder, with empty caches."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name in ("HF_HOME", "HF_HUB_CACHE", "TORCH_HOME", "IG4_DB"):
        monkeypatch.delenv(name, raising=False)
    return lambda *arguments: CliRunner().invoke(doctor, arguments)


def test_every_part_of_the_report_has_its_heading(run):
    result = run()
    assert result.exit_code == 0, result.output
    assert [line for line in result.stdout.splitlines() if line in PARTS] == list(PARTS)
    assert result.stdout.splitlines()[-1] == "Nothing is broken."


def test_extras_are_told_with_the_versions_of_their_parts(run):
    extras = json.loads(run("--json").stdout)["extras"]
    assert set(extras) >= {"clip", "reward", "gpt", "claude", "train", "ray", "report"}
    assert set(extras["clip"]) >= {"torch", "open_clip_torch", "scikit-learn"}
    assert "dev" not in extras


def test_the_device_is_the_one_that_models_will_run_on(run):
    from ig4.plugins.models import hardware

    device = json.loads(run("--json").stdout)["device"]
    assert device["device"] == hardware.device()
    assert device["precision"] in device["fast_precisions"]
    assert f"auto precision {device['precision']}" in run().stdout


@pytest.mark.slow
def test_looking_at_the_device_loads_no_torch(tmp_path):
    code = (
        "import sys; from ig4.cli.doctor import gather; gather(None);"
        "print([m for m in ('torch', 'sklearn', 'transformers') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_a_key_is_said_to_be_set_and_never_shown(run, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
    monkeypatch.setenv("HTTPS_PROXY", "http://user:very-secret@proxy")
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    text, report = run().stdout, json.loads(run("--json").stdout)
    assert report["keys"]["OPENAI_API_KEY"] is True
    assert report["keys"]["ANTHROPIC_API_KEY"] is False
    assert report["proxies"]["HTTPS_PROXY"] is True
    assert "OPENAI_API_KEY" in text
    assert "very-secret" not in text + json.dumps(report)


def test_caches_are_told_with_their_size(run, tmp_path):
    hub = tmp_path / "cache" / "huggingface" / "hub"
    hub.mkdir(parents=True)
    (hub / "weights.bin").write_bytes(bytes(2_000_000))
    caches = {cache["name"]: cache for cache in json.loads(run("--json").stdout)["caches"]}
    assert caches["Hugging Face"]["bytes"] == 2_000_000
    assert caches["PyTorch"]["exists"] is False
    assert "(2.0 MB)" in run().stdout


def test_a_database_that_is_not_there_is_no_fault_and_is_not_made(run, tmp_path):
    report = json.loads(run("--json").stdout)
    assert report["database"]["exists"] is False
    assert report["problems"] == []
    assert not (tmp_path / "ig4.db").exists()


def test_a_file_that_is_no_database_is_a_problem(run, tmp_path):
    (tmp_path / "ig4.db").write_text("this is not a database, whatever its name says" * 50)
    result = run()
    assert result.exit_code == 1
    assert "ig4.db" in result.stdout.partition("Broken")[2]


def test_a_database_of_another_program_is_a_problem(run, tmp_path):
    with closing(sqlite3.connect(tmp_path / "ig4.db")) as connection, connection:
        connection.execute("CREATE TABLE birds (name TEXT)")
    assert "has no ig4 tables" in run().stdout.partition("Broken")[2]


def test_a_database_of_a_newer_ig4_is_a_problem_with_a_remedy(run, tmp_path):
    with closing(sqlite3.connect(tmp_path / "ig4.db")) as connection, connection:
        connection.execute("CREATE TABLE alembic_version (version_num TEXT)")
        connection.execute("INSERT INTO alembic_version VALUES ('9999')")
    result = run()
    assert result.exit_code == 1
    assert "ig4" in result.stdout.partition("Broken")[2]
    assert "upgrade" in result.stdout.partition("Broken")[2]


@pytest.mark.slow
def test_broken_plugins_are_told_and_make_it_fail(run, broken_site, monkeypatch):
    monkeypatch.syspath_prepend(broken_site)
    result = run()
    assert result.exit_code == 1
    broken = result.stdout.partition("Broken")[2]
    assert "a_library_that_nobody_has" in broken
    assert "did you mean ig4_components?" in broken
    assert "scorer 'shout' of ig4-broken" in broken


def test_the_database_can_be_named(run, tmp_path, monkeypatch):
    monkeypatch.setenv("IG4_DB", "other.db")
    assert "other.db" in json.loads(run("--json").stdout)["database"]["location"]
    assert (
        "third.db" in json.loads(run("--db", "third.db", "--json").stdout)["database"]["location"]
    )


@pytest.mark.parametrize("location", ["mysql://me:hush@h/x", "mysql://h/x?user=me&password=hush"])
def test_the_password_of_a_database_that_cannot_be_used_is_not_told(run, location):
    assert "hush" not in run("--db", location).output
