"""Merges that are killed, and several at a time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest
from sqlalchemy import func, insert, select

from ig4.core.engine.checking import check
from ig4.core.engine.ingesting.ingest import DatasetSource, ingest
from ig4.core.engine.joining import merge as joining
from ig4.core.engine.joining.merge import merge
from ig4.core.engine.scoring.estimate import estimate
from ig4.storage.integrity.checksums import of_score
from ig4.storage.schema import Component, Content, Run, Score
from ig4.storage.store import Store

from ....harbour import N
from .databases import LENGTH, scored, values, values_of, write_other


@pytest.mark.slow
def test_a_merge_that_is_killed_is_completed_by_the_next(shards, data, opened, location):
    with Store.open(shards[0]) as big, big.writing() as connection:
        component = connection.scalar(select(Component.id).where(Component.name == "length"))
        high = connection.scalar(select(func.max(Content.id)))
        numbers = range(high + 1, high + 200_001)
        connection.execute(insert(Content), [{"hash": f"{n:064x}"} for n in numbers])
        connection.execute(insert(Score), [
            {"component_id": component, "content_id": n, "value": 1.0 * n,
             "crc": of_score(component, n, 1.0 * n, None)} for n in numbers
        ])  # fmt: skip
    script = (
        "import sys\n"
        "from ig4.core.engine.session import Session\n"
        "from ig4.core.engine.joining.merge import merge\n"
        "from ig4.core.host.host import Host\n"
        "from ig4.storage.store import Store\n"
        "with Store.open(sys.argv[1]) as store:\n"
        "    print('go', flush=True)\n"
        "    merge(Session(store, Host.discover(), []), sys.argv[2:])\n"
    )
    kills = 0
    for pause in (0.2, 0.5, 1.0, 1.5, 2.0):
        command = [sys.executable, "-c", script, location, *map(str, shards)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        process.stdout.readline()
        time.sleep(pause)
        kills += process.poll() is None
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert kills >= 2
    session = opened(location)
    merge(session, shards)
    with session.store.reading() as connection:
        assert connection.scalar(select(func.count()).select_from(Score)) >= 200_000 + N - 3
    dataset = ingest(session, DatasetSource(data, name="harbour")).dataset
    assert sum(estimate(session, dataset, LENGTH).calls.values()) == 0
    assert check(location).sound


@pytest.mark.slow
@pytest.mark.postgres
def test_several_merges_into_one_server_at_a_time_take_everything_once(
    shards, data, opened, server
):
    script = (
        "import sys\n"
        "from ig4.core.engine.session import Session\n"
        "from ig4.core.engine.joining.merge import merge\n"
        "from ig4.core.host.host import Host\n"
        "from ig4.storage.store import Store\n"
        "sys.stdin.readline()\n"
        "with Store.open(sys.argv[1]) as store:\n"
        "    merge(Session(store, Host.discover(), []), sys.argv[2:], take_datasets=True)\n"
    )
    others = [[shards[0], shards[1]], [shards[1], shards[2]], [shards[2], shards[0]]]
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", script, server, *map(str, paths)],
            stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for paths in others
    ]  # fmt: skip
    time.sleep(3)  # all of them have imported what they need
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    errors = [process.communicate(timeout=120)[1] for process in processes]
    for process, error in zip(processes, errors, strict=True):
        # One of several that take the same data set is told to run again.
        assert process.returncode == 0 or "run the same command again" in error, error
    session = opened(server)
    merge(session, shards)
    dataset = ingest(session, DatasetSource(data, name="harbour")).dataset
    assert sum(estimate(session, dataset, LENGTH).calls.values()) == 0
    assert check(server).sound
    with session.store.reading() as connection:
        scoring = select(func.count()).select_from(Run).where(Run.command == "score")
        assert connection.scalar(scoring) == 3


KILLED = """
import os, sys
from ig4.core.engine.joining.merge import merge
from ig4.core.engine.session import Session
from ig4.core.host.host import Host
from ig4.storage.store import Store
with Store.open(sys.argv[1]) as store:
    insertion, views = "INSERT INTO dataset_scorers", "scores_wide"
    from sqlalchemy import event
    bound = []

    @event.listens_for(store.engine, "before_cursor_execute")
    def look(connection, cursor, statement, *rest):
        if bound and views in statement:
            os._exit(9)
        bound.extend([1] if insertion in statement else [])

    merge(Session(store, Host.discover(), []), sys.argv[2:])
"""


def test_a_merge_killed_before_the_views_are_new_is_completed_by_the_next(
    data, opened, tmp_path, location
):
    scored(opened, data, "there.db")
    session = opened(location)
    ingest(session, DatasetSource(data, name="harbour"))
    command = [sys.executable, "-c", KILLED, location, str(tmp_path / "there.db")]
    assert subprocess.run(command, check=False).returncode == 9
    merge(session, [tmp_path / "there.db"])
    assert values_of(session.store, "length") == values(session.store)


def test_an_interrupted_merge_into_a_new_database_takes_the_other_data_sets_when_it_is_repeated(
    opened, data, tmp_path, monkeypatch
):
    write_other(tmp_path / "other.json")
    for name, path in (("one", data), ("two", tmp_path / "other.json")):
        ingest(opened(f"{name}.db"), DatasetSource(path, name=name))
    session, others = opened("all.db"), [tmp_path / "one.db", tmp_path / "two.db"]
    take, done = joining._merge_one, []

    def only_one(*given, **options):
        if done:
            raise KeyboardInterrupt
        done.append(take(*given, **options))

    with monkeypatch.context() as patch:
        patch.setattr(joining, "_merge_one", only_one)
        with pytest.raises(KeyboardInterrupt):
            merge(session, others)
    session.run_id = None
    second = merge(session, others)[1]
    assert second.datasets == {"two": "two (taken over)"}
    third = tmp_path / "third.json"
    third.write_text((tmp_path / "other.json").read_text().replace("other", "third"))
    ingest(opened("one.db"), DatasetSource(third, name="three"))
    session.run_id = None
    assert "--datasets" in merge(session, others)[0].datasets["three"]
