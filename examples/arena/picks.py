"""What each arm selects with each seed, how long that takes, and why some arms cannot.

Selections are made by ig4's library as `ig4 ablate` makes them, and stored; the ablation then
finds them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ig4.core.config import load
from ig4.core.engine.ablating.ablate import configured_arms
from ig4.core.engine.ablating.arms.arm import Arm
from ig4.core.engine.ablating.arms.requests import ArmRequests
from ig4.core.engine.ablating.setup import make_setup
from ig4.core.engine.selecting.select import select
from ig4.core.engine.session import Session
from ig4.core.errors import Ig4Error
from ig4.core.host.host import Host
from ig4.storage import samples
from ig4.storage.store import Store


@dataclass(frozen=True, slots=True)
class Pick:
    """What an arm selected with a seed, by sample id, and the seconds of selecting alone."""

    arm: str
    seed: int
    ids: Sequence[str]
    seconds: float


@dataclass(frozen=True, slots=True)
class Picks:
    """The picks of arms, and by arm the reason why it cannot be had."""

    found: Sequence[Pick]
    skipped: dict[str, str]


def pick(folder: Path, config: Path, seeds: Sequence[int]) -> Picks:
    """Select with every arm that a configuration compares, in its folder's database."""
    with chdir(folder), Store.open("ig4.db", create=False) as store:
        session = Session(store, Host.discover())
        setup = make_setup(session, session.dataset(None), load(config))
        requests = ArmRequests(setup)
        found: list[Pick] = []
        skipped: dict[str, str] = {}
        for arm in configured_arms(setup):
            try:
                found += [_pick(setup, requests, arm, seed) for seed in seeds]
            except Ig4Error as error:
                skipped[arm.name] = str(error)
            except Exception as error:  # noqa: BLE001 - a method that breaks stops no other
                skipped[arm.name] = f"{type(error).__name__}: {error}"
        return Picks(found, skipped)


def _pick(setup: Any, requests: ArmRequests, arm: Arm, seed: int) -> Pick:
    session, dataset = setup.session, setup.dataset
    if arm.take == "all":
        with session.store.reading() as connection:
            ids, _ = samples.ordered_ids(connection, dataset.id)
            names = samples.external_ids(connection, ids.tolist())
        return Pick(arm.name, seed, list(names.values()), 0.0)
    request = requests.of_arm(arm, seed)  # forms clusters where they are wanted
    result, seconds = timed(lambda: select(session, dataset, request, latest=False))
    return Pick(arm.name, seed, result.ids, seconds)


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """Return what a function returns, and how long it took."""
    began = time.perf_counter()
    result = work()
    return result, time.perf_counter() - began
