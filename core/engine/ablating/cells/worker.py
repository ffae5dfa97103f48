"""`python -m ig4.core.engine.ablating.cells.worker`: runs cells of an ablation for another process.

It reads lines of JSON from stdin: the first says where the database is, each other is a job. It
answers in lines of JSON. When stdin ends, the other process is gone, and this one exits at once.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
from typing import Any, TextIO


def main() -> None:
    """Run jobs until stdin ends."""
    out = _own_stdout()
    jobs: queue.Queue[dict[str, Any]] = queue.Queue()
    settings = json.loads(sys.stdin.readline())
    sys.path += [path for path in settings["path"] if path not in sys.path]
    threading.Thread(target=_read_jobs, args=(jobs,), daemon=True).start()

    from ig4.core.engine.ablating.cells.cell import CellJob, ProgressRelay, cell_session, run_cell
    from ig4.core.engine.ablating.cells.pool import as_message
    from ig4.core.host.host import Host
    from ig4.storage.store import Store

    def send(**message: Any) -> None:
        out.write(json.dumps(message) + "\n")
        out.flush()

    host = Host.discover()
    with Store.open(settings["db"], create=False) as store:
        while True:
            job = CellJob.from_json(jobs.get())
            relay = ProgressRelay(
                job.label, lambda text: send(note=text), lambda text: send(notice=text)
            )
            session = cell_session(store, host, settings["run_id"], relay)
            send(**as_message(run_cell(session, job)))


def _own_stdout() -> TextIO:
    """Return stdout for the answers alone; what a library prints goes to stderr, which is a log."""
    sys.stdout.flush()
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return out


def _read_jobs(jobs: queue.Queue[dict[str, Any]]) -> None:
    """Put jobs from stdin into a queue; exits the process when stdin ends."""
    for line in sys.stdin:
        jobs.put(json.loads(line))
    os._exit(0)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        os._exit(130)
