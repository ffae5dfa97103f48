"""No command writes a key or a password into the score database, or prints one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import update

from ig4.cli.main import cli, main
from ig4.storage.schema import Run
from ig4.storage.store import Store

SECRET = "hush-Hush-4711"

OPTIONS = [
    "gpt.api_key={}",
    "length.token={}",
    "gpt.base_url=http://me:{}@localhost:9/v1",
    "gpt.base_url=http://{}@localhost:9/v1",
    "gpt.base_url=http://localhost:9/v1?api-key={}",
    'gpt.extra={{"api_key":"{}"}}',
    'gpt.extra={{"extra_headers":{{"Authorization":"Bearer {}"}}}}',
    "unknown.password={}",
    "length.unit=https://h/?sig={}",
]

COMMANDS = [
    ["score", "--scorers", "length,gpt"],
    ["run", "rows.jsonl", "--scorers", "length,gpt", "--clusterer", "none", "--size", "2"],
    ["cluster", "--k", "1"],
    ["select", "--scorers", "length", "--selector", "topk", "--size", "2"],
    ["judge", "answers.jsonl", "answers.jsonl", "--questions", "questions.jsonl", "--judge", "gpt"],
    ["train", "--selection", "last"],
    ["ablate", "--benchmarks", "vqa"],
]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("IG4_DB", raising=False)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    rows = [{"id": f"s{n}", "instruction": "What?", "answer": "word " * n} for n in range(1, 5)]
    Path("rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    Path("questions.jsonl").write_text('{"question_id": 1, "text": "What?"}\n')
    Path("answers.jsonl").write_text('{"question_id": 1, "text": "This."}\n')
    assert CliRunner().invoke(cli, ["ingest", "rows.jsonl"]).exit_code == 0
    return tmp_path


def stored(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.glob("ig4.db*"))


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_no_command_records_or_shows_a_secret(folder, capsys, command):
    for option in OPTIONS:
        option = option.format(SECRET)
        with pytest.raises(SystemExit):
            main([*command, "-o", option])
        printed = capsys.readouterr()
        assert SECRET not in printed.out + printed.err, option
        assert SECRET.encode() not in stored(folder), option


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_no_command_records_or_shows_a_secret_of_ig4_toml(folder, capsys, command):
    Path("ig4.toml").write_text(
        f'[scorers.length]\ntoken = "{SECRET}"\n[judges.gpt]\nbase_url = "http://u:{SECRET}@h"\n'
        f'[clusterers.other]\nuse = "kmeans"\npassword = "{SECRET}"\n'
    )
    with pytest.raises(SystemExit):
        main(command)
    printed = capsys.readouterr()
    assert SECRET not in printed.out + printed.err
    assert SECRET.encode() not in stored(folder)


IN_THE_FILE = {
    "scorers.gpt.api_key": '[scorers.gpt]\nmodel = "m"\napi_key = "{}"',
    "scorers.gpt.extra.api_key": '[scorers.gpt.extra]\napi_key = "{}"',
    "judges.gpt.base_url": '[judges.gpt]\nbase_url = "http://u:{}@h/v1"',
    "trainers.mine.hf_token": '[trainers.mine]\nuse = "hf"\nhf_token = "{}"',
    "dataset.options.password": '[dataset.options]\npassword = "{}"',
    "export.options.x": '[export.options]\nx = "https://h/?sig={}"',
    "ablate.arms.a.options.api_key": '[ablate.arms.a.options]\napi_key = "{}"',
    "calls.api_key": '[calls]\napi_key = "{}"',
    "api_key": 'api_key = "{}"',
    "run.executor": '[run]\nexecutor = "sk-aB1{}"',
}
READING = [
    *COMMANDS, ["runs"], ["costs"], ["scores"], ["batch", "list"], ["query", "SELECT 1"],
    ["db", "check"], ["doctor"], ["export", "out.json"], ["ingest", "rows.jsonl"],
    ["eval", "show"], ["judge", "show"], ["train", "show"], ["select", "--size", "1"],
]  # fmt: skip


@pytest.mark.parametrize("place", IN_THE_FILE)
def test_a_key_in_ig4_toml_is_refused_wherever_it_is(folder, capsys, place):
    Path("ig4.toml").write_text(IN_THE_FILE[place].format("hush-Hush-4711-hush-Hush"))
    before = stored(folder)
    with pytest.raises(SystemExit) as ended:
        main(["score", "--scorers", "length"])
    assert ended.value.code != 0
    printed = capsys.readouterr()
    assert f"ig4.toml: {place} holds a key or a password" in printed.err
    assert "environment variable" in printed.err
    assert "hush" not in (printed.out + printed.err).lower()
    assert stored(folder) == before


@pytest.mark.parametrize("command", READING, ids=" ".join)
def test_so_it_is_by_every_command_that_reads_the_file(folder, capsys, command):
    Path("ig4.toml").write_text(f'[scorers.gpt]\napi_key = "{SECRET}"\n')
    before = stored(folder)
    with pytest.raises(SystemExit) as ended:
        main(command)
    assert ended.value.code != 0
    printed = capsys.readouterr()
    assert "scorers.gpt.api_key holds a key or a password" in printed.err
    assert SECRET not in printed.out + printed.err
    assert stored(folder) == before


def test_what_is_no_key_may_stand_in_ig4_toml(folder):
    Path("ig4.toml").write_text(
        'db = "ig4.db"\n[calls]\ntokens_per_minute = 9\n'
        '[trainers.mine]\nuse = "hf"\nimage_token = "<image>"\n[scorers.length]\nunit = "words"\n'
    )
    done = CliRunner().invoke(cli, ["score", "--scorers", "length"])
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize("option", OPTIONS[:7])
def test_a_refused_option_leaves_no_run_behind(folder, option):
    option = option.format(SECRET)
    done = CliRunner().invoke(cli, ["score", "--scorers", "length,gpt", "-o", option])
    assert done.exit_code != 0
    rows = CliRunner().invoke(cli, ["query", "SELECT command FROM runs", "--json"])
    assert [row["command"] for row in json.loads(rows.stdout)] == ["ingest"]


def test_the_remedy_is_named(folder):
    options = ["-o", f'gpt.extra={{"api_key": "{SECRET}"}}', "-o", "gpt.model=m"]
    done = CliRunner().invoke(cli, ["score", "--scorers", "gpt", *options])
    assert "gpt.extra.api_key: a key or password in an option would be recorded" in str(
        done.exception
    )
    assert "environment variable" in str(done.exception)


def test_what_an_older_ig4_recorded_can_be_scrubbed(folder):
    config = {"scorers": {"gpt": {"api_key": SECRET, "base_url": f"http://u:{SECRET}@h"}}}
    with Store.open("ig4.db") as store, store.writing() as connection:
        connection.execute(update(Run).values(config=config))
    assert SECRET.encode() in stored(folder)
    done = CliRunner().invoke(cli, ["db", "scrub", "--json"])
    assert json.loads(done.stdout)["scrubbed"] == 1
    assert "change the keys" in done.stderr
    assert SECRET.encode() not in stored(folder)
    again = CliRunner().invoke(cli, ["db", "scrub", "--json"])
    assert json.loads(again.stdout)["scrubbed"] == 0
    shown = CliRunner().invoke(cli, ["runs", "1", "--json"])
    assert json.loads(shown.stdout)["config"]["scorers"]["gpt"]["api_key"] == "[secret]"
