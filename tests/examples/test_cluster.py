"""The cluster's scripts do what they say, as far as one machine can tell.

There is no Slurm, no Docker and one machine here: `sbatch` is a script that runs what it is given
once for each index of the array, compose's commands run side by side against a PostgreSQL server,
and the Ray job runs on a cluster that it starts itself.
"""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, suppress
from pathlib import Path

import click
import pytest

from ig4.cli.main import COMMANDS, cli
from ig4.core.engine.checking import check
from ig4.storage.store import Store

from ..harbour import N, write_data
from ..storage.conftest import database
from ..storage.conftest import postgres as postgres
from ..storage.conftest import template as template

FOLDER = Path(__file__).resolve().parents[2] / "examples" / "cluster"
SCORED = N - 1  # two of the samples are equal

SBATCH = """#!/bin/bash
# What Slurm does of `sbatch`: it runs a copy of the script, once for each index of the array.
array="" script=""
for word in "$@"; do
  case $word in --array=*) array=${word#--array=} ;; --*) ;; *) script=$word ;; esac
done
spooled=$(mktemp) && cp "$script" "$spooled"
if [[ -n $array ]]; then
  for ((n = ${array%-*}; n <= ${array#*-}; n++)); do
    SLURM_ARRAY_TASK_ID=$n SLURM_ARRAY_TASK_MAX=${array#*-} bash "$spooled" >&2 || exit 1
  done
  echo "17;cluster"
else
  bash "$spooled" >&2 || exit 1
  echo 18
fi
"""

HAS_SHARDS = any("--shard" in one.opts for one in cli.get_command(None, "score").params)
needs_shards = pytest.mark.skipif(not HAS_SHARDS, reason="this ig4 has no `ig4 score --shard`")


