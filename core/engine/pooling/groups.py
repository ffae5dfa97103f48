"""Groups of a data set by a grouper: made once for all of its samples, and kept in the database."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from ig4.core.contracts import Grouper, Groups, Needs, Pool
from ig4.core.counts import counted
from ig4.core.engine.pooling.clusterlabels import cluster_labels
from ig4.core.engine.pooling.groupchecking import checked_groups
from ig4.core.engine.pooling.grouppool import GroupPoolData
from ig4.core.engine.pooling.spaces import require_space
from ig4.core.errors import PluginError, UsageError
from ig4.core.events import StageFinished, StageStarted
from ig4.core.host.blame import blaming
from ig4.core.host.fingerprint import digest_of
from ig4.core.host.watch import open_named
from ig4.core.records import Choice
from ig4.storage import datasets, groups, samples

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ig4.core.engine.pooling.spaces import SpaceVectors
    from ig4.core.engine.session import ConfiguredComponent, Session
    from ig4.core.records import JSON
    from ig4.storage.datasets import DatasetRow

_GIVEN = Needs(samples=True, meta=True, clusters=True)


@dataclass(frozen=True, slots=True)
class GroupSources:
    """What groups are made from beside the samples.

    `groupers` and `spaces` are the groupers and embedders that the user gave options, by name;
    `clustering` is the name or id of the clusters to use, by default those used last.
    """

    groupers: Mapping[str, Choice] = field(default_factory=dict)
    spaces: Mapping[str, Choice] = field(default_factory=dict)
    clustering: str | int | None = None

    def grouper(self, name: str) -> Choice:
        """Return the grouper of a name."""
        return self.groupers.get(name) or Choice("grouper", name, {}, name)


@dataclass(frozen=True, slots=True)
class DatasetGroups:
    """The groups of samples, and a digest of all that they depend on."""

    groups: Groups
    digest: str


def groups_of(
    session: Session,
    dataset: DatasetRow,
    grouper: Choice,
    sample_ids: NDArray[np.int64],
    contents: NDArray[np.int64],
    sources: GroupSources | None = None,
) -> DatasetGroups:
    """Return the groups of samples of a data set, given as ids and contents (n,).

    Groups are made of the whole data set, not of the samples given, so that a group does not
    depend on which samples have scores; of a mixture, which has no samples of its own, of those
    given. They are made once, and again only when the grouper, a sample, or what the grouper reads
    has changed. Of a sample with several groups, the largest comes first.

    Raises:
        UsageError: the grouper needs what is missing, or leaves every sample without a group.
        PluginError: the grouper needs what groupers are not given, or returns no groups.
    """
    work = _grouping(session, dataset, sources, sample_ids, contents)
    found = work.made(grouper, ())
    if len(work.sample_ids) == len(sample_ids):
        return found  # all of them, in the order of the data set
    order = np.argsort(work.sample_ids, kind="stable")
    rows = order[np.searchsorted(work.sample_ids, sample_ids, sorter=order)]
    return replace(found, groups=found.groups.take(rows))


def groups_digest(
    session: Session,
    dataset: DatasetRow,
    grouper: Choice,
    sample_ids: NDArray[np.int64],
    contents: NDArray[np.int64],
    sources: GroupSources | None = None,
) -> str:
    """Return the digest that `groups_of` gives with the groups, without making them.

    Raises:
        UsageError, PluginError: as `groups_of`.
    """
    return _grouping(session, dataset, sources, sample_ids, contents).inputs(grouper, ()).digest


def _grouping(
    session: Session,
    dataset: DatasetRow,
    sources: GroupSources | None,
    sample_ids: NDArray[np.int64],
    contents: NDArray[np.int64],
) -> _Grouping:
    everything = sample_ids, contents
    with session.store.reading() as connection:
        # Ids that are given are in the order of the data set; to count is faster than to read.
        if len(sample_ids) < datasets.count_samples(connection, dataset.id):
            everything = samples.ordered_ids(connection, dataset.id)
    return _Grouping(session, dataset, sources or GroupSources(), *everything)


@dataclass(frozen=True, slots=True)
class _GroupInputs:
    """What groups are made of beside the samples, and a digest of all of it."""

    needs: Needs
    spaces: Mapping[str, SpaceVectors]
    clusters: NDArray[np.int64] | None
    digest: str


@dataclass(frozen=True, slots=True)
class _Grouping:
    """Groupers at work on all samples of a data set."""

    session: Session
    dataset: DatasetRow
    sources: GroupSources
    sample_ids: NDArray[np.int64]
    contents: NDArray[np.int64]

    def inputs(self, choice: Choice, within: tuple[str, ...]) -> _GroupInputs:
        """Return what groups by a grouper are made of, without making any.

        `within` names the groupers that wait for these groups.
        """
        if choice.label in within:
            chain = " from ".join((*within[within.index(choice.label) :], choice.label))
            raise UsageError(f"grouper {choice.label} is made from itself: {chain}")
        configured = self.session.configured(choice, runnable=False)
        assert isinstance(configured.component, Grouper)
        needs = configured.component.needs()
        _require_known(choice.label, needs)
        found = {space: self._space(space) for space in needs.all_spaces}
        inner = (*within, choice.label)
        parts = {name: self.inputs(self.sources.grouper(name), inner) for name in needs.groups}
        labels = self._clusters() if needs.clusters else None
        read: dict[str, JSON] = {
            "spaces": {space: one.digest for space, one in found.items()},
            "groups": {name: one.digest for name, one in parts.items()},
            "clustering": None if labels is None else hashlib.sha256(labels.tobytes()).hexdigest(),
        }
        digest = digest_of(
            [configured.fingerprint.value, needs.to_dict(), self._samples_digest(), read]
        )
        return _GroupInputs(needs, found, labels, digest)

    def made(self, choice: Choice, within: tuple[str, ...]) -> DatasetGroups:
        """Return the groups by a grouper, stored before or made now; `within` as for `inputs`."""
        found = self.inputs(choice, within)
        with self.session.store.reading() as connection:
            known = groups.find(connection, self.dataset.id, found.digest)
        if known is not None and known.name == choice.label:
            return DatasetGroups(self._stored(known), found.digest)
        pool_data = self._pool_data(found, (*within, choice.label))
        configured = self.session.configured(choice)  # now it must be able to run
        with self.session.recorded("groups", {"grouper": choice.to_dict(), "name": choice.label}):
            self.session.attach(self.dataset.id)
            grouped = self._group(configured, found.needs, pool_data)
            self._store(configured, found.digest, grouped)
        return DatasetGroups(grouped, found.digest)

    def _pool_data(self, found: _GroupInputs, within: tuple[str, ...]) -> GroupPoolData:
        """Return what a grouper sees; the groups that it is made from are made first."""
        parts = {name: self.made(self.sources.grouper(name), within) for name in found.needs.groups}
        return GroupPoolData(
            self.session,
            self.sample_ids,
            self.contents,
            found.spaces,
            {name: one.groups for name, one in parts.items()},
            found.clusters,
            _rows_with(found.spaces),
            found.needs.samples,
        )

    def _space(self, space: str) -> SpaceVectors:
        return require_space(
            self.session,
            self.dataset,
            space,
            self.sources.spaces,
            self.sample_ids,
            self.contents,
        )

    def _clusters(self) -> NDArray[np.int64]:
        return cluster_labels(
            self.session,
            self.dataset,
            self.sources.clustering,
            self.sample_ids,
            otherwise=", or group by the vectors of a space (-o clusters.space=text)",
        )

    def _samples_digest(self) -> str:
        """Return a digest of the samples: which they are, their contents, their records.

        A record may change without its content; what was read tells that.
        """
        both = self.sample_ids.tobytes() + self.contents.tobytes()
        members = hashlib.sha256(both).hexdigest()
        with self.session.store.reading() as connection:
            states = datasets.source_states(connection, self.dataset.id)
        return digest_of([states, members])

    def _group(self, configured: ConfiguredComponent, needs: Needs, data: GroupPoolData) -> Groups:
        grouper, label = configured.component, configured.label
        assert isinstance(grouper, Grouper)
        stage = f"groups {label}"
        self.session.emit(StageStarted(stage, data.n))
        data.advance(stage)
        open_named(grouper, label)
        try:
            reader = f"grouper {label}"
            pool = Pool(data, size=data.n, seed=0, needs=needs, reader=reader)
            with blaming(reader):
                given = grouper.group(pool)
            found = checked_groups(given, data.n, label)
        finally:
            grouper.close()
        if not found.names:
            raise UsageError(f"grouper {label} puts no sample of {self.dataset.name} in a group")
        for text in pool.told:
            self.session.notice(text)
        self.session.emit(StageFinished(stage, counted(len(found.names), "group")))
        return _spread(found, data.rows, len(self.sample_ids))

    def _store(self, configured: ConfiguredComponent, inputs: str, found: Groups) -> None:
        component_id = self.session.component_id(configured.fingerprint)
        rows, labels = _pairs(found)
        with self.session.store.writing() as connection:
            groups.put(
                connection,
                dataset_id=self.dataset.id,
                name=configured.label,
                component_id=component_id,
                inputs=inputs,
                group_names=found.names,
                run_id=self.session.run_id,
                samples=self.sample_ids[rows],
                labels=labels,
            )

    def _stored(self, known: groups.GroupingRow) -> Groups:
        order = np.argsort(self.sample_ids, kind="stable")
        with self.session.store.reading() as connection:
            single = groups.single_labels(connection, known.id, self.sample_ids[order])
            if single is not None:
                label_of = np.empty(len(order), dtype=np.int64)
                label_of[order] = single
                return Groups(known.group_names, label_of)
            members, labels = groups.memberships(connection, known.id)
        place = np.searchsorted(self.sample_ids, members, sorter=order)
        rows = order[np.minimum(place, len(order) - 1)]
        here = self.sample_ids[rows] == members  # a mixture may have fewer than before
        rows, labels = rows[here], labels[here]
        return _from_pairs(known.group_names, rows, labels, len(self.sample_ids))


def _require_known(label: str, needs: Needs) -> None:
    known = replace(_GIVEN, spaces=needs.all_spaces, groups=needs.groups)
    if (known | needs) != known:
        raise PluginError(
            f"grouper {label} needs more than samples, meta, spaces, groups and clusters, which is "
            "all that groupers are given"
        )


def _rows_with(found: Mapping[str, SpaceVectors]) -> NDArray[np.int64] | None:
    """Return the rows that have vectors in all spaces, or None for all rows."""
    if not found:
        return None
    whole = np.all([one.row_of >= 0 for one in found.values()], axis=0)
    return None if whole.all() else np.flatnonzero(whole)


def _spread(found: Groups, rows: NDArray[np.int64] | None, n: int) -> Groups:
    """Return the groups of some of n rows as those of all, where the others have none."""
    if rows is None:
        return found
    own, labels = _pairs(found)
    return _from_pairs(found.names, rows[own], labels, n)


def _pairs(found: Groups) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return pairs of rows and labels (m,)."""
    if found.members is None:
        rows = np.flatnonzero(found.labels >= 0)
        return rows, found.labels[rows]
    starts, ids = found.members
    return np.repeat(np.arange(len(starts) - 1), np.diff(starts)), ids


def _from_pairs(
    names: Sequence[str], rows: NDArray[np.int64], labels: NDArray[np.int64], n: int
) -> Groups:
    """Return the groups that pairs of rows and labels (m,) say, of n rows."""
    order = np.lexsort((labels, rows))
    rows, labels = rows[order], labels[order]
    sizes = np.bincount(rows, minlength=n)
    starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    first = np.full(n, -1, dtype=np.int64)
    first[sizes > 0] = labels[starts[:-1][sizes > 0]]
    several = bool((sizes > 1).any())
    return Groups(tuple(names), first, (starts, labels) if several else None)
