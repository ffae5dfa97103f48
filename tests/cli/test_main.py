"""The command line as people meet it: exit codes, one-line errors, help, results on stdout."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, suppress
from importlib import import_module

import pytest
from PIL import Image

from ig4.cli.main import COMMANDS

from ..forking import Forked
from ..processes import environment

pytestmark = pytest.mark.slow

LLAVA = [
    {
        "id": f"s{n}",
        "image": f"{n}.png",
        "conversations": [
            {"from": "human", "value": "<image>\nWhat?"},
            {"from": "gpt", "value": "word " * (n + 1)},
        ],
    }
    for n in range(6)
]


@pytest.fixture
def ig4(tmp_path):
    """Run a command in a folder of its own; `site` adds a folder of plugins.

    With variables of the environment Python starts anew, else as a fork.
    """

    def run(*arguments, site=None, **variables):
        if not variables:
            return Forked(*arguments, cwd=tmp_path, site=site).done()
        return subprocess.run(
            [sys.executable, "-m", "ig4.cli.main", *map(str, arguments)],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env=environment(*([site] if site else []), **variables),
            check=False,
        )

    return run


@pytest.fixture
def data(tmp_path):
    (tmp_path / "set").mkdir()
    for n in range(6):
        Image.new("RGB", (8, 8), (n * 40, 0, 0)).save(tmp_path / "set" / f"{n}.png")
    path = tmp_path / "set" / "llava.json"
    path.write_text(json.dumps(LLAVA))
    return path


def run_length(ig4, data, *more, **options):
    flags = ["--scorers", "length", "--clusterer", "none", "--selector", "topk", "--size", "2"]
    return ig4("run", data, *flags, *more, **options)


@pytest.mark.parametrize("name", COMMANDS)
def test_short_help_is_the_first_line_of_the_command(name):
    module, _, attribute = COMMANDS[name][0].partition(":")
    command = getattr(import_module(module), attribute)
    assert (command.help or "").strip().splitlines()[0] == COMMANDS[name][1]


def test_importing_ig4_and_asking_for_help_loads_nothing_heavy():
    heavy = ("torch", "sqlalchemy", "numpy", "pydantic", "rich", "sklearn", "open_clip", "PIL")
    code = (
        "import sys, ig4, ig4.cli.main as m\n"
        "try: m.main(['--help'])\n"
        "except SystemExit: pass\n"
        f"sys.exit(','.join(n for n in {heavy} if n in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == ""
    assert "Commands:" in done.stdout


def test_a_run_tells_its_result_on_stdout_and_ends_with_0(ig4, data):
    done = run_length(ig4, data, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    report = json.loads(done.stdout)
    assert [row["id"] for row in report["selected"]] == ["s5", "s4"]
    assert report["scored"] == {"length": 6}
    again = json.loads(run_length(ig4, data, "--json").stdout)
    assert again["scored"] == {"length": 0}
    assert again["selected"] == report["selected"]


def test_without_a_data_set_the_one_of_the_database_is_run(ig4, data):
    run_length(ig4, data)
    done = ig4("run", "--scorers", "length", "--clusterer", "none", "--selector", "topk",
               "--size", "1", "--json")  # fmt: skip
    assert [row["id"] for row in json.loads(done.stdout)["selected"]] == ["s5"]


def test_without_a_data_set_the_one_of_ig4_toml_is_run(ig4, data, tmp_path):
    assert ig4("init", "set/llava.json").returncode == 0
    assert "there is an ig4.toml here already" in ig4("init").stderr
    flags = ["--scorers", "length", "--clusterer", "none", "--selector", "topk", "--size", "1"]
    done = ig4("run", *flags, "--json")  # the file's weight of clip is of no use here
    assert [row["id"] for row in json.loads(done.stdout)["selected"]] == ["s5"]


def test_failed_samples_end_with_3_and_say_what_to_do(ig4, data):
    records = [*LLAVA, {**LLAVA[0], "id": "empty", "conversations": [
        {"from": "human", "value": "What?"}, {"from": "gpt", "value": ""}]}]  # fmt: skip
    data.write_text(json.dumps(records))
    done = run_length(ig4, data)
    assert done.returncode == 3
    assert "length: 1 sample failed" in done.stderr
    assert "--retry-failed" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["run", "nowhere"], 1, "nowhere"),
        (["run", "set", "--scorers", "lenght"], 2, "did you mean length?"),
        (["run", "set", "--scorers", "length", "-o", "length.unti=words"], 2, "did you mean unit?"),
        (["run", "set", "--scorers", "length", "-o", "gpt.model=x"], 2, "'gpt' is not used here"),
        (["run", "set", "--scorers", "length", "-o", "nonsense"], 2, "NAME.KEY=VALUE"),
        (["run", "set", "--weights", "clip:1"], 2, "NAME=NUMBER"),
        (["select", "--size", "2"], 1, "no score database"),
        (["slect"], 2, "did you mean select?"),
        (["run", "set", "--db", "mysql://x/y"], 1, "mysql databases are not supported"),
        (["query", "--db", "none.db", "SELECT 1"], 1, "no score database"),
    ],
)
def test_errors_are_one_line_without_a_traceback(ig4, data, arguments, code, message):
    done = ig4(*arguments)
    assert done.returncode == code, done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_third_partys_scorer_and_clusterer_are_used_by_name(ig4, data, plugin_site):
    pytest.importorskip("open_clip")
    (data.parent.parent / "ig4.toml").write_text('[embedders.clip]\nmodel = "ig4-tiny"\n')
    done = ig4(
        "run", data, "--scorers", "vowels,length", "--clusterer", "bands", "--k", "3",
        "--size", "3", "--weights", "vowels=1,length=0.1", "--json", site=plugin_site,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["scored"] == {"vowels": 6, "length": 6}
    assert sum(report["clusters"].values()) == 6


def test_a_broken_plugin_disturbs_nobody(ig4, data, broken_site):
    done = run_length(ig4, data, site=broken_site)
    assert (done.returncode, done.stderr) == (0, "")
    assert "broken" in ig4("plugins", site=broken_site).stdout


def test_queries_print_tables_json_and_csv_and_cannot_write(ig4, data):
    run_length(ig4, data)
    sql = "SELECT external_id, length FROM scores_wide ORDER BY length DESC LIMIT 2"
    assert json.loads(ig4("query", sql, "--json").stdout) == [
        {"external_id": "s5", "length": 30.0},
        {"external_id": "s4", "length": 25.0},
    ]
    rows = list(csv.reader(io.StringIO(ig4("query", sql, "--csv").stdout)))
    assert rows == [["external_id", "length"], ["s5", "30.0"], ["s4", "25.0"]]
    assert "s5" in ig4("query", sql).stdout
    refused = ig4("query", "DELETE FROM scores")
    assert refused.returncode == 2
    assert "only reads" in refused.stderr


@pytest.mark.parametrize(
    ("environment", "encoding", "shown"),
    [
        ({"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, "utf-8", "猫\u2028"),
        ({"PYTHONIOENCODING": "cp1252"}, "cp1252", "??"),
    ],
)
@pytest.mark.parametrize("flag", ["--json", "--csv"])
def test_text_that_the_systems_encoding_lacks_is_no_error(
    ig4, data, tmp_path, environment, encoding, shown, flag
):
    ig4("ingest", data)
    command = [sys.executable, "-m", "ig4.cli.main"]
    done = subprocess.run(
        [*command, "query", "SELECT char(0x732b, 0x2028) AS t", flag],
        cwd=tmp_path, env={**os.environ, **environment}, capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert shown in done.stdout.decode(encoding)


def test_explain_tells_why_a_sample_is_not_selected(ig4, data):
    run_length(ig4, data)
    flags = ["--selector", "topk", "--size", "2", "--explain", "s0"]
    report = json.loads(ig4("select", *flags, "--json").stdout)
    assert report["selected"] is False
    assert report["scores"]["length"]["value"] == 5.0
    assert (report["place"], report["quota"]) == (6, 2)
    assert report["distance"] < 0
    assert "not selected" in ig4("select", *flags).stdout


def test_a_dry_run_computes_nothing_and_makes_no_database(ig4, data, tmp_path):
    done = run_length(ig4, data, "--dry-run", "--json")
    assert json.loads(done.stdout)["calls"] == {"length": 6}
    assert not (tmp_path / "ig4.db").exists()


def test_imported_scores_and_clusters_stand_in_for_computed_ones(ig4, data, tmp_path):
    ig4("ingest", data)
    scores = [{"id": f"s{n}", "score": 10 * n} for n in range(6)]
    (tmp_path / "scores.json").write_text(json.dumps(scores))
    (tmp_path / "clusters.json").write_text(
        json.dumps({"0": ["s0", "s1", "s2"], "1": ["s3", "s4", "s5"]})
    )
    ig4("import-scores", "scores.json", "--as", "reward", "--column", "score", "--multiply", "0.1")
    ig4("import-clusters", "clusters.json", "--as", "spectral")
    done = ig4("run", "--scorers", "reward", "--size", "2", "--json")
    assert "the imported scores are used" in done.stderr
    rows = json.loads(done.stdout)["selected"]
    assert [(row["id"], row["cluster"], row["final_score"]) for row in rows] == [
        ("s5", 1, pytest.approx(5.0)),
        ("s2", 0, pytest.approx(2.0)),
    ]


SLOW = """
import time
from ig4.core.contracts import Scorer
from ig4.core.hookspecs import hookimpl
from ig4.core.records import Component, Score

