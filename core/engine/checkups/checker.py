"""Checks the columns of a data set: measures, judges and stores what is not known of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias, cast

import numpy as np

from ig4.core.contracts import AsyncScorer
from ig4.core.engine.checkups import rerating
from ig4.core.engine.checkups.findings import ColumnCheckup, GroupDependence, Separation
from ig4.core.engine.checkups.looking import (
    FORM,
    GroupsOf,
    SampleReader,
    groups_digest,
    known_groups,
)
from ig4.core.engine.checkups.measuring import (
    LEAST_PAIRS,
    agreements,
    group_dependence,
    inputs_digest,
    length_correlation,
    separation,
    thinned,
    too_few,
)
from ig4.core.engine.checkups.rerating import NotRatedError, Rated
from ig4.core.engine.checkups.shuffled import ShuffledPairs, shuffle
from ig4.core.engine.checkups.verdict import is_reversed, verdict
from ig4.core.engine.scoring.failures import count_failures
from ig4.core.engine.scoring.outputs import output_of, outputs_of, scorer_fingerprint
from ig4.core.engine.selecting.percent import low_is_good, paper_scale
from ig4.core.errors import Ig4Error
from ig4.core.statistics.saturation import saturation
from ig4.core.statistics.topshare import top_stability
from ig4.storage import checkups, scorecolumns, scores

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ig4.core.contracts import Run, Scorer
    from ig4.core.engine.checkups.request import CheckRequest
    from ig4.core.engine.scoring.tasks import ScoreTask, ScoreTaskResult
    from ig4.core.engine.session import ConfiguredComponent, Session
    from ig4.storage.checkups import CheckupRow
    from ig4.storage.datasets import DatasetRow
    from ig4.storage.scorecolumns import ScoreColumnRow

BEST = 0.06
"""The share of a pool whose stability is told: what the paper selects."""


UNPAID = "its service is paid, and asked only with --paid"
"""Why a scorer that asks a service does not rate pairs."""

_Key: TypeAlias = tuple[str, tuple[int, ...]]
"""A scorer's fingerprint, and the samples of pairs."""


