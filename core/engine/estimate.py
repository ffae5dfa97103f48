"""`--dry-run`: what would be computed, how long it takes and what it costs, before it does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar, cast

from ig4.core.calls import prices as pricing
from ig4.core.calls.loop import run
from ig4.core.calls.request import PendingError, Reply, Request
from ig4.core.calls.terms import Terms
from ig4.core.engine import plan as planning
from ig4.core.engine.asking import rate_one
from ig4.core.engine.samples import sample_of
from ig4.core.engine.score import imported_of
from ig4.storage import calls as ledger
from ig4.storage import runs, samples

if TYPE_CHECKING:
    from ig4.core.calls.provider import Provider
    from ig4.core.contracts import AsyncScorer
    from ig4.core.engine.plan import Pending, Plan
    from ig4.core.engine.session import Session
    from ig4.core.records import Choice
    from ig4.storage.datasets import DatasetRow

T = TypeVar("T")

LOOKED_AT = 2000
"""How many samples are looked at to estimate the tokens of all."""

OUTPUT_TOKENS = 150
"""What a reply is taken for until there is one: a number and an explanation."""


@dataclass(frozen=True, slots=True)
class CallEstimate:
    """What asking a service for one scorer comes to; `cost` in US dollars, None if unknown.

    `in_ledger` of the `requests` have a reply already and cost nothing.
    """

    model: str
    requests: int
    in_ledger: int
    input_tokens: int
    output_tokens: int
    cost: float | None


@dataclass(frozen=True, slots=True)
class Estimate:
    """By component: how many samples (embedder: images) it has yet to see, and the seconds.

    Seconds are None where this database has not seen the component at work.
    """

    dataset: str
    samples: int
    calls: dict[str, int]
    seconds: dict[str, float | None]
    asking: dict[str, CallEstimate] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields, JSON-able."""
        return asdict(self)


def estimate(
    session: Session,
    dataset: DatasetRow,
    scorers: Sequence[Choice],
    embedders: Sequence[Choice] = (),
    terms: Terms | None = None,
    *,
    retry_failed: bool = False,
) -> Estimate:
    """Tell what scoring would do; nothing is computed, and nobody asked.

    Raises:
        UsageError: unknown component or option.
    """
    imported = imported_of(session, dataset)
    wanted = [choice for choice in scorers if choice.label not in imported]
    plan = planning.make(session, dataset, wanted, embedders, retry_failed=retry_failed)
    seconds: dict[str, float | None] = {}
    calls = plan.calls
    names = {f"embedder {p.configured.label}": p for p in plan.embedders.values()}
    with session.store.reading() as connection:
        for name, pending in {**names, **plan.scorers}.items():
            speed = runs.speed(connection, pending.configured.fingerprint.value)
            seconds[name] = None if speed is None else speed * calls[name]
    asking = {
        label: _Asking(session, plan, pending, terms or Terms(), renew=retry_failed).estimate(label)
        for label, pending in plan.asking.items()
        if len(pending.places)
    }
    return Estimate(dataset.name, len(plan.sample_ids), calls, seconds, asking)


class _Asking:
    """Has an async scorer make its requests, and sends none."""

    def __init__(
        self, session: Session, plan: Plan, pending: Pending, terms: Terms, *, renew: bool
    ) -> None:
        self.session = session
        self.plan = plan
        self.pending = pending
        self.terms = terms
        self.renew = renew
        self.requests: list[tuple[str, Request]] = []
        self.scorer = cast("AsyncScorer", pending.configured.component)

    def estimate(self, label: str) -> CallEstimate:
        """Look at some samples, evenly from all, and conclude for the rest."""
        provider = self.scorer.provider()
        places = self.pending.places[:: max(1, len(self.pending.places) // LOOKED_AT)]
        self.scorer.open()
        try:
            run(self._gather(provider, label, places.tolist()))
        finally:
            self.scorer.close()
        return self._conclude(provider, len(self.pending.places) / len(places))

    async def _gather(self, provider: Provider, label: str, places: Sequence[int]) -> None:
        async def ask(request: Request, read: Callable[[Reply], T], /) -> T:
            self.requests.append((request.hash(provider.name), request))
            raise PendingError("an estimate sends nothing")

        with self.session.store.reading() as connection:
            ids = [int(self.plan.sample_ids[place]) for place in places]
            rows = samples.by_id(connection, ids)
        for row in rows:
            try:
                await rate_one(self.scorer, label, sample_of(row), ask)
            except PendingError:
                continue

    def _conclude(self, provider: Provider, share: float) -> CallEstimate:
        requests = dict(self.requests)  # what several samples ask alike is asked once
        with self.session.store.reading() as connection:
            known = ledger.lookup(connection, list(requests))
            seen = ledger.typical(connection, self.pending.component_id)
        read = (ledger.DONE,) if self.renew else (ledger.DONE, ledger.UNREADABLE)
        paid = {known_hash for known_hash, row in known.items() if row.state in read}
        fresh = [request for known_hash, request in requests.items() if known_hash not in paid]
        given = sum(provider.tokens(request) for request in fresh)
        reply = seen.output_tokens if seen else OUTPUT_TOKENS
        taken = sum(min(reply, request.max_tokens) for request in fresh)
        model = self.requests[0][1].model if self.requests else ""
        price = pricing.find(model, self.terms.prices, provider.prices)
        cost = None
        if price is not None:
            cost = share * price.of(given, 0, round(taken))
            cost *= price.batch if self.terms.batch else 1.0
        return CallEstimate(
            model=model,
            requests=round(share * len(requests)),
            in_ledger=round(share * (len(requests) - len(fresh))),
            input_tokens=round(share * given),
            output_tokens=round(share * taken),
            cost=cost,
        )
