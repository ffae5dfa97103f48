"""Every block of commands that a page shows is run, or says why it is not."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tomllib

import pytest

from .blocks import ROOT, blocks, commented, pages
from .stage import SIZE, invoke, needs

pytestmark = pytest.mark.slow

IN_ORDER = ("tour.md", "quickstart.md")
"""Pages whose blocks build on those before, in a folder that is empty at first."""

BLOCKS = [block for page in pages() for block in blocks(page)]
RUN = [block for block in BLOCKS if block.not_run is None]
EXTRAS = set(
    tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
)
MOST_NOT_RUN = 0.25
"""The share of blocks that may say that they are not run."""

STAND_INS = {
    "DATASET": "data/llava.json",
    "1234": "0021",
    "Qwen/Qwen2.5-VL-3B-Instruct": "models/hf",
    "/models/smolvlm": "models/hf",
    "llava-hf/llava-1.5-7b-hf": "models/llava",
    "lmsys/vicuna-7b-v1.5": "models/llama",
}

REASONS = (
    "a language model", "a GPU", "installs packages", "model weights", "another tool",
    "the authors' data", "the model", "a server", "minutes", "until you stop it",
)  # fmt: skip
"""Words of which a reason not to run a block has to have one."""


class Shell:
    """Does what a reader's shell does, with `ig4` in this process: torch is imported once."""

    def __init__(self, accepted: tuple[int, ...] = (0,)) -> None:
        self.accepted = accepted

    def run(self, command: str) -> None:
        words = shlex.split(command, comments=True)
        if words[:2] == ["pip", "install"]:
            check_install(words[2:])
        elif words[0] == "export":
            pass  # keys and addresses are those of the test server
        elif words[0] == "ig4":
            self.ig4([fitted(word) for word in sized(words[1:])])
        else:
            self.other(command)

    def ig4(self, words: list[str]) -> None:
        done = invoke(*words)
        problem = f"ig4 {shlex.join(words)}: {done.exit_code}\n{done.output}\n{done.exception}"
        assert done.exit_code in self.accepted, problem

    def other(self, command: str) -> None:
        for word, meant in (("/tmp/ig4-tour", "ig4-tour"), ("python ", f"{sys.executable} ")):
            command = command.replace(word, meant)
        done = subprocess.run(
            ["bash", "-euc", f"{command}\necho\npwd"], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        os.chdir(done.stdout.splitlines()[-1])


def check_install(words: list[str]) -> None:
    """What a page installs of ig4 are extras that it has."""
    for word in words:
        if match := re.fullmatch(r"ig4(?:\[([\w,]+)\])?", word):
            assert set((match[1] or "dev").split(",")) <= EXTRAS


def sized(words: list[str]) -> list[str]:
    """Cut sizes and seeds to what the small data set allows, and what takes seconds."""
    most = {"--size": SIZE, "--seeds": 1, "-k": 4, "--k": 4}
    return [
        str(min(int(word), most[before])) if before in most else word
        for before, word in zip(["", *words], words, strict=False)
    ]


def fitted(word: str) -> str:
    """Put a stand-in in the place of what a page names."""
    for name, stand_in in STAND_INS.items():
        word = word.replace(name, stand_in)
    return word


@pytest.mark.parametrize("block", [b for b in RUN if b.page not in IN_ORDER], ids=str)
def test_a_block_runs(block, scratch):
    for command in (*needs(block), *block.commands):
        Shell().run(command)


def test_the_tour_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("IG4_DB", raising=False)
    page = (ROOT / "docs" / "tour.md").read_text(encoding="utf-8")
    folder = tmp_path / "ig4-tour"
    folder.mkdir()
    script = re.search(r"```python\n(.*?)```", page, re.DOTALL)[1]
    (folder / "make_balls.py").write_text(script, encoding="utf-8")
    shell = Shell(accepted=(0, 3))  # one image is missing, on purpose
    for block in (b for b in RUN if b.page == "tour.md"):
        for command in block.commands:
            shell.run(command.removeprefix("mkdir /tmp/ig4-tour && "))


def test_the_quick_start_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("IG4_DB", raising=False)
    for block in (b for b in RUN if b.page == "quickstart.md"):
        for command in block.commands:
            Shell().run(command)


def test_what_is_not_run_is_counted(capsys):
    left = [block for block in BLOCKS if block.not_run]
    with capsys.disabled():
        print(f"\n{len(RUN)} blocks of commands are run, {len(left)} are not:")  # noqa: T201 - told
        for block in left:
            print(f"  {block}: {block.not_run}")  # noqa: T201
    assert len(left) <= MOST_NOT_RUN * len(BLOCKS)
    assert len(RUN) > 80
    for block in left:
        assert any(word in block.not_run for word in REASONS), block


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_every_comment_stands_directly_before_a_block(page):
    assert commented(page) == sum(block.not_run is not None for block in blocks(page))
