"""Scores of pool scorers: computed of all samples together, stored under the pool's digest."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ig4.core.contracts import Needs, Pool, PoolScorer
from ig4.core.counts import counted
from ig4.core.engine.pooling.clusterlabels import cluster_labels
from ig4.core.engine.pooling.pooldata import CountedScores, StoredPoolData
from ig4.core.engine.pooling.poolinputs import further_digests
from ig4.core.engine.pooling.settings import PoolSettings
from ig4.core.engine.pooling.spaces import has_no_images, require_space, without_image
from ig4.core.engine.scoring.sharing.claiming import insist, whole_component
from ig4.core.errors import Ig4Error, PluginError, UsageError
from ig4.core.events import StageFinished, StageStarted
from ig4.core.host.fingerprint import Fingerprint, digest_of
from ig4.core.host.recording import RecordedOptions, recorded_options
from ig4.core.host.watch import open_named
from ig4.core.records import NO_IMAGE, Choice
from ig4.core.suggest import did_you_mean
from ig4.storage import samples, scorecolumns, scores

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ig4.core.engine.session import ConfiguredComponent, Session
    from ig4.storage.datasets import DatasetRow
    from ig4.storage.scorecolumns import ScoreColumnRow

POOL = "pool"
"""The key in a stored component's identity that holds the digest of its pool."""


class MissingVectorsError(UsageError):
    """Vectors that a pool scorer needs are not there; `ig4 score` makes them before it scores."""


@dataclass(frozen=True, slots=True)
class ScoringPool:
    """The samples that a pool scorer sees, and those it cannot: `lacking` has why, by place.

    `sample_ids` and `contents` (n,) are of all sound samples; `places` (m,) those in the pool,
    and `clusters` (m,) theirs, zeros where the scorer reads none. `digest` is of all that its
    values depend on.
    """

    sample_ids: NDArray[np.int64]
    contents: NDArray[np.int64]
    places: NDArray[np.int64]
    lacking: Mapping[int, str]
    clusters: NDArray[np.int64]
    digest: str


def score_pool(
    session: Session, dataset: DatasetRow, one: ConfiguredComponent, settings: PoolSettings
) -> int:
    """Compute what a pool scorer says of a data set, if the pool has changed since it last did.

    Returns how many contents got a new result.

    Raises:
        UsageError: what it needs is missing; names the command that makes it.
        PluginError: it breaks its contract.
    """
    scorer = one.component
    assert isinstance(scorer, PoolScorer)
    pool = scoring_pool(session, dataset, one, settings)
    stored = _of_pool(one.fingerprint, pool.digest)
    component_id = session.component_id(stored)
    if _is_done(session, pool, component_id):
        _bind(session, dataset, one, component_id)
        return 0
    with whole_component(session, dataset.id, component_id):
        if not _is_done(session, pool, component_id):  # another process was faster
            return _compute(session, dataset, one, settings, pool, component_id)
    _bind(session, dataset, one, component_id)
    return 0


def _is_done(session: Session, pool: ScoringPool, component_id: int) -> bool:
    with session.store.reading() as connection:
        done = scores.scored_ids(connection, component_id)
    return len(np.setdiff1d(np.unique(pool.contents), done)) == 0


def _compute(
    session: Session,
    dataset: DatasetRow,
    one: ConfiguredComponent,
    settings: PoolSettings,
    pool: ScoringPool,
    component_id: int,
) -> int:
    """Compute and store what a pool scorer says; returns how many contents got a result."""
    session.emit(StageStarted(one.label, len(pool.places), "samples"))
    values = _values(session, dataset, one, settings, pool)
    rows = _rows(pool, values)

    def put() -> None:
        with session.store.writing() as connection:
            scores.put(connection, component_id, session.run_id, rows)

    insist(put)  # all samples were computed for it
    _bind(session, dataset, one, component_id)
    failed = sum(error is not None and error != NO_IMAGE for _, _, error, _ in rows)
    session.emit(StageFinished(one.label, f"{failed:,} failed" if failed else ""))
    return len(rows)


