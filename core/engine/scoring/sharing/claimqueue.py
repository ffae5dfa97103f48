"""The batches that this process computes: those that no other has claimed, or has stored."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from ig4.core.counts import counted
from ig4.core.engine.scoring.inputs import contained
from ig4.core.engine.scoring.pending import PendingImages, PendingTexts
from ig4.storage import scores, spaces

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from sqlalchemy import Connection

    from ig4.core.engine.scoring.batches import Batch, BatchTable
    from ig4.core.engine.scoring.pending import PendingWork
    from ig4.core.engine.scoring.plan import ScoringPlan
    from ig4.core.engine.scoring.sharing.claiming import Claims
    from ig4.storage.claims import ClaimRow, Span

_OPEN, _HELD, _DONE = 0, 1, 2
"""The states of a batch: to be computed, claimed by this process, in the store."""

_MOST, _MOST_UNITS = 64, 16_384
"""How many batches are claimed at a time at most, and how many units are looked up at a time."""

_WINDOW = 4096
_SHORT, _LONG = 1.0, 4.0
"""Seconds in which what is claimed at a time should be computed: at least, and at most."""

Tell = Callable[[str, int, str], None]
"""Hears a component's name, how many of its units others have computed, and a note."""


@dataclass(slots=True)
class _Choice:
    """What a look at the next batches found: those to take, and those that are done."""

    taken: list[Batch] = field(default_factory=list)
    done: list[int] = field(default_factory=list)
    others: Counter[str] = field(default_factory=Counter)
    free: bool = False


