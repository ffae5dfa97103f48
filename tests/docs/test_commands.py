"""Commands and options in the documentation are those that ig4 has."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from ig4.cli.main import cli

from .blocks import pages

ROOT = Path(__file__).resolve().parents[2]
PAGES = pages()
BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def commands(page):
    """Return the ig4 commands of a page's console blocks, as words without comments."""
    text = "\n".join(BLOCK.findall(page.read_text(encoding="utf-8"))).replace("\\\n", " ")
    for line in text.splitlines():
        words = shlex.split(line.removeprefix("$ "), comments=True)
        if "ig4" in words and words[0] not in ("pip", "createdb"):
            yield words[words.index("ig4") + 1 :]


def examples(command=cli):
    """Return the examples in the help of a command and those below it: what its page shows."""
    for line in (command.epilog or "").splitlines():
        if line.startswith("  ig4 "):
            yield line.strip().rstrip("\\")
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            yield from examples(command.get_command(context, name))


def parsed(words):
    """Have click parse a command as it would, but not run it."""
    command, context = cli, click.Context(cli, info_name="ig4")
    while True:
        with context:
            sub = (
                command.get_command(context, words[0])
                if isinstance(command, click.Group) and words and not words[0].startswith("-")
                else None
            )
        if sub is None:
            break
        context = click.Context(sub, info_name=words[0], parent=context)
        command, words = sub, words[1:]
    command.parse_args(context, list(words))
    return context


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_command_shown_is_understood(page):
    found = list(commands(page))
    for words in found:
        parsed(words)
    if page in (ROOT / "README.md", ROOT / "docs" / "training.md", ROOT / "docs" / "calls.md"):
        assert len(found) > 3


@pytest.mark.parametrize("example", dict.fromkeys(examples()))
def test_every_example_of_a_command_is_understood(example):
    parsed(shlex.split(example.partition(" > ")[0], comments=True)[1:])


def test_options_of_trainers_that_are_shown_exist():
    from ig4.core.host.host import Host

    host = Host.discover()
    text = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
    shown = set(re.findall(r"-o (minigpt4|llava|hf)\.(\w+)=", text))
    assert len(shown) > 10
    for name, option in shown:
        cls = host.load("trainer", name, runnable=False)
        assert option in cls.Options.model_fields, f"{name}.{option}"
