"""A data set beside one selection: what every sample scored, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ig4.core.engine.pooling.poolgroups import pool_groups
from ig4.core.engine.pooling.settings import PoolSettings
from ig4.core.engine.selecting.columns import read_matrix
from ig4.core.engine.selecting.draft import PreparedSelection, prepare_selection
from ig4.core.engine.selecting.explain import recorded_columns, recorded_request
from ig4.core.engine.selecting.percent import percents
from ig4.core.errors import Ig4Error, PluginError
from ig4.core.host.blame import blaming
from ig4.core.records import Choice
from ig4.storage import clusters, samples, scorecolumns, selections

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ig4.core.contracts import Groups
    from ig4.core.engine.session import Session
    from ig4.storage.clusters import ClusteringRow
    from ig4.storage.datasets import DatasetRow
    from ig4.storage.scorecolumns import ScoreColumnRow
    from ig4.storage.selections import SelectionItem, SelectionRow

SELECTED, NOT_TAKEN = 0, 1
"""The first two of the fates: these every view has; the others are reasons."""

UNKNOWN = "not selected"
"""The fate of the other samples where it cannot be told again how the selection was made."""


@dataclass(frozen=True, slots=True)
class ScoreColumn:
    """The scores of one name: `raw` and `percent` are (n,) float64, NaN where there is none.

    `weight` is None where the selection does not count it; the percent of such a column is that of
    its scorer's own scale, and NaN throughout where that cannot be had.
    """

    name: str
    weight: float | None
    raw: NDArray[np.float64]
    percent: NDArray[np.float64]
    component_id: int

    @property
    def points(self) -> NDArray[np.float64]:
        """What it adds to a sum F(x), (n,) float64."""
        return self.percent * (self.weight or 0.0)


@dataclass(frozen=True)
class SelectionView:
    """All n samples of a data set beside one selection of it, in the order of the data set.

    `final` (n,) float64 is F(x), NaN where a sample has none. `rank` (n,) int64 is the place in the
    selection, 0 for what it has not. `fate` (n,) int64 says by its place in `fates` what became of
    a sample: "selected", "not taken", or why it was never compared ("stage 1 (reject)", "no clip
    score"); `stage_reasons` has by sample id what a stage said of it. `peers` (n,) int64 are the
    numbers of the contests: with whom a sample competes (its cluster, where the selector deals by
    clusters), -1 where it was never compared.

    `prepared` is what the selector chose from, None where that cannot be had any more; `why_not`
    then says why. `changed` tells whether scores, clusters or samples are other ones today than
    those the selection was made by, and `gone` counts selected samples that the data set lost.
    """

    dataset: DatasetRow
    selection: SelectionRow
    name: str | None
    report: Mapping[str, Any]
    sample_ids: NDArray[np.int64]
    contents: NDArray[np.int64]
    columns: tuple[ScoreColumn, ...]
    final: NDArray[np.float64]
    rank: NDArray[np.int64]
    fates: tuple[str, ...]
    fate: NDArray[np.int64]
    stage_reasons: Mapping[int, str]
    peers: NDArray[np.int64]
    groups: Groups | None
    clusters: NDArray[np.int64] | None
    clustering: ClusteringRow | None
    prepared: PreparedSelection | None
    why_not: str | None
    changed: bool
    gone: int

    def __len__(self) -> int:
        return len(self.sample_ids)

    @property
    def label(self) -> str:
        """What people call the selection: its name, or its number."""
        return self.name or f"selection {self.selection.id}"

    @cached_property
    def selected(self) -> NDArray[np.int64]:
        """The rows (k,) int64 of the selected samples, best first."""
        rows = np.flatnonzero(self.rank)
        return rows[np.argsort(self.rank[rows], kind="stable")]

    @property
    def counting(self) -> tuple[ScoreColumn, ...]:
        """The columns that the selection counts."""
        return tuple(column for column in self.columns if column.weight is not None)

    @property
    def ranks_by_final(self) -> bool:
        """Whether the selector decides by F(x), so that there is a line."""
        told = self.report.get("by_final")
        if told is None:  # of an older ig4, which did not record it
            told = self.selection.config["selector"]["use"].rpartition("/")[2] in ("quota", "topk")
        return bool(told) and self.prepared is not None

    @property
    def deals_by_cluster(self) -> bool:
        """Whether a sample competes with those of its cluster alone, so that each has a line."""
        return self.prepared is not None and self.prepared.pool.needs.clusters

    @cached_property
    def lines(self) -> Mapping[int, float]:
        """The final score of the last sample taken, by contest; none where F(x) does not decide.

        Pinned samples did not compete, so none of them is a line.
        """
        if not self.ranks_by_final:
            return {}
        return lines_of(self.peers[self.selected], self.final[self.selected])

    @property
    def line(self) -> float | None:
        """The line where all samples compete together; None where there is none, or several."""
        return None if self.deals_by_cluster else self.lines.get(0)

    def row_of(self, sample_ids: Sequence[int] | NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the rows (k,) int64 of sample ids, -1 for those the data set does not have."""
        return rows_of(self.sample_ids, np.asarray(sample_ids, dtype=np.int64))


def lines_of(peers: NDArray[np.int64], final: NDArray[np.float64]) -> dict[int, float]:
    """Return the least final score by contest, of the contests (k,) and scores (k,) of samples.

    Samples of no contest (-1) and without a score (NaN) draw no line.
    """
    competed = (peers >= 0) & ~np.isnan(final)
    contests, at = np.unique(peers[competed], return_inverse=True)
    least = np.full(len(contests), np.inf)
    np.minimum.at(least, at, final[competed])
    return dict(zip(contests.tolist(), least.tolist(), strict=True))


def rows_of(all_ids: NDArray[np.int64], ids: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return where `ids` (k,) stand among distinct `all_ids` (n,), -1 where they do not."""
    if not len(all_ids):
        return np.full(len(ids), -1, dtype=np.int64)
    if np.array_equal(all_ids, ids):
        return np.arange(len(ids), dtype=np.int64)
    order = np.argsort(all_ids, kind="stable")
    at = np.minimum(np.searchsorted(all_ids, ids, sorter=order), len(all_ids) - 1)
    rows = order[at].astype(np.int64)
    rows[all_ids[rows] != ids] = -1
    return rows


def selection_view(session: Session, dataset: DatasetRow, selection_id: int) -> SelectionView:
    """Return all samples of a data set beside one of its selections.

    The scores are those of today; nothing is chosen again. Where the selection cannot be made
    again (its scores, clusters or selector are gone), the scores that are there are shown, and
    what became of the others is unknown.
    """
    quiet = session.quiet()  # what is said here was said when it was made
    with session.store.reading() as connection:
        selection = selections.find(connection, selection_id)
        assert selection is not None
        name, report = selections.report(connection, selection_id)
        chosen = selections.samples(connection, selection_id)
        sample_ids, contents = samples.ordered_ids(connection, dataset.id)
        known = scorecolumns.list_all(connection, dataset.id)
    return _ViewMaker(
        quiet, dataset, selection, name, report, chosen, sample_ids, contents, known
    ).view()


@dataclass(frozen=True, slots=True)
class _ViewMaker:
    session: Session
    dataset: DatasetRow
    selection: SelectionRow
    name: str | None
    report: Mapping[str, Any]
    chosen: Sequence[SelectionItem]
    sample_ids: NDArray[np.int64]
    contents: NDArray[np.int64]
    known: Sequence[ScoreColumnRow]

    def view(self) -> SelectionView:
        prepared, why_not = self._prepared()
        rank, stored, gone = self._ranks()
        final = self._final(prepared, stored)
        fates, fate, reasons = self._fates(prepared, rank > 0)
        labels, clustering = self._clusters()
        return SelectionView(
            dataset=self.dataset,
            selection=self.selection,
            name=self.selection.name or self.name,
            report=self.report,
            sample_ids=self.sample_ids,
            contents=self.contents,
            columns=tuple(self._columns(prepared)),
            final=final,
            rank=rank,
            fates=fates,
            fate=fate,
            stage_reasons=reasons,
            peers=self._peers(prepared),
            groups=self._groups(clustering),
            clusters=labels,
            clustering=clustering,
            prepared=prepared,
            why_not=why_not,
            changed=gone > 0 or not _same(final[rank > 0], stored[rank > 0]),
            gone=gone,
        )

    def _prepared(self) -> tuple[PreparedSelection | None, str | None]:
        """Return what the selector chose from, or why that cannot be had."""
        try:
            request = recorded_request(self.selection)
            columns = recorded_columns(self.session, self.selection)
            matrix = read_matrix(self.session, columns, self.contents) if columns else None
            return prepare_selection(self.session, self.dataset, request, matrix=matrix), None
        except (Ig4Error, KeyError, TypeError) as error:  # as for records of an older ig4
            told = str(error) if isinstance(error, Ig4Error) else "its record is not whole"
            return None, told

    def _ranks(self) -> tuple[NDArray[np.int64], NDArray[np.float64], int]:
        """Return ranks (n,), stored final scores (n,), and how many samples are gone."""
        rank = np.zeros(len(self.sample_ids), dtype=np.int64)
        stored = np.full(len(self.sample_ids), np.nan)
        ids = np.array([one.sample_id for one in self.chosen], dtype=np.int64)
        rows = rows_of(self.sample_ids, ids)
        there = rows >= 0
        scores = [np.nan if one.final_score is None else one.final_score for one in self.chosen]
        rank[rows[there]] = np.array([one.rank for one in self.chosen], dtype=np.int64)[there]
        stored[rows[there]] = np.array(scores, dtype=np.float64)[there]
        return rank, stored, int((~there).sum())

    def _final(
        self, prepared: PreparedSelection | None, stored: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        if prepared is None or not prepared.table.names:
            return stored
        final = np.full(len(self.sample_ids), np.nan)
        final[self._places(prepared)] = prepared.table.final
        return final

    def _places(self, prepared: PreparedSelection) -> NDArray[np.int64]:
        """Return the rows of the candidates."""
        return rows_of(self.sample_ids, prepared.table.sample_ids)

    def _fates(
        self, prepared: PreparedSelection | None, chosen: NDArray[np.bool_]
    ) -> tuple[tuple[str, ...], NDArray[np.int64], Mapping[int, str]]:
        fates = ["selected", UNKNOWN if prepared is None else "not taken"]
        fate = np.full(len(self.sample_ids), NOT_TAKEN, dtype=np.int64)
        reasons: dict[int, str] = {}
        if prepared is not None:
            for why, ids in reversed([*prepared.table.lacking.items()]):
                fate[rows_of(self.sample_ids, ids)] = len(fates)
                fates.append(why)
            rules = _rules(prepared)
            if rules is not None:
                rejected = rules.labels >= 0
                rows = rows_of(self.sample_ids, prepared.table.sample_ids[prepared.left[rejected]])
                fate[rows] = rules.labels[rejected] + len(fates)
                fates += rules.names
            for number, result in enumerate(prepared.stages, start=1):
                left_out = np.fromiter(result.reasons, dtype=np.int64, count=len(result.reasons))
                fate[rows_of(self.sample_ids, left_out)] = len(fates)
                fates.append(f"stage {number} ({result.stage.do})")
                reasons |= result.reasons
        fate[chosen] = SELECTED
        return tuple(fates), fate, reasons

    def _peers(self, prepared: PreparedSelection | None) -> NDArray[np.int64]:
        peers = np.full(len(self.sample_ids), -1, dtype=np.int64)
        if prepared is not None:
            table, left = prepared.table, prepared.left
            places = rows_of(self.sample_ids, table.sample_ids[left])
            peers[places] = table.labels[left] if prepared.pool.needs.clusters else 0
        return peers

    def _clusters(self) -> tuple[NDArray[np.int64] | None, ClusteringRow | None]:
        """Return the clusters that the selection read, else the newest of the data set."""
        used = self.selection.clustering_id
        with self.session.store.reading() as connection:
            row = clusters.find(connection, self.dataset.id, clustering_id=used)
            if row is None:
                return None, None
            return clusters.labels(connection, row.id, self.sample_ids), row

    def _groups(self, clustering: ClusteringRow | None) -> Groups | None:
        """Return the groups that the mix was told by; None where they cannot be made."""
        told = dict(self.report.get("grouper") or {})
        mix = self.report.get("composition") or {}
        name = mix.get("by") or "auto"
        told.pop("digest", None)
        use = told.pop("use", name)
        settings = PoolSettings(
            groupers={name: Choice("grouper", use, told, name)},
            clustering=None if clustering is None else clustering.id,
        )
        try:
            found = pool_groups(
                self.session, self.dataset, settings, name, self.sample_ids, self.contents
            )
        except Ig4Error:
            return None
        return found.groups

    def _columns(self, prepared: PreparedSelection | None) -> list[ScoreColumn]:
        counting = {} if prepared is None else dict(self._counting(prepared))
        beside = [row for row in self.known if row.name not in counting]
        matrix = read_matrix(self.session, beside, self.contents)
        recorded = self.selection.config.get("weights") or {}
        found = [*counting.values()]
        for n, row in enumerate(beside):
            raw = matrix.raw[:, n]
            weight = recorded.get(row.name) if prepared is None else None
            percent = self._percent(row, raw)
            found.append(ScoreColumn(row.name, weight, raw, percent, row.component_id))
        return found

    def _counting(self, prepared: PreparedSelection) -> list[tuple[str, ScoreColumn]]:
        table, places = prepared.table, self._places(prepared)
        # Samples that were no candidates may have some of the scores.
        whole = len(places) == len(self.sample_ids)
        raw = table.raw if whole else read_matrix(self.session, table.columns, self.contents).raw
        found = []
        for n, row in enumerate(table.columns):
            percent = np.full(len(self.sample_ids), np.nan)
            percent[places] = table.percent[:, n]
            weight = float(table.weights[n])
            column = ScoreColumn(row.name, weight, raw[:, n], percent, row.component_id)
            found.append((row.name, column))
        return found

    def _percent(self, row: ScoreColumnRow, raw: NDArray[np.float64]) -> NDArray[np.float64]:
        try:
            return percents(self.session, [row], raw[:, None], "paper")[:, 0]
        except Ig4Error:
            return np.full(len(raw), np.nan)


def _rules(prepared: PreparedSelection) -> Groups | None:
    """Return which of its own rules a selector rejects each row of its pool by.

    Raises:
        PluginError: it fails, or gives other than a label for each row.
    """
    with blaming("the selector's rejections()"):
        rules = prepared.selector.rejections(prepared.pool)
    if rules is not None and np.shape(rules.labels) != (prepared.pool.n,):
        raise PluginError(
            f"the selector's rejections() must have a label for each of the {prepared.pool.n} rows "
            f"of the pool; they have the shape {np.shape(rules.labels)}"
        )
    return rules


def _same(today: NDArray[np.float64], stored: NDArray[np.float64]) -> bool:
    return bool(np.array_equal(today, stored, equal_nan=True))