class Slow(Scorer):
    batch_size = 1
    def score(self, batch):
        time.sleep(0.3)
        return [Score(1.0)] * len(batch)

@hookimpl
def ig4_components():
    return [Component("scorer", "slow", "slow_plugin:Slow")]
"""


def wait_until_it_counts(db, sql):
    """Ask the database itself: `ig4 query` may take longer than what is waited for."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        with (
            suppress(sqlite3.OperationalError),  # there is no database yet, or no table in it
            closing(sqlite3.connect(f"file:{db}?mode=ro", uri=True)) as asked,
        ):
            if asked.execute(sql).fetchone()[0]:
                return
        time.sleep(0.01)
    pytest.fail("nothing was scored")


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT to another process there")
def test_ctrl_c_leaves_a_consistent_database_and_says_how_to_go_on(ig4, data, tmp_path):
    site = tmp_path / "site"
    (site / "slow-1.dist-info").mkdir(parents=True)
    (site / "slow_plugin.py").write_text(SLOW)
    (site / "slow-1.dist-info" / "METADATA").write_text("Name: slow\nVersion: 1\n")
    (site / "slow-1.dist-info" / "entry_points.txt").write_text("[ig4]\nslow = slow_plugin\n")
    flags = ["--scorers", "slow", "--clusterer", "none", "--selector", "topk", "--size", "1"]
    process = subprocess.Popen(
        [sys.executable, "-m", "ig4.cli.main", "run", str(data), *flags],
        cwd=tmp_path, env=environment(site), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    count = "SELECT count(*) AS n FROM scores"
    wait_until_it_counts(tmp_path / "ig4.db", count)
    process.send_signal(signal.SIGINT)
    _, report = process.communicate(timeout=30)
    assert process.returncode == 130, report
    assert "continues from there" in report
    assert "Traceback" not in report
    status = "SELECT status FROM runs ORDER BY id DESC LIMIT 1"
    assert json.loads(ig4("query", status, "--json").stdout) == [{"status": "interrupted"}]
    before = json.loads(ig4("query", count, "--json").stdout)[0]["n"]
    done = ig4("run", data, *flags, "--json", site=site)
    assert json.loads(done.stdout)["scored"] == {"slow": 6 - before}


C_LOCALE = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0",
            "PYTHONIOENCODING": "ascii"}  # fmt: skip


