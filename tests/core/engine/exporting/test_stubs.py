"""Selections as LLaMA-Factory, ms-swift and TRL read them, with a configuration beside."""

from __future__ import annotations

import ast
import json

import pytest
from click.testing import CliRunner

from ig4.cli.main import cli
from ig4.core.engine.exporting.stubs import DATA, MODEL, write_stub

from ...conftest import Folder, record

ODD = 'C:\\models\\my "own": model # 7 {x}'


@pytest.fixture
def exported(tmp_path, monkeypatch):
    """Export a data set by a command for a trainer; gives the folder."""
    monkeypatch.chdir(tmp_path)

    def _exported(trainer, *more, records=()):
        folder = Folder(tmp_path / "set")
        folder.picture("a.png", (1, 2, 3))
        rows = records or (record("a", "yes", "a.png"), record("b", "no"))
        path = folder.write(*rows).path
        for arguments in (
            ["ingest", str(path), "-q"],
            ["export", "out", "--for", trainer, "--selection", "all", "--images", "copy", *more],
        ):
            done = CliRunner().invoke(cli, arguments)
            assert done.exit_code == 0, done.output
        return tmp_path / "out"

    return _exported


def yaml_of(path):
    yaml = pytest.importorskip("yaml")
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def test_llama_factory_finds_the_columns_that_its_list_of_data_sets_names(exported):
    folder = exported("llamafactory")
    entry = json.loads((folder / "dataset_info.json").read_text())["ig4"]
    rows = json.loads((folder / entry["file_name"]).read_text())
    tags = entry["tags"]
    first = rows[0][entry["columns"]["messages"]]
    assert [turn[tags["role_tag"]] for turn in first] == [tags["user_tag"], tags["assistant_tag"]]
    assert first[0][tags["content_tag"]].count("<image>") == 1
    assert (folder / rows[0][entry["columns"]["images"]][0]).is_file()
    config = yaml_of(folder / "train.yaml")
    assert (config["dataset"], config["dataset_dir"], config["stage"]) == ("ig4", ".", "sft")
    assert config["model_name_or_path"] == MODEL


def test_half_a_surrogate_in_a_sample_does_not_spoil_the_file(exported):
    """Arrow, with which all three trainers read, refuses the whole file for it."""
    folder = exported("swift", records=(record("b", "half \ud800"),))
    assert b"\\ud800" not in (folder / "data.jsonl").read_bytes()
    assert "half ?" in (folder / "data.jsonl").read_text()


def test_llama_factory_is_told_of_no_images_where_there_are_none(exported):
    folder = exported("llamafactory", records=(record("b", "no"),))
    entry = json.loads((folder / "dataset_info.json").read_text())["ig4"]
    assert entry["columns"] == {"messages": "messages"}


@pytest.mark.slow
def test_swift_reads_messages_and_images_beside_its_configuration(exported):
    folder = exported("swift")
    config = yaml_of(folder / "train.yaml")
    (name,) = config["dataset"]
    rows = [json.loads(line) for line in (folder / name).read_text().splitlines()]
    assert rows[0]["messages"][0]["content"].count("<image>") == len(rows[0]["images"]) == 1
    assert (folder / rows[0]["images"][0]).is_file()
    assert all(isinstance(value, (str, int)) for value in config["ENV"].values())


def test_what_trl_learns_is_the_last_answer(exported):
    folder = exported("trl")
    namespace = {"__name__": "stub", "__file__": str(folder / "train.py")}
    tree = ast.parse((folder / "train.py").read_text())
    heavy = {"torch", "datasets", "peft", "trl"}
    tree.body = [
        node
        for node in tree.body
        if not (isinstance(node, ast.Import) and node.names[0].name in heavy)
        and not (isinstance(node, ast.ImportFrom) and node.module in heavy)
    ]
    exec(compile(tree, "train.py", "exec"), namespace)
    rows = [namespace["example"](line) for line in (folder / "data.jsonl").open()]
    assert rows[0]["prompt"] == [{"role": "user", "content": "What is this?"}]
    assert rows[0]["completion"] == [{"role": "assistant", "content": "yes"}]
    assert rows[0]["images"] == [str(folder / "a.png")]
    assert rows[1]["images"] == []


@pytest.mark.parametrize("trainer", DATA)
def test_any_model_name_stays_what_it_is(tmp_path, trainer):
    *_, file = write_stub(trainer, tmp_path, ODD)
    if trainer == "trl":
        texts = [n.value for n in ast.walk(ast.parse(file.read_text()))
                 if isinstance(n, ast.Constant)]  # fmt: skip
        assert ODD in texts
    else:
        config = yaml_of(file)
        assert ODD in (config.get("model"), config.get("model_name_or_path"))


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments",
    [["--for", "trl", "--format", "csv"], ["--for", "axolotl"], ["--model", "x"]],
)
def test_what_does_not_go_together_is_wrong_usage(exported, arguments):
    exported("trl")
    done = CliRunner().invoke(cli, ["export", "other", "--selection", "all", *arguments])
    assert done.exit_code != 0
