"""`--dry-run`: what would be computed, how long it takes and what it costs, before it does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

from ig4.core.calls import prices as pricing
from ig4.core.calls.ledger import at_other_limits, reply_of
from ig4.core.calls.loop import run
from ig4.core.calls.request import PendingError, Reply, Request
from ig4.core.calls.settings import CallSettings
from ig4.core.engine.estimating.failed import with_failed
from ig4.core.engine.estimating.speeds import SpeedTable
from ig4.core.engine.estimating.workload import Workload, workload
from ig4.core.engine.scoring.pending import PendingWork
from ig4.core.engine.scoring.plan import ScoreRequest, check_shard, make_plan
from ig4.core.engine.scoring.poolestimate import PoolEstimator
from ig4.core.engine.scoring.rating import RatingTask
from ig4.core.engine.scoring.score import (
    imported_scorers,
    imported_spaces,
    split_pool_scorers,
    tell_waiting,
)
from ig4.storage import calls as ledger
from ig4.storage.calls import CallRow

if TYPE_CHECKING:
    from ig4.core.calls.provider import Provider
    from ig4.core.calls.running.task import CallTask
    from ig4.core.engine.session import Session
    from ig4.storage.datasets import DatasetRow
    from ig4.storage.store import Store

T = TypeVar("T")

ESTIMATED_FROM = 2000
"""From how many samples (or pairs) the tokens of all are estimated."""

OUTPUT_TOKENS = 150
"""The assumed length of a reply before the first one: a number and an explanation."""


@dataclass(frozen=True, slots=True)
class CallEstimate:
    """What asking a service for one component comes to; `cost` in US dollars, None if unknown.

    `in_ledger` of the `requests` have a reply already and cost nothing. `in_batches` are on their
    way and not sent again; `lost` lie in lost batches, and are sent again only at the user's word.
    """

    model: str
    requests: int
    in_ledger: int
    input_tokens: int
    output_tokens: int
    cost: float | None
    in_batches: int = 0
    lost: int = 0


@dataclass(frozen=True, slots=True)
class ScoreEstimate:
    """By component: how many samples (embedder: inputs) it has yet to see, and the seconds.

    What looks at all samples at once has to see all of them, or none. Seconds are those of one
    device, None where this database has not seen the component at work; `measured_on` says where
    it has. `data` is what has to be read and stored. A data set that is not `stored` was only
    looked through: its numbers are about right.
    """

    dataset: str
    samples: int
    calls: dict[str, int]
    seconds: dict[str, float | None]
    asking: dict[str, CallEstimate] = field(default_factory=dict)
    measured_on: dict[str, str] = field(default_factory=dict)
    data: Workload | None = None
    devices: int = 1
    stored: bool = True

    @property
    def hours(self) -> dict[str, float | None]:
        """Hours by component on all devices; services are not faster with more of these."""
        return {
            name: None
            if seconds is None
            else seconds / 3600 / (1 if name in self.asking else self.devices)
            for name, seconds in self.seconds.items()
        }

    @property
    def unknown(self) -> list[str]:
        """The components that have something to do, and nobody knows how long it takes."""
        return [name for name, one in self.seconds.items() if one is None and self.calls[name]]

    @property
    def cost(self) -> float | None:
        """US dollars for all services; None where a price is not known."""
        costs = [one.cost for one in self.asking.values()]
        return None if None in costs else sum(one for one in costs if one is not None)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields and what follows from them, JSON-able."""
        data = {} if self.data is None else self.data.to_dict()
        return {
            **asdict(replace(self, data=None)),
            "data": data,
            "hours": self.hours,
            "total_hours": sum(one or 0.0 for one in self.hours.values()),
            "unknown_speeds": self.unknown,
            "cost": self.cost,
        }


def estimate(
    session: Session,
    dataset: DatasetRow,
    request: ScoreRequest,
    *,
    devices: int | None = None,
    experience: Store | None = None,
) -> ScoreEstimate:
    """Return what scoring would do; nothing is computed or recorded, and nobody is asked.

    Hours are told for so many `devices`, by default the executor's actors. Speeds and
    lengths of vectors are those of the database `experience`, by default the session's own.

    Raises:
        UsageError: unknown component or option; nothing makes a space or score that is read.
    """
    session = replace(session, planning=True, unrecorded={})
    imported = imported_scorers(session, dataset) - set(request.recompute)
    computed = [choice for choice in request.scorers if choice.label not in imported]
    own = imported_spaces(session, dataset) - set(request.recompute)
    spaces = [choice for choice in request.spaces if choice.label not in own]
    request = replace(request, scorers=computed, spaces=spaces)
    request, pooled = split_pool_scorers(session, dataset, request)
    if request.shard:
        check_shard(request, [one.label for one in pooled])
    plan = make_plan(session, dataset, replace(request, retry_failed=False))
    if request.shard:
        tell_waiting(session, plan, request.shard)
    if request.retry_failed:
        plan = with_failed(session, plan)
    looking = PoolEstimator(session, plan, request.pool, request.spaces)
    of_pools = looking.scorers(pooled)
    calls = plan.calls | {f"embedder {name}": count for name, count in looking.embedders().items()}
    calls |= of_pools
    seconds: dict[str, float | None] = dict.fromkeys(of_pools)
    names: dict[str, PendingWork] = {
        f"embedder {p.configured.label}": p for p in plan.embedders.values()
    }
    seconds |= dict.fromkeys(f"embedder {label}" for label in plan.pooled)
    experience = experience or session.store
    known, measured_on = SpeedTable.of(experience), {}
    for name, pending in {**names, **plan.scorers}.items():
        speed = known.of_component(pending.configured.fingerprint.value)
        seconds[name] = None if speed is None else speed.seconds_per_unit * calls[name]
        if speed is not None and speed.device is not None:
            measured_on[name] = speed.device
    asking = {
        label: estimate_calls(
            session,
            RatingTask(session, plan, label),
            request.call_settings,
            renew=request.retry_failed,
        )
        for label, pending in plan.asking.items()
        if len(pending.places)
    }
    return ScoreEstimate(
        dataset.name,
        len(plan.sample_ids),
        calls,
        seconds,
        asking,
        measured_on,
        workload(session, plan, experience),
        devices or _actors(request),
    )


