"""Starts `ig4` as a fork of a process that has imported it: not each start need be a cold one.

The process is one of its own all the same, with its own signals, files and death.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import sys
import tempfile
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import NamedTuple

PRELOADED = ["openai", "sklearn.cluster", "ig4.cli.main", "ig4.core.api", "ig4.plugins.builtin"]
"""What takes long to import."""


class Done(NamedTuple):
    """What is left of a process."""

    returncode: int | None
    stdout: str
    stderr: str


class Forked:
    """`ig4` at work: as much of `subprocess.Popen` as tests use, its output in files."""

    def __init__(self, *arguments: object, cwd: Path, site: Path | None = None) -> None:
        folder = Path(tempfile.mkdtemp(dir=_outputs.name))
        self.out, self.err = folder / "out", folder / "err"
        job = {
            "arguments": list(map(str, arguments)), "cwd": str(cwd),
            "environment": dict(os.environ),
            "path": [str(site), *sys.path] if site else sys.path,
            "out": str(self.out), "err": str(self.err),
        }  # fmt: skip
        self.process = _context().Process(target=runpy.run_path, args=(__file__, {"JOB": job}))
        self.out.touch()
        self.err.touch()
        self.process.start()

    @property
    def returncode(self) -> int | None:
        return self.process.exitcode

    def poll(self) -> int | None:
        return self.process.exitcode

    def send_signal(self, number: int) -> None:
        if self.process.pid is not None and self.poll() is None:
            os.kill(self.process.pid, number)

    def wait(self, timeout: float | None = None) -> int | None:
        self.process.join(timeout)
        if self.process.exitcode is None:
            self.process.kill()
            raise TimeoutError(f"still at work after {timeout} s: {self.err.read_text()}")
        return self.process.exitcode

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        self.wait(timeout)
        return self.out.read_text(encoding="utf-8"), self.err.read_text(encoding="utf-8")

    def done(self, timeout: float = 300) -> Done:
        out, err = self.communicate(timeout)
        return Done(self.returncode, out, err)


_outputs = tempfile.TemporaryDirectory()


def _context() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    return context


def _run(job: dict[str, object]) -> None:
    os.environ.clear()
    os.environ.update(job["environment"])  # type: ignore[call-overload]
    sys.path[:] = job["path"]  # type: ignore[call-overload]
    os.chdir(str(job["cwd"]))
    for number, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(str(job[name]), os.O_WRONLY | os.O_CREAT), number)
    from ig4.cli.main import main

    main(job["arguments"])  # type: ignore[arg-type]


if "JOB" in globals():  # in the fork
    _run(globals()["JOB"])