@pytest.fixture
def tools(tmp_path):
    """An environment in which `ig4` is the one under test, and `sbatch` is there."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, text in {"ig4": f'#!/bin/bash\nexec "{sys.executable}" -m ig4 "$@"\n',
                       "sbatch": SBATCH}.items():  # fmt: skip
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    (tmp_path / "node").mkdir()
    return {
        **os.environ,
        "PATH": f"{folder}:{os.environ['PATH']}",
        "SLURM_TMPDIR": str(tmp_path / "node"),
        "DATASET": str(write_data(tmp_path / "data")),
        "NAME": "harbour",
        "SCORERS": "length",
        "OUT": str(tmp_path / "out"),
    }


def scripts() -> list[Path]:
    return sorted(p for p in FOLDER.rglob("*") if p.suffix in (".sh", ".sbatch"))


@pytest.mark.parametrize("script", scripts(), ids=lambda path: path.name)
def test_every_script_is_one_for_bash(script):
    subprocess.run(["bash", "-n", script], check=True)


def words_of(script: Path) -> list[list[str]]:
    """Return the words of each command of ig4 in a script, up to what the shell makes of others."""
    text = script.read_text().replace("\\\n", " ")
    found = re.findall(r"^(?:run )?ig4 (.*?)(?: \|\| status.*)?$", text, re.MULTILINE)
    return [[word.strip('"') for word in line.split()] for line in found]


def options_of(words: list[str]) -> tuple[click.Command, list[str]]:
    """Return the command that words call, and the options that they give it."""
    command: click.Command = cli
    for word in words:
        if not isinstance(command, click.Group) or word.startswith("-"):
            break
        command = command.get_command(click.Context(command), word)
        assert command is not None, words
    return command, [word.partition("=")[0] for word in words if re.match(r"^--?[a-z]", word)]


def assert_known(words: list[str]) -> None:
    command, options = options_of(words)
    known = {name for one in command.params for name in (*one.opts, *one.secondary_opts)}
    unknown = set(options) - known - (set() if HAS_SHARDS else {"--shard"})
    assert not unknown, f"ig4 {' '.join(words)}"


@pytest.mark.parametrize("script", scripts(), ids=lambda path: path.name)
def test_every_command_of_a_script_is_one_of_ig4(script):
    for words in words_of(script):
        assert words[0] in COMMANDS
        assert_known(words)
    if script.name in ("score.sbatch", "merge.sbatch", "score.sh"):
        assert len(words_of(script)) >= 2


def scores(path) -> dict[str, float]:
    with closing(sqlite3.connect(path)) as connection:
        return dict(connection.execute("SELECT external_id, value FROM scores_long").fetchall())


def count_vectors(path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT count(*) FROM embeddings").fetchone()[0]


@pytest.mark.slow
@needs_shards
def test_an_array_of_jobs_scores_all_and_its_databases_become_one(tools, tmp_path):
    submit = ["bash", FOLDER / "slurm" / "submit.sh"]
    # The scorer has one batch for all samples, the embedder some for each job.
    options = {"SHARDS": "3", "SCORE_OPTIONS": "--spaces phash -o phash.batch_size=8"}
    done = subprocess.run(
        submit, env={**tools, **options}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "shards: job 17; merge: job 18\n"
    out = tmp_path / "out"
    parts = [scores(out / f"shard-{n}.db") for n in (1, 2, 3)]
    whole = scores(out / "all.db")
    assert len(whole) == sum(map(len, parts)) == N
    embedded = [count_vectors(out / f"shard-{n}.db") for n in (1, 2, 3)]
    assert all(embedded)
    assert count_vectors(out / "all.db") == sum(embedded)
    assert whole == {name: value for part in parts for name, value in part.items()}
    assert "length: nothing to do" in done.stdout + done.stderr
    assert check(out / "all.db").sound
    assert list((tmp_path / "node").iterdir()) == []


@pytest.mark.slow
@needs_shards
def test_a_job_that_is_queued_again_goes_on_from_its_copy(tools, tmp_path):
    job = ["bash", FOLDER / "slurm" / "score.sbatch"]
    environment = {**tools, "SLURM_ARRAY_TASK_ID": "1", "SHARDS": "3"}
    for _ in range(2):
        done = subprocess.run(job, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    assert "nothing to do" in done.stdout


def has_samples(folder) -> bool:
    """Tell whether a database in a folder has read the data set by now."""
    for path in folder.rglob("ig4.db"):
        with closing(sqlite3.connect(path)) as connection, suppress(sqlite3.Error):
            return connection.execute("SELECT count(*) FROM samples").fetchone() == (N,)
    return False


@pytest.mark.slow
@needs_shards
def test_a_job_whose_time_is_up_keeps_what_it_has(tools, tmp_path):
    job = ["bash", FOLDER / "slurm" / "score.sbatch"]
    environment = {**tools, "SLURM_ARRAY_TASK_ID": "1", "SHARDS": "3"}
    process = subprocess.Popen(job, env=environment, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while not has_samples(tmp_path / "node") and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    process.wait(60)
    assert check(tmp_path / "out" / "shard-1.db").sound
    assert list((tmp_path / "node").iterdir()) == []


def compose() -> dict:
    yaml = pytest.importorskip("yaml")
    return yaml.safe_load((FOLDER / "compose" / "compose.yaml").read_text())


def substituted(words, values) -> list[str]:
    """Return words with what compose puts in the place of `${NAME:-default}`."""

    def value(match: re.Match[str]) -> str:
        return values.get(match["name"], match["default"] or "")

    pattern = r"\$\{(?P<name>\w+)(?::-(?P<default>[^}]*))?\}"
    return [re.sub(pattern, value, word) for word in words]


def test_the_services_of_compose_wait_for_each_other_and_call_ig4(tmp_path):
    found = compose()
    services = found["services"]
    assert set(services) == {"db", "ingest", "scorer", "ig4"}
    for name in ("ingest", "scorer", "ig4"):
        words = substituted(services[name]["command"], {})
        assert words[0] in COMMANDS
        assert_known(words)
        assert services[name]["environment"]["IG4_DB"] == "postgresql://ig4@db/ig4"
    waits = {name: set(one.get("depends_on", {})) for name, one in services.items()}
    assert waits == {"db": set(), "ingest": {"db"}, "scorer": {"ingest"}, "ig4": {"db"}}
    named = {line.partition(":")[0] for one in services.values() for line in one.get("volumes", [])}
    assert {name for name in named if not name.startswith("$")} == set(found["volumes"])


def test_the_example_of_settings_names_what_compose_asks_for():
    text = (FOLDER / "compose" / "compose.yaml").read_text()
    asked = set(re.findall(r"\$\{(\w+)", text))
    example = (FOLDER / "compose" / ".env.example").read_text()
    assert asked == set(re.findall(r"^(\w+)=", example, re.MULTILINE))
    assert re.search(r"^POSTGRES_PASSWORD=$", example, re.MULTILINE)  # nobody's by default


def test_the_image_installs_extras_that_there_are():
    text = (FOLDER / "compose" / "Dockerfile").read_text()
    extras = re.search(r'"\.\[(?P<names>[^]]+)\]"', text)["names"].split(",")
    tomllib = __import__("tomllib")
    project = tomllib.loads((FOLDER.parents[1] / "pyproject.toml").read_text())["project"]
    assert set(extras) <= set(project["optional-dependencies"])
    assert (FOLDER / "compose" / "Dockerfile.dockerignore").is_file()


@pytest.mark.slow
@pytest.mark.postgres
def test_the_commands_of_compose_score_all_on_one_server(tools, tmp_path, postgres, template):
    services = compose()["services"]
    values = {"DATASET": "llava.json", "NAME": "harbour", "SCORERS": "length"}
    with database(postgres, template) as url:
        environment = {**tools, "IG4_DB": url, "IG4_VECTORS": str(tmp_path / "vectors")}

        def started(service: str) -> subprocess.Popen:
            words = substituted(services[service]["command"], values)
            words = [word.replace("/data/", f"{tmp_path / 'data'}/") for word in words]
            return subprocess.Popen(["ig4", *words], env=environment, stderr=subprocess.PIPE)

        assert started("ingest").wait(60) == 0
        scorers = [started("scorer") for _ in range(services["scorer"]["deploy"]["replicas"])]
        assert [one.wait(120) for one in scorers] == [0, 0, 0, 0]
        told = ["query", "SELECT count(*) AS n FROM scores WHERE value IS NOT NULL", "--json"]
        found = subprocess.run(
            ["ig4", *told], env=environment, capture_output=True, text=True, check=True
        )
        assert json.loads(found.stdout) == [{"n": SCORED}]
        assert check(url).sound


@pytest.mark.slow
def test_the_job_of_ray_scores_what_one_process_scores(tools, tmp_path):
    pytest.importorskip("ray")
    environment = {
        **tools, "ACTORS": "2", "GPUS": "0", "CPUS": "0.5", "IG4_DB": str(tmp_path / "ray.db"),
    }  # fmt: skip
    environment.pop("RAY_ADDRESS", None)
    done = subprocess.run(
        ["bash", FOLDER / "ray" / "score.sh"], env=environment, capture_output=True, text=True,
        check=False, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    whole = tmp_path / "whole.db"
    for words in (
        ["ingest", tools["DATASET"], "--name", "harbour"], ["score", "--scorers", "length"],
    ):  # fmt: skip
        subprocess.run(["ig4", *words, "--db", whole, "-q"], env=tools, check=True)
    assert scores(tmp_path / "ray.db") == scores(whole)
    with Store.open(whole, create=False):
        assert len(scores(whole)) == N