class ColumnChecker:
    """Checks the columns of a data set, one after the other, on the same draw of samples."""

    def __init__(
        self,
        session: Session,
        dataset: DatasetRow,
        request: CheckRequest,
        groups_of: GroupsOf = known_groups,
        reader: SampleReader | None = None,
    ) -> None:
        self.session = session
        self.dataset = dataset
        self.request = request
        self.groups_of = groups_of
        self.reader = reader or SampleReader(session, dataset, request.seed)
        with session.store.reading() as connection:
            rows = scorecolumns.list_all(connection, dataset.id)
            self.stored = checkups.list_all(connection, dataset.id)
            self.values = {
                row.name: scores.values(connection, row.component_id, self.reader.contents)
                for row in rows
            }
        self.columns = {row.name: row for row in rows}
        self._rated: dict[_Key, Rated | Exception] = {}
        self._asked_for: dict[_Key, tuple[Rated, NDArray[np.bool_], str | None]] = {}
        self._groups: dict[bytes, Mapping[str, NDArray[np.int64]]] = {}

    def rate(
        self, run: Run[ScoreTask, ScoreTaskResult], label: str, scorer: Scorer
    ) -> dict[str, Separation]:
        """Return how well a scorer that is open in a run tells pairs apart, or why it does not.

        For its own column and for those of its outputs, by name.
        """
        own = self.columns[label]

        def rate(pairs: ShuffledPairs) -> Rated:
            return rerating.rate_in(self.session, run, label, scorer, pairs)

        columns = (own, *outputs_of(own, list(self.columns.values())))
        return {column.name: self._told(column, rate) for column in columns}

    def check(self, name: str, ready: Separation | None = None) -> tuple[ColumnCheckup, bool]:
        """Return what is found of a column, and whether that differs from what was stored.

        `ready` is how well its scorer tells pairs apart, where that is known already.
        """
        column, stored = self.columns[name], self.stored.get(name)
        inputs = inputs_digest(column.fingerprint, self.reader.contents, self.values[name])
        grouped = groups_digest(self._groups_at(self.reader.draw(self.values[name])))
        before = read_checkup(stored)
        if ready is None and stored is not None and stored.inputs == inputs:
            known = before if self._is_usable(column, before, grouped) else None
        else:
            known = None
        if known is None:
            known = self._measured(column, ready or self._separation(column), grouped)
        found = self._judged(known)
        if stored is not None and stored.inputs == inputs and found == before:
            return found, False
        self._store(column, inputs, found)
        return found, True

    def _is_usable(self, column: ScoreColumnRow, found: ColumnCheckup | None, grouped: str) -> bool:
        """Tell whether what is known, of the same values, is all that is asked for."""
        asked = self.request
        if found is None or not asked.reuse or found.paid < asked.paid:
            return False
        told = found.separation
        has_all = 0 < told.pairs + told.failed + told.unmatched < found.wanted
        enough = has_all or found.wanted >= asked.pairs
        if told.why is not None and not told.pairs and told.why != self._why_not(column):
            return False  # it can be rated now, or cannot for another reason
        return enough and found.grouped == grouped and found.seed == asked.seed

    def _measured(self, column: ScoreColumnRow, told: Separation, grouped: str) -> ColumnCheckup:
        name, asked = column.name, self.request
        values = self.values[name]
        finite = values[np.isfinite(values)]
        places, falls = self.reader.draw(values), self._falls(column)
        # A selection takes the better end, which of a reversed column is the other one.
        better = -finite if falls != is_reversed(told) else finite
        with self.session.store.reading() as connection:
            counted = count_failures(connection, self.dataset.id, column.component_id)
        return ColumnCheckup(
            name=name,
            verdict="",
            reasons=(),
            samples=len(values),
            values=len(finite),
            failures=counted.failed,
            separation=told,
            saturation=saturation(finite),
            groups=self._dependence(places, values[places]),
            length=length_correlation(self.reader.rows(places), values[places]),
            agreement={},
            stability=top_stability(thinned(better, asked.seed), BEST, seed=asked.seed),
            falls=falls,
            pool_dependent=self._pool_dependent(column, finite),
            wanted=asked.pairs,
            seed=asked.seed,
            paid=asked.paid,
            grouped=grouped,
        )

    def _judged(self, found: ColumnCheckup) -> ColumnCheckup:
        """Return what was found with the agreement of now, and the verdict that goes with it."""
        found = replace(found, agreement=agreements(found.name, self.values))
        judged, reasons = verdict(found)
        return replace(found, verdict=judged, reasons=reasons)

    def _why_not(self, column: ScoreColumnRow) -> str | None:
        """Return why a column cannot be rated again, as far as that is known without trying."""
        try:
            component = rerating.scorer_of(self.session, column).component
        except NotRatedError as error:
            return str(error)
        return UNPAID if isinstance(component, AsyncScorer) and not self.request.paid else None

    def _separation(self, column: ScoreColumnRow) -> Separation:
        """Let the scorer of a column rate pairs, and return how well it tells them apart."""
        why = self._why_not(column)
        if why is not None:
            return Separation(why=why)
        configured = rerating.scorer_of(self.session, column)
        if isinstance(configured.component, AsyncScorer):
            try:
                return self._asked(column, configured)
            except NotRatedError as error:
                return Separation(why=str(error))
        scorer = cast("Scorer", configured.component)

        def rate(pairs: ShuffledPairs) -> Rated:
            executor = self.request.executor
            return rerating.rate(self.session, executor, configured.label, scorer, pairs)

        return self._told(column, rate)

    def _told(self, column: ScoreColumnRow, rate: Callable[[ShuffledPairs], Rated]) -> Separation:
        """Return how well a column tells pairs apart; of one scorer they are rated once."""
        try:
            pairs = self._pairs(column.name)
            key = scorer_fingerprint(column), pairs.ids
            if key not in self._rated:
                try:
                    self._rated[key] = rate(pairs)
                except (NotRatedError, Ig4Error) as error:
                    self._rated[key] = error
            return separation(pairs, self._known(key, column), falls=self._falls(column))
        except (NotRatedError, Ig4Error) as error:
            return Separation(why=str(error))

    def _known(self, key: _Key, column: ScoreColumnRow) -> NDArray[np.float64]:
        """Return what a scorer gave for pairs in a column.

        Raises:
            NotRatedError, Ig4Error: it could not rate them, or has no such output any more.
        """
        rated = self._rated[key]
        if isinstance(rated, Exception):
            raise rated
        return _values(rated, column)

    def _asked(self, column: ScoreColumnRow, configured: ConfiguredComponent) -> Separation:
        pairs = self._pairs(column.name)
        key = scorer_fingerprint(column), pairs.ids
        if key not in self._asked_for:
            self._asked_for[key] = rerating.ask(
                self.session, configured, pairs, self.request.call_settings
            )
        rated, answered, stopped = self._asked_for[key]
        if answered.sum() < LEAST_PAIRS and stopped:
            raise NotRatedError(stopped)
        pairs = pairs.take(np.flatnonzero(answered))
        values = _values(rated, column)[answered]
        return separation(pairs, values, falls=self._falls(column))

    def _pairs(self, name: str) -> ShuffledPairs:
        """Return the samples of a column to rate again.

        Raises:
            NotRatedError: they are too few to say anything.
        """
        values = self.values[name]
        drawn = self.reader.draw(values)
        kinds = self._groups_at(drawn).get(FORM, np.zeros(len(drawn), dtype=np.int64))
        places, kinds = drawn[: self.request.pairs], kinds[: self.request.pairs]
        pairs = shuffle(self.reader.rows(places), values[places], kinds)
        if len(pairs.rows) < LEAST_PAIRS:
            raise NotRatedError(too_few(len(pairs.rows)))
        return pairs

    def _groups_at(self, places: NDArray[np.int64]) -> Mapping[str, NDArray[np.int64]]:
        key = places.tobytes()
        if key not in self._groups:
            rows = self.reader.rows(places)
            self._groups[key] = self.groups_of(self.session, self.dataset, rows) if rows else {}
        return self._groups[key]

    def _dependence(
        self, places: NDArray[np.int64], values: NDArray[np.float64]
    ) -> dict[str, GroupDependence]:
        found = {
            name: group_dependence(values, labels)
            for name, labels in self._groups_at(places).items()
        }
        return {name: one for name, one in found.items() if one is not None}

    def _falls(self, column: ScoreColumnRow) -> bool:
        """Tell whether low values are the good ones on the scorer's own percent scale."""
        values = self.values[column.name]
        return low_is_good(self.session, column, values[np.isfinite(values)])

    def _pool_dependent(self, column: ScoreColumnRow, values: NDArray[np.float64]) -> bool | None:
        """Tell whether percents of half the pool are other ones than in the whole pool."""
        if not len(values):
            return None
        half = values <= np.median(values)
        try:
            to_percent = paper_scale(self.session, column)
            return not np.allclose(to_percent(values)[half], to_percent(values[half]))
        except Ig4Error:
            return None

    def _store(self, column: ScoreColumnRow, inputs: str, found: ColumnCheckup) -> None:
        with self.session.store.writing() as connection:
            checkups.put(
                connection,
                dataset_id=self.dataset.id,
                name=column.name,
                component_id=column.component_id,
                inputs=inputs,
                result=found.to_dict(),
                run_id=self.session.run_id,
            )


def _values(rated: Rated, column: ScoreColumnRow) -> NDArray[np.float64]:
    output = output_of(column)
    if output not in rated:
        raise NotRatedError(f"its scorer has no output {output} any more")
    return rated[output]


def read_checkup(row: CheckupRow | None) -> ColumnCheckup | None:
    """Return what was stored of a column; None if nothing was, or by another version of ig4."""
    try:
        return None if row is None else ColumnCheckup.from_dict(row.result)
    except (TypeError, KeyError, AttributeError):
        return None