def scoring_pool(
    session: Session, dataset: DatasetRow, one: ConfiguredComponent, settings: PoolSettings
) -> ScoringPool:
    """Return the samples that a pool scorer sees.

    Raises:
        MissingVectorsError: vectors that it needs are not there.
        UsageError: scores, groups or clusters that it needs are not there.
    """
    needs = _needs(one)
    sample_ids, contents = _sound(session, dataset)
    with session.store.reading() as connection:
        columns = {row.name: row for row in scorecolumns.list_all(connection, dataset.id)}
    lacking: dict[int, str] = {}
    parts: list[str] = []
    for name in needs.columns:
        row = _column(dataset, one.label, name, columns)
        with session.store.reading() as connection:
            values = scores.values(connection, row.component_id, contents)
            told = scores.contents_of_error(connection, row.component_id, NO_IMAGE)
        imageless = np.isin(contents, told)
        for place in np.flatnonzero(np.isnan(values)).tolist():
            why = f"it has no {name} score, which {one.label} reads"
            lacking.setdefault(place, NO_IMAGE if imageless[place] else why)
        parts += [row.fingerprint, hashlib.sha256(values.tobytes()).hexdigest()]
    for space in needs.all_spaces:
        if has_no_images(session, dataset, space, settings.embedders, sample_ids, contents):
            lacking |= dict.fromkeys(
                range(len(sample_ids)),
                f"no sample has an image, of which the space {space} is made",
            )
            continue
        try:
            found = require_space(session, dataset, space, settings.embedders, sample_ids, contents)
        except UsageError as error:
            raise MissingVectorsError(str(error)) from error
        named = session, dataset, space, settings.embedders, sample_ids, contents
        imageless = without_image(*named)
        for place in np.flatnonzero(found.row_of < 0).tolist():
            why = NO_IMAGE if imageless[place] else f"it has no vector in the space {space}"
            lacking.setdefault(place, why)
        parts.append(found.digest)
    clusters = np.zeros(len(sample_ids), dtype=np.int64)
    if needs.clusters:
        clusters = cluster_labels(session, dataset, settings.clustering, sample_ids)
        for place in np.flatnonzero(clusters < 0).tolist():
            lacking.setdefault(place, f"it has no cluster, which {one.label} reads")
    places = np.setdiff1d(np.arange(len(sample_ids)), np.fromiter(lacking, dtype=np.int64))
    clusters = clusters[places]
    seen = sample_ids[places], contents[places], clusters
    further = further_digests(session, dataset, needs, settings, columns, *seen)
    members = hashlib.sha256(np.sort(contents[places]).tobytes()).hexdigest()
    digest = digest_of([members, [*parts, *further], needs.to_dict()])
    return ScoringPool(sample_ids, contents, places, lacking, clusters, digest)


def stale_notice(
    session: Session, dataset: DatasetRow, column: ScoreColumnRow, settings: PoolSettings
) -> str | None:
    """Return what to say of a column of a pool scorer's whose pool has changed since, else None.

    Where what the scorer reads is not there for the present samples, as new ones have no vectors
    yet, the samples alone are compared. None where nothing can be told, as the scorer is not
    installed any more.
    """
    digest = column.identity.get(POOL)
    if digest is None or column.imported:
        return None
    kept = RecordedOptions.from_dict(column.options)
    options = {} if kept is None else dict(kept.values)
    choice = Choice("scorer", f"{column.distribution}/{column.component}", options, column.name)
    try:
        one = session.configured(choice, runnable=False)
    except Ig4Error:
        return None
    if not isinstance(one.component, PoolScorer):
        return None
    changed = f"{column.name} was computed of a pool that has changed since"
    anew = f"{changed}: `ig4 score --scorers {column.name}` computes it anew"
    try:
        present = scoring_pool(session, dataset, one, settings).digest
    except MissingVectorsError:
        return anew if _has_other_members(session, dataset, column) else None
    except Ig4Error as error:
        other = _has_other_members(session, dataset, column)
        return f"{changed}, and cannot be computed of it yet: {error}" if other else None
    return None if present == digest else anew


def _has_other_members(session: Session, dataset: DatasetRow, column: ScoreColumnRow) -> bool:
    """Tell whether a data set has contents that a pool scorer has not seen, or lacks some."""
    _, contents = _sound(session, dataset)
    with session.store.reading() as connection:
        seen = scores.scored_ids(connection, column.component_id)
    return len(np.setxor1d(contents, seen)) > 0


