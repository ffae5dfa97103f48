"""Runs an example in this process, and the commands of ig4 in it, too.

Each process of its own would load torch anew, which takes longer than all that it does here.
"""

from __future__ import annotations

import importlib
import io
import sys
from collections.abc import Sequence
from contextlib import chdir, redirect_stdout
from pathlib import Path

import pytest
from click.testing import CliRunner

from ig4.cli.main import cli

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def run_in_this_process(example: str, *arguments: str) -> str:
    """Run examples/EXAMPLE/EXAMPLE.py with arguments; returns what it printed."""
    printed = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        for folder in ("miniature", example):
            patch.syspath_prepend(EXAMPLES / folder)
        patch.setattr(sys, "argv", [example, *arguments])
        patch.delenv("IG4_DB", raising=False)
        module = importlib.import_module(example)
        patch.setattr(importlib.import_module("commands"), "ig4", _ig4)
        with redirect_stdout(printed):
            module.main()
    return printed.getvalue()


def _ig4(work: Path, *words: str, quiet: bool = False, accepted: Sequence[int] = (0,)) -> str:
    """What `ig4` of examples/miniature/commands.py does, without a process."""
    if not quiet:
        print(f"$ ig4 {' '.join(words)}")  # noqa: T201
    with chdir(work):
        done = CliRunner().invoke(cli, list(words))
    assert done.exit_code in accepted, f"ig4 {words}: {done.output} {done.exception}"
    return done.stdout
