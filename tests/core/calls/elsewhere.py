"""Scores a data set as a process on another machine would: `python elsewhere.py DB HOST SECONDS`.

Its clock is so many seconds wrong. What is replaced is what the system says of clock and machine,
before ig4 is imported; ig4 itself is what users run.
"""

from __future__ import annotations

import datetime
import platform
import sys
import time

_, location, host, seconds = sys.argv
_time, _shift = time.time, float(seconds)


class _Datetime(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls.fromtimestamp(time.time(), tz)

    @classmethod
    def utcnow(cls):
        return cls.now(datetime.UTC).replace(tzinfo=None)


time.time = lambda: _time() + _shift
datetime.datetime = _Datetime
platform.node = lambda: host

from ig4.core.calls.settings import CallSettings  # noqa: E402 - with the clock as it is now
from ig4.core.engine.scoring.plan import ScoreRequest  # noqa: E402
from ig4.core.engine.scoring.score import score  # noqa: E402
from ig4.core.engine.session import Session  # noqa: E402
from ig4.core.host.host import Host  # noqa: E402
from ig4.core.records import Choice  # noqa: E402
from ig4.storage import datasets  # noqa: E402
from ig4.storage.store import Store  # noqa: E402

with Store.open(location) as store:
    session = Session(store, Host.discover())
    with store.reading() as connection:
        (dataset,) = datasets.list_all(connection)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    request = ScoreRequest([Choice("scorer", "asking")], call_settings=CallSettings(concurrency=4))
    done = score(session, dataset, request)
    sys.stdout.write(f"{done.done['asking']}\n")
