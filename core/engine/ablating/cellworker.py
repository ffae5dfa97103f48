"""`python -m ig4.core.engine.ablating.cellworker`: does cells of an ablation for another process.

It reads lines of JSON from stdin, the first of which says where the database is, the others what
to do, and answers in lines of JSON. When stdin ends, the other process is gone: it ends at once.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
from typing import Any, TextIO


def main() -> None:
    """Serve until told to stop."""
    out = _own_stdout()
    jobs: queue.Queue[dict[str, Any]] = queue.Queue()
    hello = json.loads(sys.stdin.readline())
    sys.path += [path for path in hello["path"] if path not in sys.path]
    threading.Thread(target=_listen, args=(jobs,), daemon=True).start()

    from ig4.core.engine.ablating.cells import CellJob, ProgressRelay, cell_session, run_cell
    from ig4.core.engine.ablating.workers import as_message
    from ig4.core.host.host import Host
    from ig4.storage.store import Store

    def say(**told: Any) -> None:
        out.write(json.dumps(told) + "\n")
        out.flush()

    host = Host.discover()
    with Store.open(hello["db"], create=False) as store:
        while True:
            job = CellJob.of_json(jobs.get())
            relay = ProgressRelay(
                job.label, lambda text: say(note=text), lambda text: say(notice=text)
            )
            session = cell_session(store, host, hello["run_id"], relay)
            say(**as_message(run_cell(session, job)))


def _own_stdout() -> TextIO:
    """Keep stdout for the answers; what a library prints goes to stderr, which is a log."""
    sys.stdout.flush()
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return out


def _listen(jobs: queue.Queue[dict[str, Any]]) -> None:
    for line in sys.stdin:
        jobs.put(json.loads(line))
    os._exit(0)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        os._exit(130)