class ClaimQueue:
    """Hands out the batches of a table as this process claims them, in their order.

    `is_stopped` tells of a component that it is to be left alone.
    """

    def __init__(
        self,
        claims: Claims,
        plan: ScoringPlan,
        table: BatchTable,
        is_stopped: Callable[[str], bool],
        tell: Tell,
    ) -> None:
        self.claims = claims
        self.plan = plan
        self.table = table
        self.is_stopped = is_stopped
        self.tell = tell
        self.others: Counter[str] = Counter()
        """How many units other processes have computed, by component."""
        self._state = np.zeros(len(table), dtype=np.uint8)
        self._ready: deque[Batch] = deque()
        self._begin = 0  # the first window with open batches
        self._size, self._taken_at = 1, 0.0

    def advance(self) -> bool:
        """Claim batches, if need be as soon as others let go of theirs; False if all are done."""
        while not self._ready:
            self._take()
            if not self._ready and not len(self._open(0, len(self.table))):
                return False
            if not self._ready:
                self.claims.wait(self._may_be_free)
        return True

    def batches(self) -> Iterator[Batch]:
        """Yield batches that this process has claimed; ends when no more can be had at once."""
        while self._ready or self._take():
            yield self._ready.popleft()

    def settle(self, batch: Batch) -> None:
        """Note that a batch is stored."""
        self._state[batch.number] = _DONE

    def lose(self, batch: Batch) -> None:
        """Note that a batch is another's by now."""
        self._state[batch.number] = _OPEN
        self._begin = min(self._begin, batch.number // _WINDOW * _WINDOW)

    def drop(self, batch: Batch) -> None:
        """Leave a claimed batch to others."""
        self.lose(batch)
        self.claims.drop(batch.span)

    def _open(self, begin: int, end: int) -> NDArray[np.int64]:
        """Return the numbers of batches between two that are neither done nor taken or stopped."""
        is_open = self._state[begin:end] == _OPEN
        for place, one in enumerate(self.table.sources):
            if self.is_stopped(one.label):
                is_open &= self.table.source[begin:end] != place
        return begin + np.flatnonzero(is_open)

    def _any_open(self, begin: int) -> bool:
        return bool((self._state[begin : begin + _WINDOW] == _OPEN).any())

    def _take(self) -> bool:
        """Claim the next batches that are free; returns whether there are any."""
        self._adapt()
        while self._begin < len(self.table) and not self._any_open(self._begin):
            self._begin += _WINDOW
        for begin in range(self._begin, len(self.table), _WINDOW):
            while len(numbers := self._open(begin, begin + _WINDOW)):
                choice = _Choice()
                self.claims.take(partial(self._choose, choice, numbers))
                self._note(choice)
                if choice.taken:
                    return True
                if not choice.free:
                    break
        return False

    def _adapt(self) -> None:
        """Claim more at a time where that was soon computed, less where it took long."""
        now = time.monotonic()
        if now - self._taken_at < _SHORT:
            self._size = min(2 * self._size, _MOST)
        elif now - self._taken_at > _LONG:
            self._size = max(self._size // 2, 1)
        self._taken_at = now

    def _choose(
        self,
        choice: _Choice,
        numbers: NDArray[np.int64],
        connection: Connection,
        rows: Sequence[ClaimRow],
    ) -> list[Span]:
        """Choose batches that nobody has claimed or stored, fewer towards the end."""
        choice.taken, choice.done, choice.others = [], [], Counter()  # it may be the second try
        spans = _Spans(rows)
        batches = (self.table[int(number)] for number in numbers)
        free = _next(one for one in batches if one.span not in spans)
        choice.free = bool(free)
        share = -(-len(numbers) // (2 * (1 + len({row.worker for row in rows}))))
        known = self._known(connection, free)
        for batch in free:
            stored = known[batch.number]
            if stored.all():
                choice.done.append(batch.number)
            elif len(choice.taken) < min(self._size, share):
                choice.taken.append(replace(batch, units=batch.units[~stored]))
            else:
                continue
            choice.others[batch.label] += int(stored.sum())
        return [one.span for one in choice.taken]

    def _known(
        self, connection: Connection, batches: Sequence[Batch]
    ) -> dict[int, NDArray[np.bool_]]:
        """Return by batch which of its units were stored since the plan was made."""
        found: dict[int, NDArray[np.bool_]] = {}
        for label, embeds in {(one.label, one.embeds): None for one in batches}:
            own = [one for one in batches if (one.label, one.embeds) == (label, embeds)]
            pending = (self.plan.embedders if embeds else self.plan.scorers)[label]
            units = np.concatenate([one.units for one in own])
            stored = _stored(connection, self.plan, pending, units)
            ends = np.cumsum([len(one.units) for one in own])[:-1]
            numbers = [one.number for one in own]
            found.update(zip(numbers, np.split(stored, ends), strict=True))
        return found

    def _note(self, choice: _Choice) -> None:
        """Keep what was claimed, and tell what others have done."""
        self._state[choice.done] = _DONE
        for batch in choice.taken:
            self._state[batch.number] = _HELD
            self._ready.append(batch)
        for label, count in (+choice.others).items():
            self.others[label] += count
            self.tell(label, count, f"{self.others[label]:,} by others")

    def _may_be_free(self, rows: Sequence[ClaimRow]) -> bool:
        """Tell whether others have let go of a batch; until then, show what is waited for."""
        spans = _Spans(rows)
        left = [self.table[int(one)] for one in self._open(0, len(self.table))[:_WINDOW]]
        if any(batch.span not in spans for batch in left):
            return True
        told = f"waits for {counted(len(left), 'batch', 'batches')} that others compute"
        self.tell(left[0].label, 0, told)
        return False


def _next(batches: Iterator[Batch]) -> list[Batch]:
    """Return as many batches as are looked at together: one at least."""
    found: list[Batch] = []
    units = 0
    for batch in batches:
        found.append(batch)
        units += len(batch.units)
        if len(found) == _MOST or units >= _MOST_UNITS:
            break
    return found


class _Spans:
    """Tells quickly whether others have claimed a part of a span."""

    def __init__(self, rows: Sequence[ClaimRow]) -> None:
        by_component: dict[int, list[tuple[int, int]]] = {}
        for row in rows:
            by_component.setdefault(row.span.component_id, []).append(row.span[1:])
        self._limits = {key: np.array(spans).T for key, spans in by_component.items()}

    def __contains__(self, span: Span) -> bool:
        limits = self._limits.get(span.component_id)
        if limits is None:
            return False
        first, last = limits
        return bool(((last >= span.first) & (first <= span.last)).any())


def _stored(
    connection: Connection, plan: ScoringPlan, pending: PendingWork, units: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Return which of some units (n,) a component has results for by now."""
    number = pending.component_id
    if isinstance(pending, PendingTexts):
        digests = pending.digests[units]
        return contained(digests, spaces.embedded_among(connection, number, digests))
    if isinstance(pending, PendingImages):
        images = pending.image_ids[units]
        return contained(images, scores.embedded_among(connection, number, images))
    contents = plan.contents[pending.places[units]]
    return contained(contents, scores.scored_among(connection, number, contents))
