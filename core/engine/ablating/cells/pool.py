"""Runs the cells of an ablation: in this process, or in several in parallel."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ig4.core.engine.ablating.cells.cell import (
    CellJob,
    CellResult,
    ProgressRelay,
    cell_session,
    run_cell,
)
from ig4.core.engine.ablating.cells.devices import environment

if TYPE_CHECKING:
    from ig4.core.engine.session import Session

_PATIENCE = 10.0


@dataclass(frozen=True, slots=True)
class CellStarted:
    """A job has started."""

    index: int


@dataclass(frozen=True, slots=True)
class CellFinished:
    """A job has finished, with or without an error."""

    index: int
    result: CellResult


CellEvent = CellStarted | CellFinished


def run_in_this_process(
    session: Session, jobs: Sequence[CellJob], note: Callable[[str], None]
) -> Generator[CellEvent]:
    """Run jobs one after another; yields as each starts and finishes."""
    seen: set[str] = set()

    def notice(text: str) -> None:
        if text not in seen:
            seen.add(text)
            session.notice(text)

    for index, job in enumerate(jobs):
        yield CellStarted(index)
        relay = ProgressRelay(job.label, note, notice)
        own = cell_session(session.store, session.host, session.run_id, relay)
        # What a trainer prints must not end up among our results.
        with contextlib.redirect_stdout(sys.stderr):
            result = run_cell(own, job)
        yield CellFinished(index, result)


@dataclass(slots=True)
class WorkerPool:
    """Processes that each run one job at a time; if one dies, its job fails, and it is replaced.

    They exchange lines of JSON with this process, and exit by themselves when it is gone.
    """

    session: Session
    count: int
    devices: list[str]
    logs: Path
    note: Callable[[str], None]
    _messages: queue.Queue[tuple[str, Any, Any]] = field(default_factory=queue.Queue)
    _processes: dict[int, subprocess.Popen[str]] = field(default_factory=dict)
    _stopping: bool = False

    def run(self, jobs: Sequence[CellJob]) -> Generator[CellEvent]:
        """Run jobs in parallel; yields as each starts and finishes."""
        todo: queue.Queue[tuple[int, CellJob]] = queue.Queue()
        for numbered_job in enumerate(jobs):
            todo.put(numbered_job)
        self.logs.mkdir(parents=True, exist_ok=True)
        threads = [
            threading.Thread(target=self._serve, args=(number, todo), daemon=True)
            for number in range(min(self.count, len(jobs)))
        ]
        seen: set[str] = set()
        unfinished = len(jobs)
        try:
            for thread in threads:
                thread.start()
            while unfinished:
                kind, index, value = self._messages.get()
                if kind == "started":
                    yield CellStarted(index)
                elif kind == "finished":
                    unfinished -= 1
                    yield CellFinished(index, value)
                elif kind == "note":
                    self.note(value)
                elif kind == "notice" and value not in seen:
                    seen.add(value)
                    self.session.notice(value)
        finally:
            self._stop(interrupted=unfinished > 0)

    def _serve(self, number: int, todo: queue.Queue[tuple[int, CellJob]]) -> None:
        """Let one worker run jobs until none is left."""
        while not self._stopping:
            try:
                index, job = todo.get_nowait()
            except queue.Empty:
                break
            self._messages.put(("started", index, None))
            try:
                result = self._run_job(number, index, job)
            except OSError as error:
                result = CellResult(error=f"its process could not be started: {error}")
            self._messages.put(("finished", index, result))

    def _run_job(self, number: int, index: int, job: CellJob) -> CellResult:
        """Let worker `number` run a job; starts the worker if it is not running."""
        process = self._processes.get(number)
        if process is None or process.poll() is not None:
            process = self._processes[number] = self._start(number)
        assert process.stdin is not None
        assert process.stdout is not None
        with contextlib.suppress(BrokenPipeError):  # it died: its exit code says why
            process.stdin.write(json.dumps(job.to_json()) + "\n")
            process.stdin.flush()
        for line in process.stdout:
            message = json.loads(line)
            if "finished" in message:
                return CellResult(**message["finished"])
            for kind in ("note", "notice"):
                if kind in message:
                    self._messages.put((kind, index, message[kind]))
        return CellResult(error=self._exit_reason(number, process.wait()))

    def _start(self, number: int) -> subprocess.Popen[str]:
        variables = environment(number, self.count, self.devices)
        with self._log(number).open("a", encoding="utf-8") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "ig4.core.engine.ablating.cells.worker"],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
                text=True, encoding="utf-8", env={**os.environ, **variables},
            )  # fmt: skip
        # The database's URL may hold a password: it goes through the pipe, not on the command
        # line, which all users can read.
        url = self.session.store.engine.url.render_as_string(hide_password=False)
        settings = {"db": url, "path": sys.path, "run_id": self.session.run_id}
        assert process.stdin is not None
        process.stdin.write(json.dumps(settings) + "\n")
        process.stdin.flush()
        return process

    def _log(self, number: int) -> Path:
        return self.logs / f"worker-{number + 1}.log"

    def _exit_reason(self, number: int, code: int) -> str:
        how = f"by signal {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
        hint = " (perhaps memory ran out)" if code == -9 else ""
        return f"its process ended {how}{hint}; see {self._log(number)}"

    def _stop(self, *, interrupted: bool) -> None:
        """Stop all workers; running ones get a moment to record that they were interrupted."""
        self._stopping = True
        processes = list(self._processes.values())  # a thread may start one more meanwhile
        for process in processes:
            if interrupted and process.poll() is None:
                process.send_signal(_INTERRUPT)
            elif process.stdin is not None:
                process.stdin.close()  # an idle worker then exits
        for process in processes:
            try:
                process.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    with contextlib.suppress(OSError):
                        pipe.close()


_INTERRUPT = signal.SIGTERM if sys.platform == "win32" else signal.SIGINT


def as_message(result: CellResult) -> Mapping[str, Any]:
    """Return the message that carries the result of a job."""
    return {
        "finished": {
            "training_id": result.training_id,
            "samples": result.samples,
            "metrics": {name: dict(value) for name, value in result.metrics.items()},
            "error": result.error,
            "trained": result.trained,
        }
    }
