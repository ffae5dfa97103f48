"""Plans what weights are learned from: indicators, groups, subsets, questions, trainings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ig4.core.contracts import Needs
from ig4.core.counts import counted, verb
from ig4.core.engine.ablating.arms.arm import Arm
from ig4.core.engine.ablating.arms.trainers import ArmTrainers
from ig4.core.engine.ablating.heldout import refuse_test_questions
from ig4.core.engine.ablating.setup import AblationSetup, make_setup
from ig4.core.engine.evaluating.questions import question_digests
from ig4.core.engine.learning.design import (
    PER_INDICATOR,
    Design,
    Mixing,
    decorrelated,
    draw_subset,
    make_design,
)
from ig4.core.engine.learning.metric import Metric, find_metric
from ig4.core.engine.pooling.poolgroups import pool_groups
from ig4.core.engine.requests import selection_request
from ig4.core.engine.selecting.candidates import (
    NO_CLUSTERS,
    CandidateTable,
    SelectionRequest,
    candidate_table,
    resolve_size,
)
from ig4.core.engine.selecting.columns import score_matrix
from ig4.core.errors import Ig4Error, UsageError
from ig4.core.suggest import did_you_mean
from ig4.storage import samples, scorecolumns

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ig4.core.config import Config
    from ig4.core.engine.session import Session
    from ig4.core.records import Choice
    from ig4.storage.datasets import DatasetRow

NO_GROUPS = "none"
"""The name of `within` that keeps no mix."""

DEFAULT_GROUPS = "auto"


@dataclass(frozen=True, slots=True, eq=False)
class LearningPlan:
    """What is to be trained and evaluated.

    `subsets` has the rows (size,) of `table` that each takes; `within` is the grouper whose mix
    they keep, None for none. `questions` are digests of the development questions.
    """

    setup: AblationSetup
    trainer: Choice
    benchmarks: tuple[Choice, ...]
    seeds: range
    metric: Metric
    within: str | None
    table: CandidateTable
    subsets: tuple[NDArray[np.int64], ...]
    design: Design
    questions: frozenset[str]

    @property
    def names(self) -> tuple[str, ...]:
        """The indicators."""
        return self.table.names

    @property
    def size(self) -> int:
        """How many samples a subset has."""
        return len(self.subsets[0])

    def steps(self) -> int | None:
        """How many steps each training takes, None where the trainer does not say."""
        footprint = ArmTrainers(self.setup, self.trainer).footprint(Arm("subset"), self.size)
        return None if footprint is None else footprint.steps


def make_learning_plan(session: Session, dataset: DatasetRow, config: Config) -> LearningPlan:
    """Return what a configuration learns weights from; nothing is stored or trained.

    Raises:
        UsageError: an indicator has no scores, subsets do not fit, or questions are tests.
        Ig4Error: a benchmark cannot be read, or a name or option is wrong.
    """
    section = config.learn
    if not section.benchmarks:
        raise UsageError(
            "name development questions to learn from: --benchmarks dev (with [benchmarks.dev] in "
            "ig4.toml, or -o); not those that you test on"
        )
    benchmarks = tuple(
        config.choice("benchmark", name) for name in dict.fromkeys(section.benchmarks)
    )
    own = config.ablate.model_copy(update={"benchmarks": section.benchmarks})
    setup = make_setup(session, dataset, config.model_copy(update={"ablate": own}))
    trainer = config.choice(
        "trainer", section.trainer or config.ablate.trainer or config.train.trainer
    )
    for choice in (trainer, *benchmarks):
        session.configured(choice)
    metric = find_metric(session, config, benchmarks)
    development = {
        choice.label: question_digests(
            session, choice, config.ablate.limit, config.ablate.image_root
        )
        for choice in benchmarks
    }
    refuse_test_questions(session, config, development)
    names = _indicators(setup)
    within, groups = _groups(setup)
    request = _request(setup, names, within)
    table, request = _candidates(setup, request)
    labels = np.array([groups.get(one, -1) for one in table.sample_ids.tolist()], dtype=np.int64)
    subsets = _subsets(config, table, labels, _size(request, table))
    means = np.array([table.percent[rows].mean(axis=0) for rows in subsets])
    return LearningPlan(
        setup=setup,
        trainer=trainer,
        benchmarks=benchmarks,
        seeds=range(config.run.seed, config.run.seed + section.seeds),
        metric=metric,
        within=within,
        table=table,
        subsets=subsets,
        design=make_design(table.names, means),
        questions=frozenset().union(*development.values()),
    )


def _indicators(setup: AblationSetup) -> tuple[str, ...]:
    """Return the columns of scores that weights are wanted of.

    Raises:
        UsageError: one has no scores; names the command that computes them.
    """
    session, dataset, section = setup.session, setup.dataset, setup.config.learn
    names = section.indicators or setup.scorers
    with session.store.reading() as connection:
        known = [row.name for row in scorecolumns.list_all(connection, dataset.id)]
        _, contents = samples.ordered_ids(connection, dataset.id)
    if names is None and known:
        return score_matrix(session, dataset, contents, None, {}).names
    names = tuple(dict.fromkeys(names or ("clip", "length")))
    missing = [name for name in names if name not in known]
    if missing:
        scorers = ",".join(dict.fromkeys(name.partition(".")[0] for name in missing))
        hint = did_you_mean(missing[0], known)
        raise UsageError(
            f"{dataset.name} has no scores of {', '.join(missing)}: run `ig4 score "
            f"--scorers {scorers}` or `ig4 import-scores` first, or name others (--indicators; "
            f"there are: {', '.join(known) or 'none'}){hint}"
        )
    return names


def _candidates(
    setup: AblationSetup, request: SelectionRequest
) -> tuple[CandidateTable, SelectionRequest]:
    """Return the samples that have all scores, with their percentiles in their groups.

    Indicators that have one value for all are left out, and that is said, where the user named
    none; the request that comes back is of the others.

    Raises:
        UsageError: indicators that the user named have one value for all, or all that there are.
    """
    table = candidate_table(setup.session, setup.dataset, request, Needs(scores=True))
    constant = [
        name
        for name, values in zip(table.names, table.percent.T, strict=True)
        if len(values) and np.ptp(values) < 1e-9
    ]
    if not constant:
        return table, request
    others = tuple(name for name in table.names if name not in constant)
    where = "of a group" if request.within else "of the data set"
    told = (
        f"{', '.join(constant)}: {verb(len(constant), 'it is', 'each is')} the same for every "
        f"sample {where}, so nothing can be learned of {verb(len(constant), 'it', 'them')}"
    )
    if setup.config.learn.indicators or not others:
        named = f" (--indicators {','.join(others)})" if others else ""
        raise UsageError(f"{told}; name others{named}")
    setup.session.notice(f"{told}: left out")
    fewer = replace(request, scorers=others, weights=dict.fromkeys(others, 1.0))
    return _candidates(setup, fewer)


def _size(request: SelectionRequest, table: CandidateTable) -> int:
    """Return how many samples a subset has.

    Raises:
        UsageError: as many as there are, or more.
    """
    n = len(table.sample_ids)
    if request.size is not None and request.size >= n:
        raise UsageError(
            f"subsets of {request.size:,} do not differ: only {counted(n, 'sample')} can be drawn "
            f"from; make them smaller (--size {max(2, n // 10)})"
        )
    return resolve_size(request, n, table.left_out)


def _groups(setup: AblationSetup) -> tuple[str | None, Mapping[int, int]]:
    """Return the grouper whose mix is kept, and the group of each sample; none where none can."""
    session, dataset, config = setup.session, setup.dataset, setup.config
    name = config.learn.within
    if name == NO_GROUPS:
        return None, {}
    chosen = config.select.groups if name == DEFAULT_GROUPS else name
    with session.store.reading() as connection:
        ids, contents = samples.ordered_ids(connection, dataset.id)
    try:
        found = pool_groups(session, dataset, setup.request.pool, chosen, ids, contents).groups
    except Ig4Error as error:
        if chosen != DEFAULT_GROUPS:
            raise
        session.notice(f"the subsets keep no mix of groups: {error}")
        return None, {}
    if len(found.names) < 2 and chosen == DEFAULT_GROUPS:
        return None, {}
    return chosen, dict(zip(ids.tolist(), found.labels.tolist(), strict=True))


def _request(setup: AblationSetup, names: Sequence[str], within: str | None) -> SelectionRequest:
    """Return the selection request that a subset stands for: its size, and percentiles."""
    config = setup.config
    configured = selection_request(config)
    request = replace(
        configured,
        pins=replace(configured.pins, keep=()),  # subsets are drawn; vetoes hold for them, too
        scorers=tuple(names),
        weights=dict.fromkeys(names, 1.0),
        scale="percentile",
        within=within,
        combine="sum",
        clustering=NO_CLUSTERS,
        stages=(),
    )
    section = config.learn
    if section.size is not None or section.fraction is not None:
        return replace(request, size=section.size, fraction=section.fraction)
    if config.ablate.size is not None:
        return replace(request, size=config.ablate.size, fraction=None)
    return request


def _subsets(
    config: Config, table: CandidateTable, labels: NDArray[np.int64], size: int
) -> tuple[NDArray[np.int64], ...]:
    """Draw the subsets.

    Raises:
        UsageError: they are too few for the indicators.
    """
    section, m = config.learn, len(table.names)
    count = section.subsets or PER_INDICATOR * m
    if count < m + 2:
        raise UsageError(
            f"--subsets {count}: weights of {counted(m, 'indicator')} need at least {m + 2} "
            f"subsets, and {PER_INDICATOR * m} are advised"
        )
    mixing = Mixing(section.bins, section.concentration)
    strata = decorrelated(table.percent)
    return tuple(
        draw_subset(strata, labels, size, number=number, seed=config.run.seed, mixing=mixing)
        for number in range(1, count + 1)
    )
