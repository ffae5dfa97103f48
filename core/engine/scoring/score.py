"""The scoring stage: computes the scores and embeddings that a data set lacks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from ig4.core.calls.running.runner import CallsResult, run_call_tasks
from ig4.core.contracts import PoolScorer
from ig4.core.counts import counted, verb
from ig4.core.engine.checkups.check import ScoringCheck
from ig4.core.engine.checkups.findings import CheckResult
from ig4.core.engine.pooling.settings import PoolSettings
from ig4.core.engine.pooling.spacenames import all_parts
from ig4.core.engine.pooling.spaces import missing_space, space_choice
from ig4.core.engine.scoring import storing
from ig4.core.engine.scoring.failures import count_failures
from ig4.core.engine.scoring.outputs import column_name
from ig4.core.engine.scoring.plan import (
    ScoreRequest,
    ScoringPlan,
    check_label,
    check_request,
    check_shard,
    make_plan,
)
from ig4.core.engine.scoring.rating import RatingTask
from ig4.core.engine.scoring.runner import ScoreRunner
from ig4.core.engine.scoring.sharing.claiming import insist
from ig4.core.engine.scoring.spacebinding import bind_spaces, failures_by_space
from ig4.core.errors import Ig4Error, UsageError
from ig4.core.records import JSON, Choice
from ig4.core.views.tabular import ResultTable, TabularResult
from ig4.storage import scores, spaces

if TYPE_CHECKING:
    from ig4.core.engine.scoring.sharing.shards import Shard
    from ig4.core.engine.session import ConfiguredComponent, Session
    from ig4.storage.datasets import DatasetRow


@dataclass(frozen=True, slots=True, repr=False)
class ScoreResult(TabularResult):
    """What the stage did: by scorer, how many samples now, and how many failed in all.

    Samples without an image that a scorer of images was given are `without_image`, and not failed.
    `others` counts those of the samples done that other processes have scored at the same time.
    `waiting` counts the samples of a shard that wait for vectors of images of other shards.
    `embedded` is the number of images and texts that were embedded. `spaces` has by name how many
    samples have no vector because something failed. `identities` has what each scorer's results
    depend on: model, weights, precision, ….
    `asked` is what the calls to services did; None where none was needed. `checked` is
    what was found of the columns that were computed; None where that was not asked for.
    """

    dataset: DatasetRow
    done: Mapping[str, int]
    failed: Mapping[str, int]
    embedded: int
    identities: Mapping[str, JSON]
    asked: CallsResult | None = None
    spaces: Mapping[str, int] = field(default_factory=dict)
    checked: CheckResult | None = None
    without_image: Mapping[str, int] = field(default_factory=dict)
    others: Mapping[str, int] = field(default_factory=dict)
    waiting: Mapping[str, int] = field(default_factory=dict)

    @property
    def stopped(self) -> str | None:
        """Why samples that could be scored are not yet, in a sentence; None if all are."""
        return None if self.asked is None else self.asked.why_open("sample")

    def headline(self) -> str:
        """Return what it is, in a few words."""
        told = [f"{name} {count:,} computed" for name, count in self.done.items()]
        failed = sum(self.failed.values())
        more = [f"{failed:,} failed"] if failed else []
        return f"{self.dataset.name}: {', '.join([*told, *more]) or 'nothing to do'}"

    def _table(self) -> ResultTable:
        rows = [
            (name, count, self.failed.get(name, 0), self.without_image.get(name, 0))
            for name, count in self.done.items()
        ]
        return ResultTable(("scorer", "computed", "failed", "without_image"), rows)


def score(session: Session, dataset: DatasetRow, request: ScoreRequest) -> ScoreResult:
    """Compute the scores (and embeddings) that a data set still lacks.

    A scorer whose name stands for imported scores in this data set is not computed, unless
    `recompute` names it. Killed at any moment, the next call goes on after the last batch
    that was committed. Other processes may score the same data set at the same time: each batch
    is computed by one of them, and all return when everything is there. A name goes on standing
    for older scores until the first new one: a model that cannot be loaded takes nothing away.

    Raises:
        UsageError: unknown component or option; a shard cannot do what is asked for.
        PrerequisiteError: model weights or a device are missing.
        FailingError: a component failed `stop_after` times in a row.
    """
    config: dict[str, JSON] = {
        "dataset": dataset.name,
        "scorers": {choice.label: choice.to_dict() for choice in request.scorers},
        "spaces": {choice.label: choice.to_dict() for choice in request.spaces},
        "executor": request.executor.use,
    }
    request = _without_imported(session, dataset, request)
    request, pooled = split_pool_scorers(session, dataset, request)
    check_request(session, request)
    if request.shard:
        request = _of_shard(session, request, pooled)
        config |= {"shard": str(request.shard)}
    with session.recorded("score", config):
        session.attach(dataset.id)
        plan = insist(partial(make_plan, session, dataset, request))
        if request.shard:
            _tell_few_batches(session, plan, request.shard)
            tell_waiting(session, plan, request.shard)
        insist(partial(_bind_finished, session, plan))
        checking = _checking(session, plan, pooled, request)
        others: Mapping[str, int] = {}
        if plan.has_batches:
            runner = ScoreRunner(session, plan, request.call_settings.stop_after)
            runner.run(request.executor, checking.rate if checking else None)
            others = runner.others
        insist(partial(bind_spaces, session, plan, request))
        calls = _ask_services(session, plan, request)
        failed, without_image = insist(partial(_failures, session, plan))
        done = {label: len(pending.places) for label, pending in plan.scorers.items()}
        if calls is not None:
            done |= calls.done
        identities = {
            label: pending.configured.fingerprint.identity
            for label, pending in plan.scorers.items()
        }
        embedded = sum(len(pending.places) for pending in plan.embedders.values())
        unembedded = insist(partial(failures_by_space, session, plan))
        session.failures.update({name: count for name, count in unembedded.items() if count})
        result = ScoreResult(
            dataset,
            done,
            failed,
            embedded,
            identities,
            calls,
            unembedded,
            without_image=without_image,
            others={label: count for label, count in others.items() if label in plan.scorers},
            waiting=plan.waiting,
        )
        try:
            if not result.stopped:
                result = _score_pools(session, result, pooled, request.pool)
        except Ig4Error:
            _finish(checking, result)  # what was computed before is checked all the same
            raise
        return replace(result, checked=_finish(checking, result))


def _finish(checking: ScoringCheck | None, result: ScoreResult) -> CheckResult | None:
    """Check the columns that were computed, if that is asked for."""
    computed = [label for label, count in result.done.items() if count]
    return checking.finish(computed) if checking else None


def split_pool_scorers(
    session: Session, dataset: DatasetRow, request: ScoreRequest
) -> tuple[ScoreRequest, list[ConfiguredComponent]]:
    """Return a request without its pool scorers, and these; the spaces they read are wanted, too.

    Raises:
        UsageError: unknown component or option.
    """
    plain: list[Choice] = []
    pooled: list[ConfiguredComponent] = []
    wanted = {choice.label: choice for choice in request.spaces}
    with session.store.reading() as connection:
        recorded = {row.name: row for row in spaces.list_all(connection, dataset.id)}
    imported = {row.name for row in recorded.values() if row.imported} - set(request.recompute)
    recorded = {name: row for name, row in recorded.items() if not row.imported}
    known = {one.component.name for one in session.host.components("embedder")}
    for choice in request.scorers:
        cls = session.host.load(choice.kind, choice.use, runnable=False)
        if not issubclass(cls, PoolScorer):
            plain.append(choice)
            continue
        check_label(choice.label)
        one = session.configured(choice)
        pooled.append(one)
        assert isinstance(one.component, PoolScorer)
        for name in all_parts(one.component.needs().all_spaces):
            if name in imported or name in wanted:
                continue
            embedder = space_choice(name, recorded.get(name), request.pool.embedders)
            if embedder.use.rpartition("/")[2] not in known:
                raise UsageError(missing_space(session, dataset, name, request.pool.embedders))
            wanted[name] = embedder
    return replace(request, scorers=plain, spaces=tuple(wanted.values())), pooled


def _of_shard(
    session: Session, request: ScoreRequest, pooled: Sequence[ConfiguredComponent]
) -> ScoreRequest:
    """Return the request of a shard, which checks no columns: they are not whole yet.

    Raises:
        UsageError: a shard cannot do what is asked for.
    """
    check_shard(request, [one.label for one in pooled])
    if request.check is not None:
        session.notice(
            f"shard {request.shard}: columns are not checked; once all shards are there, the same "
            "command without --shard computes what is still missing and checks"
        )
    return replace(request, check=None)


def _tell_few_batches(session: Session, plan: ScoringPlan, shard: Shard) -> None:
    """Say of what there are fewer batches than shards: some of these have nothing to do."""
    for pending in (*plan.scorers.values(), *plan.embedders.values()):
        batches = -(-pending.units // pending.batch_size)
        if batches < shard.of:
            session.notice(
                f"{pending.configured.label} has {counted(batches, 'batch', 'batches')} of "
                f"{pending.batch_size:,}, and no more shards have work: {shard.of:,} are too many"
            )


def tell_waiting(session: Session, plan: ScoringPlan, shard: Shard) -> None:
    """Say what of a shard waits for the vectors of images that other shards embed."""
    for label, count in plan.waiting.items():
        session.notice(
            f"{label}: {counted(count, 'sample')} of shard {shard} {verb(count, 'waits', 'wait')} "
            "for vectors of images that other shards embed; once all shards are in one database, "
            "the same command without --shard scores them"
        )


def _score_pools(
    session: Session,
    result: ScoreResult,
    pooled: Sequence[ConfiguredComponent],
    settings: PoolSettings,
) -> ScoreResult:
    """Let pool scorers rate the samples together, now that all else is there."""
    from ig4.core.engine.pooling.poolscores import score_pool

    done, failed, identities = dict(result.done), dict(result.failed), dict(result.identities)
    imageless = dict(result.without_image)
    for one in pooled:
        done[one.label] = score_pool(session, result.dataset, one, settings)
        with session.store.reading() as connection:
            bound = scores.bindings(connection, result.dataset.id)[one.label][0]
            counts = count_failures(connection, result.dataset.id, bound)
        failed[one.label], imageless[one.label] = counts
        identities[one.label] = one.fingerprint.identity
        if failed[one.label]:
            session.failures[one.label] = failed[one.label]
    return replace(result, done=done, failed=failed, identities=identities, without_image=imageless)


def _checking(
    session: Session,
    plan: ScoringPlan,
    pooled: Sequence[ConfiguredComponent],
    request: ScoreRequest,
) -> ScoringCheck | None:
    """Return the check-up of what is to be computed, if one is asked for."""
    computed = max((len(pending.places) for pending in plan.scorers.values()), default=0)
    if request.check is None or not (computed or pooled):
        return None
    return ScoringCheck(session, plan.dataset, request.check.at_once(computed))


def _bind_finished(session: Session, plan: ScoringPlan) -> None:
    """Let the names of scorers that have nothing to do stand for their scores."""
    with session.store.writing() as connection:
        for label, pending in plan.scorers.items():
            if not len(pending.places) and label not in plan.waiting:
                storing.bind(connection, plan.dataset.id, label, pending)


def _ask_services(session: Session, plan: ScoringPlan, request: ScoreRequest) -> CallsResult | None:
    tasks = [RatingTask(session, plan, label) for label in plan.asking]
    if not any(task.places for task in tasks):
        return None
    return run_call_tasks(session, tasks, request.call_settings, renew=request.retry_failed)


def imported_spaces(session: Session, dataset: DatasetRow) -> set[str]:
    """Return the names of spaces that stand for imported vectors in a data set."""
    with session.store.reading() as connection:
        return {row.name for row in spaces.list_all(connection, dataset.id) if row.imported}


def imported_scorers(session: Session, dataset: DatasetRow) -> set[str]:
    """Return the scorer names that stand for imported scores in a data set."""
    with session.store.reading() as connection:
        bound = scores.bindings(connection, dataset.id)
    return {name for name, (_, imported) in bound.items() if imported}


def _without_imported(session: Session, dataset: DatasetRow, request: ScoreRequest) -> ScoreRequest:
    """Return the request without scorers whose imported scores are to be used, and say so."""
    known = imported_scorers(session, dataset) - set(request.recompute)
    used = sorted(choice.label for choice in request.scorers if choice.label in known)
    for label in used:
        session.notice(f"{label}: the imported scores are used (--recompute {label} computes them)")
    computed = [choice for choice in request.scorers if choice.label not in used]
    own = imported_spaces(session, dataset) - set(request.recompute)
    left = [choice for choice in request.spaces if choice.label not in own]
    for choice in request.spaces:
        if choice.label in own:
            session.notice(
                f"{choice.label}: the imported vectors are used (--recompute {choice.label} "
                "computes them)"
            )
    return replace(request, scorers=computed, spaces=left)


def _failures(session: Session, plan: ScoringPlan) -> tuple[dict[str, int], dict[str, int]]:
    """Return by scorer how many samples it failed on, and how many have no image to be scored.

    An output has an entry only where it has more failures than its scorer.
    """
    failed: dict[str, int] = {}
    imageless: dict[str, int] = {}
    with session.store.reading() as connection:
        for label, pending in plan.scorers.items():
            counts = count_failures(connection, plan.dataset.id, pending.component_id)
            failed[label], imageless[label] = counts
            for output, id_ in pending.outputs.items():
                count, _ = count_failures(connection, plan.dataset.id, id_)
                if count > failed[label]:
                    failed[column_name(label, output)] = count
    session.failures.update({label: count for label, count in failed.items() if count})
    return failed, imageless
