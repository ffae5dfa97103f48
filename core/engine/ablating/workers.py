"""Does the cells of an ablation: in this process, or in several side by side."""

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

from ig4.core.engine.ablating.cells import (
    CellJob,
    CellResult,
    ProgressRelay,
    cell_session,
    run_cell,
)
from ig4.core.engine.ablating.devices import environment

if TYPE_CHECKING:
    from ig4.core.engine.session import Session

_PATIENCE = 10.0


@dataclass(frozen=True, slots=True)
class CellStarted:
    """A job has been taken up."""

    at: int


@dataclass(frozen=True, slots=True)
class CellFinished:
    """A job is over."""

    at: int
    finished: CellResult


Step = CellStarted | CellFinished


def in_this_process(
    session: Session, jobs: Sequence[CellJob], note: Callable[[str], None]
) -> Generator[Step]:
    """Do jobs one after another; yields as each begins and ends."""
    said: set[str] = set()

    def notice(text: str) -> None:
        if text not in said:
            said.add(text)
            session.notice(text)

    for at, job in enumerate(jobs):
        yield CellStarted(at)
        relay = ProgressRelay(job.label, note, notice)
        own = cell_session(session.store, session.host, session.run_id, relay)
        # What a trainer prints must not end up among our results.
        with contextlib.redirect_stdout(sys.stderr):
            finished = run_cell(own, job)
        yield CellFinished(at, finished)


@dataclass(slots=True)
class WorkerPool:
    """Processes that each do one job at a time; one that dies fails its job and is replaced.

    They speak lines of JSON. A worker ends by itself when this process is gone.
    """

    session: Session
    count: int
    devices: list[str]
    logs: Path
    note: Callable[[str], None]
    _heard: queue.Queue[tuple[str, Any, Any]] = field(default_factory=queue.Queue)
    _processes: dict[int, subprocess.Popen[str]] = field(default_factory=dict)
    _stopping: bool = False

    def do(self, jobs: Sequence[CellJob]) -> Generator[Step]:
        """Do jobs side by side; yields as each begins and ends, in the order that happens."""
        todo: queue.Queue[tuple[int, CellJob]] = queue.Queue()
        for one in enumerate(jobs):
            todo.put(one)
        self.logs.mkdir(parents=True, exist_ok=True)
        threads = [
            threading.Thread(target=self._serve, args=(number, todo), daemon=True)
            for number in range(min(self.count, len(jobs)))
        ]
        said: set[str] = set()
        left = len(jobs)
        try:
            for thread in threads:
                thread.start()
            while left:
                kind, at, value = self._heard.get()
                if kind == "began":
                    yield CellStarted(at)
                elif kind == "ended":
                    left -= 1
                    yield CellFinished(at, value)
                elif kind == "note":
                    self.note(value)
                elif kind == "notice" and value not in said:
                    said.add(value)
                    self.session.notice(value)
        finally:
            self._stop(interrupted=left > 0)

    def _serve(self, number: int, todo: queue.Queue[tuple[int, CellJob]]) -> None:
        """Have one worker do jobs until none is left."""
        while not self._stopping:
            try:
                at, job = todo.get_nowait()
            except queue.Empty:
                break
            self._heard.put(("began", at, None))
            try:
                finished = self._have_done(number, at, job)
            except OSError as error:
                finished = CellResult(error=f"its process could not be started: {error}")
            self._heard.put(("ended", at, finished))

    def _have_done(self, number: int, at: int, job: CellJob) -> CellResult:
        process = self._processes.get(number)
        if process is None or process.poll() is not None:
            process = self._processes[number] = self._start(number)
        assert process.stdin is not None
        assert process.stdout is not None
        with contextlib.suppress(BrokenPipeError):  # it died: what it said last tells
            process.stdin.write(json.dumps(job.to_json()) + "\n")
            process.stdin.flush()
        for line in process.stdout:
            said = json.loads(line)
            if "finished" in said:
                return CellResult(**said["finished"])
            for kind in ("note", "notice"):
                if kind in said:
                    self._heard.put((kind, at, said[kind]))
        return CellResult(error=self._died(number, process.wait()))

    def _start(self, number: int) -> subprocess.Popen[str]:
        own = environment(number, self.count, self.devices)
        with self._log(number).open("a", encoding="utf-8") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "ig4.core.engine.ablating.cellworker"],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
                text=True, encoding="utf-8", env={**os.environ, **own},
            )  # fmt: skip
        # The database's address may hold a password: it goes through the pipe, not on the
        # command line, where everybody could read it.
        url = self.session.store.engine.url.render_as_string(hide_password=False)
        hello = {"db": url, "path": sys.path, "run_id": self.session.run_id}
        assert process.stdin is not None
        process.stdin.write(json.dumps(hello) + "\n")
        process.stdin.flush()
        return process

    def _log(self, number: int) -> Path:
        return self.logs / f"worker-{number + 1}.log"

    def _died(self, number: int, code: int) -> str:
        how = f"by signal {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
        hint = " (perhaps memory ran out)" if code == -9 else ""
        return f"its process ended {how}{hint}; see {self._log(number)}"

    def _stop(self, *, interrupted: bool) -> None:
        """End all workers; those at work get a moment to note that they were interrupted."""
        self._stopping = True
        processes = list(self._processes.values())  # a thread may be starting one more just now
        for process in processes:
            if interrupted and process.poll() is None:
                process.send_signal(_INTERRUPT)
            elif process.stdin is not None:
                process.stdin.close()  # which tells an idle one to end
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


def as_message(finished: CellResult) -> Mapping[str, Any]:
    """Return the line that tells what a job came to."""
    return {
        "finished": {
            "training_id": finished.training_id,
            "samples": finished.samples,
            "metrics": {name: dict(value) for name, value in finished.metrics.items()},
            "error": finished.error,
            "trained": finished.trained,
        }
    }