def test_a_locale_of_ascii_alone_opens_and_stores_every_name(ig4, tmp_path):
    (tmp_path / "été").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "été" / "日.png")
    record = {**LLAVA[0], "id": "ü", "image": "日.png"}
    (tmp_path / "été" / "a.json").write_text(json.dumps([record]))
    done = ig4("ingest", "été/a.json", "--name", "ü", "--json", **C_LOCALE)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["problems"] == {}
    done = ig4("export", "ö", "--selection", "all", **C_LOCALE)
    assert (done.returncode, "Traceback" in done.stderr) == (0, False)
    assert (tmp_path / "ö" / "日.png").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ("ingest", "caf\udce9.json"),
        ("query", "select 'caf\udce9'"),
    ],
)
def test_what_is_not_utf_8_on_the_command_line_is_named(ig4, tmp_path, arguments):
    for name in ("caf\udce9.json", "plain.json"):
        (tmp_path / name).write_text(json.dumps([{**LLAVA[0], "image": None}]))
    ig4("ingest", "plain.json", "--quiet")
    done = ig4(*arguments)
    assert done.returncode in (1, 2)
    assert "caf\\udce9" in done.stderr
    assert "Traceback" not in done.stderr


LEFT_RUNNING = {
    "thread": "threading.Thread(target=time.sleep, args=(1000,), name='uploader').start()",
    "executor": "ThreadPoolExecutor(1, 'uploader').submit(time.sleep, 1000)",
}


@pytest.fixture
def left_running(tmp_path):
    """Start `ig4 plugins` with a plugin that leaves a thread running."""

    def start(code, **variables):
        info = tmp_path / "ig4_late-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: ig4-late\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text("[ig4]\nlate = late_plugin\n")
        (tmp_path / "late_plugin.py").write_text(
            "import threading, time\nfrom concurrent.futures import ThreadPoolExecutor\n"
            f"def start():\n    {code}\nstart()\n"
        )
        return subprocess.Popen(
            [sys.executable, "-m", "ig4", "plugins", "--json"],
            env=environment(tmp_path, **variables), cwd=tmp_path, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    return start


@pytest.mark.parametrize("code", LEFT_RUNNING.values(), ids=LEFT_RUNNING)
def test_a_command_ends_although_a_plugin_left_a_thread_running(left_running, code):
    process = left_running(code, IG4_PLUGIN_TIMEOUT="1")
    out, err = process.communicate(timeout=30)
    assert process.returncode == 0
    assert json.loads(out)
    assert "ended without waiting any longer for thread 'uploader" in err
    assert "Traceback" not in err


def test_so_does_one_that_ends_on_a_fault_of_which_the_traceback_is_shown(tmp_path):
    code = (
        "import threading, time\nfrom ig4.cli import main\n"
        "def fail(*args, **more):\n"
        "    threading.Thread(target=time.sleep, args=(1000,), name='uploader').start()\n"
        "    raise ZeroDivisionError('a fault')\n"
        "main.cli.main = fail\nmain.main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment(tmp_path, IG4_PLUGIN_TIMEOUT="1"),
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "ZeroDivisionError: a fault" in done.stderr
    assert "ended without waiting any longer for thread 'uploader" in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="a process cannot send itself Ctrl-C")
def test_ctrl_c_ends_the_wait_for_such_a_thread_without_a_traceback(left_running):
    process = left_running(LEFT_RUNNING["thread"])
    assert "waiting for thread 'uploader'" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, "")