def _actors(request: ScoreRequest) -> int:
    """Return how many copies of the models an executor runs side by side, as far as it says."""
    given = str(request.executor.options.get("actors", 1))
    return max(1, int(given)) if given.isdecimal() else 1


def estimate_calls(
    session: Session,
    asking: CallTask[Any, Any],
    call_settings: CallSettings,
    *,
    renew: bool = False,
) -> CallEstimate:
    """Return what a component would ask, and what that costs; nothing is sent.

    With `renew`, replies that could not be read are asked for again.
    """
    provider = asking.component.provider()
    places = asking.places[:: max(1, len(asking.places) // ESTIMATED_FROM)]
    look = _CallEstimator(session, asking, call_settings, renew=renew)
    asking.component.open()
    try:
        run(look.gather(provider, places))
    finally:
        asking.component.close()
    return look.conclude(provider, len(asking.places) / max(1, len(places)))


class _CallEstimator:
    """Has a component make its requests for some units, and concludes for the rest."""

    def __init__(
        self,
        session: Session,
        asking: CallTask[Any, Any],
        call_settings: CallSettings,
        *,
        renew: bool,
    ) -> None:
        self.session = session
        self.asking = asking
        self.call_settings = call_settings
        self.renew = renew
        self.requests: list[tuple[str, Request]] = []

    async def gather(self, provider: Provider, places: Sequence[int]) -> None:
        """Keep what would be asked about these places."""

        async def ask(request: Request, read: Callable[[Reply], T], /) -> T:
            self.requests.append((request.hash(provider.name), request))
            raise PendingError("an estimate sends nothing")

        for _, unit in self.asking.units(places):
            try:
                await self.asking.answer(unit, ask)
            except PendingError:
                continue

    def _has_reply(self, row: CallRow) -> bool:
        """Tell whether a row's reply would be read; one that was cut is not asked for anew."""
        if row.state == ledger.UNREADABLE:
            return not self.renew or reply_of(row).at_limit
        return row.state == ledger.DONE

    def conclude(self, provider: Provider, share: float) -> CallEstimate:
        """Sum tokens and money; `share` is how many times more units there are."""
        requests = dict(self.requests)  # what several units ask alike is asked once
        with self.session.store.reading() as connection:
            known = ledger.lookup(connection, list(requests))
            limits = ledger.known_limits(connection)
            elsewhere = at_other_limits(provider.name, limits, requests)
            free = [h for h in requests if h not in known or known[h].state == ledger.FAILED]
            known |= ledger.find_elsewhere(connection, free, elsewhere, renew=self.renew)
            seen = ledger.typical_usage(connection, self.asking.component_id)
        paid = {h for h, row in known.items() if self._has_reply(row)}
        lying = {
            state: {h for h, row in known.items() if row.state == state}
            for state in (ledger.BATCH, ledger.LOST)
        }
        kept = paid.union(*lying.values())
        fresh = [request for request_hash, request in requests.items() if request_hash not in kept]
        given = sum(provider.tokens(request) for request in fresh)
        reply = seen.output_tokens if seen else OUTPUT_TOKENS
        taken = sum(min(reply, request.max_tokens) for request in fresh)
        model = self.requests[0][1].model if self.requests else ""
        price = pricing.find_price(model, self.call_settings.prices, provider.prices)
        cost = None
        if price is not None:
            cost = share * price.of(given, 0, round(taken))
            cost *= price.batch if self.call_settings.batch else 1.0
        return CallEstimate(
            model=model,
            requests=round(share * len(requests)),
            in_ledger=round(share * len(paid)),
            in_batches=round(share * len(lying[ledger.BATCH])),
            lost=round(share * len(lying[ledger.LOST])),
            input_tokens=round(share * given),
            output_tokens=round(share * taken),
            cost=cost,
        )