def _sound(session: Session, dataset: DatasetRow) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return ids and contents (n,) of the samples that have no problem."""
    with session.store.reading() as connection:
        sample_ids, contents = samples.ordered_ids(connection, dataset.id)
        faulty = samples.ids_with_problems(connection, dataset.id)
    sound = ~np.isin(sample_ids, faulty)
    return sample_ids[sound], contents[sound]


def _needs(one: ConfiguredComponent) -> Needs:
    assert isinstance(one.component, PoolScorer)
    needs = one.component.needs()
    if needs.scores:
        raise PluginError(
            f"scorer {one.label} needs the scores that count, which only a selection has: name the "
            "scores that it reads (Needs(columns=…))"
        )
    return needs


def _column(
    dataset: DatasetRow, label: str, name: str, columns: Mapping[str, ScoreColumnRow]
) -> ScoreColumnRow:
    if name not in columns:
        raise UsageError(
            f"{label} reads the scores {name}, which {dataset.name} does not have: run "
            f"`ig4 score --scorers {name.partition('.')[0]}` or `ig4 import-scores` first"
            f"{did_you_mean(name, columns)}"
        )
    return columns[name]


def _of_pool(fingerprint: Fingerprint, digest: str) -> Fingerprint:
    """Return what values of one pool are stored under."""
    identity = {**fingerprint.identity, POOL: digest}
    return replace(
        fingerprint, identity=identity, value=digest_of([fingerprint.value, POOL, digest])
    )


def _values(
    session: Session,
    dataset: DatasetRow,
    one: ConfiguredComponent,
    settings: PoolSettings,
    pool: ScoringPool,
) -> NDArray[np.float64]:
    """Return the value (m,) of each sample of the pool, NaN where the scorer gives none."""
    scorer = one.component
    assert isinstance(scorer, PoolScorer)
    n = len(pool.places)
    if n == 0:
        return np.empty(0)
    data = StoredPoolData(
        session,
        dataset,
        settings,
        pool.sample_ids[pool.places],
        pool.contents[pool.places],
        CountedScores.none(n),
        pool.clusters,
    )
    view = Pool(data, size=n, seed=0, needs=scorer.needs(), reader=f"scorer {one.label}")
    open_named(scorer, one.label)
    try:
        values = np.asarray(scorer.score_pool(view))
    except Ig4Error:
        raise
    except Exception as error:
        raise PluginError(
            f"scorer {one.label} failed on the pool of {dataset.name} ({type(error).__name__}: "
            f"{error})"
        ) from error
    finally:
        scorer.close()
    _check(one.label, values, n)
    for text in view.told:
        session.notice(text)
    return values.astype(np.float64)


def _check(label: str, values: NDArray[np.float64], n: int) -> None:
    if values.shape != (n,) or not np.issubdtype(values.dtype, np.floating):
        raise PluginError(
            f"scorer {label} must return {counted(n, 'value')} as floats; it returned "
            f"{values.dtype} of shape {values.shape}"
        )


def _rows(
    pool: ScoringPool, values: NDArray[np.float64]
) -> list[tuple[int, float | None, str | None, str | None]]:
    """Return a row of `scores` for each distinct content; of equal samples the first counts."""
    rows: dict[int, tuple[int, float | None, str | None, str | None]] = {}
    for place, value in zip(pool.places.tolist(), values.tolist(), strict=True):
        content = int(pool.contents[place])
        if np.isfinite(value):
            rows.setdefault(content, (content, value, None, None))
        else:
            said = "the scorer gives it no value" if np.isnan(value) else f"the value is {value}"
            rows.setdefault(content, (content, None, said, None))
    for place, why in pool.lacking.items():
        content = int(pool.contents[place])
        rows.setdefault(content, (content, None, why, None))
    return list(rows.values())


def _bind(
    session: Session, dataset: DatasetRow, one: ConfiguredComponent, component_id: int
) -> None:
    """Let the scorer's name stand for these values; those of an older pool are deleted."""
    options = recorded_options(one.component)

    def bind() -> None:
        with session.store.writing() as connection:
            before = scores.bindings(connection, dataset.id).get(one.label)
            scores.bind(connection, dataset.id, one.label, component_id, options=options)
            if before is None or before[0] == component_id or before[1]:
                return
            old = scores.component(connection, before[0])
            if old["options"].get(POOL) and not scores.names_of_component(connection, before[0]):
                scores.delete_all(connection, before[0])

    insist(bind)


__all__ = [
    "POOL",
    "MissingVectorsError",
    "ScoringPool",
    "score_pool",
    "scoring_pool",
    "stale_notice",
]
