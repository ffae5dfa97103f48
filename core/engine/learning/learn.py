"""Learns the weights of scores: subsets are trained and evaluated, and the results regressed."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ig4.core.counts import counted, verb
from ig4.core.engine.ablating.ablate import ablation_run, run_tasks
from ig4.core.engine.ablating.heldout import LEARNING, QUESTIONS
from ig4.core.engine.ablating.plan import AblationPlan
from ig4.core.engine.evaluating.questions import kept_digests
from ig4.core.engine.learning.plan import LearningPlan, make_learning_plan
from ig4.core.engine.learning.result import Learned, LearningResult, fit_weights
from ig4.core.engine.learning.subsets import subset_arms, subset_tasks
from ig4.core.errors import Ig4Error, UsageError
from ig4.core.secrets import scrub
from ig4.storage import ablations

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ig4.core.config import Config
    from ig4.core.engine.ablating.arms.arm import Arm
    from ig4.core.engine.session import Session
    from ig4.storage.ablations import CellRow
    from ig4.storage.datasets import DatasetRow


def learn_weights(session: Session, dataset: DatasetRow, config: Config) -> LearningResult:
    """Train and evaluate subsets, those that are not done yet, and learn weights of the results.

    Killed or not, an equal call computes what is missing; more subsets go on from fewer. A failed
    cell does not stop the others: weights are learned from those that are left.

    Raises:
        UsageError: the request is wrong, or its questions are those of a test.
        Ig4Error: too few subsets have a result, or all have the same.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise UsageError(
            "ig4 learn-weights starts its own processes (--jobs): start it without accelerate"
        )
    plan = make_learning_plan(session, dataset, config)
    for text in plan.design.notices():
        session.notice(text)
    arms = subset_arms(plan)
    settings = _settings(plan, arms)
    with ablation_run(plan.setup, "learn-weights", settings):
        tasks = subset_tasks(plan, arms)
        number, computed = run_tasks(plan.setup, settings, AblationPlan(tasks, {}), plan.seeds)
        with session.store.reading() as connection:
            cells = ablations.cells(connection, number)
        values, used, partial = _outcomes(plan, arms, cells)
        if partial:
            session.notice(
                f"{counted(partial, 'subset')} of {len(arms):,} {verb(partial, 'has', 'have')} a "
                f"result of only some of the {len(plan.seeds)} seeds, and the mean is over these: "
                "the same command tries the failed ones again"
            )
        learned = _fit(session, plan, values, used)
        result = LearningResult(
            id=number,
            dataset=dataset.name,
            plan=plan,
            used=tuple(arms[row].name for row in used),
            outcomes=tuple(values),
            learned=learned,
            computed=computed,
            cells=len(arms) * len(plan.seeds),
            failed=sum(cell.status == "failed" for cell in cells),
            partial=partial,
            unanswered=_unanswered(cells),
        )
        settings[LEARNING] |= {"result": result.to_dict()}
        with session.store.writing() as connection:
            ablations.set_config(connection, number, settings)
    for text in learned.notices():
        session.notice(text)
    return result


def _settings(plan: LearningPlan, arms: Sequence[Arm]) -> dict[str, Any]:
    """Return what the database keeps beside the cells: enough to fit the weights again."""
    section = plan.setup.config.ablate
    settings: dict[str, Any] = {
        "arms": [{"name": arm.name, "group": arm.group, **arm.settings()} for arm in arms],
        "seeds": list(plan.seeds),
        "benchmarks": {choice.label: dict(choice.options) for choice in plan.benchmarks},
        "trainer": plan.trainer.label,
        "options": dict(plan.trainer.options),
        "steps": section.steps,
        "limit": section.limit,
        "factors": dict(section.factors),
        LEARNING: {
            "indicators": list(plan.names),
            "components": dict(plan.table.components),
            "within": plan.within,
            "metric": plan.metric.label,
            "lower_is_better": plan.metric.lower_is_better,
            "percentiles": plan.design.means.round(6).tolist(),
        },
    }
    hidden: dict[str, Any] = scrub(settings)
    hidden[LEARNING][QUESTIONS] = kept_digests(plan.questions)
    return hidden


def _outcomes(
    plan: LearningPlan, arms: Sequence[Arm], cells: Sequence[CellRow]
) -> tuple[NDArray[np.float64], list[int], int]:
    """Return the results (u,) of the subsets that have one, the mean over seeds, and their rows.

    And how many of these subsets have a result of some seeds only: their mean is over those.

    Raises:
        Ig4Error: too few have one, or all have the same.
    """
    found: dict[str, list[tuple[float, ...]]] = {}
    for cell in cells:
        values = plan.metric.values(cell.metrics or {})
        if values is not None:
            found.setdefault(cell.arm, []).append(values)
    used = [row for row, arm in enumerate(arms) if arm.name in found]
    needed = len(plan.names) + 2
    if len(used) < needed:
        reasons = sorted({cell.error for cell in cells if cell.error})
        why = f" ({reasons[0]})" if reasons else ""
        raise Ig4Error(
            f"only {len(used):,} of {counted(len(arms), 'subset')} "
            f"{verb(len(used), 'has', 'have')} a result{why}, and weights of "
            f"{counted(len(plan.names), 'indicator')} need {needed}: the same command tries the "
            "failed ones again"
        )
    parts = np.array([np.mean(found[arms[row].name], axis=0) for row in used])
    if np.ptp(parts, axis=0).max() <= 1e-12 * max(1.0, float(np.abs(parts).max())):
        raise Ig4Error(
            f"all {len(used):,} subsets have the same {plan.metric.label} "
            f"({parts[0, 0]:.4g}), so nothing can be learned from it: ask more or other questions, "
            "train longer (--steps), or name another metric (--metric)"
        )
    partial = sum(len(found[arms[row].name]) < len(plan.seeds) for row in used)
    return plan.metric.outcomes(parts), used, partial


def _fit(
    session: Session, plan: LearningPlan, values: NDArray[np.float64], used: Sequence[int]
) -> Learned:
    missing = len(plan.subsets) - len(used)
    if missing:
        session.notice(
            f"{counted(missing, 'subset')} of {len(plan.subsets):,} "
            f"{verb(missing, 'has', 'have')} no result: weights are learned from the other "
            f"{len(used):,}"
        )
    config = plan.setup.config
    means = plan.design.means[list(used)]
    learned = fit_weights(plan.names, means, values, seed=config.run.seed)
    if config.learn.keep == "all":
        return learned
    clear = [n for n, one in enumerate(learned.weights) if one.clear]
    if not clear:
        raise Ig4Error(
            "no indicator has an effect beyond doubt, so there is none to keep: learn from more "
            "subsets (--subsets), or keep all (--keep all)"
        )
    if len(clear) == len(plan.names):
        return learned
    session.notice(
        f"{', '.join(one.name for one in learned.weights if not one.clear)} may as well have no "
        "effect, and is left out (--keep all keeps it)"
    )
    names = [plan.names[n] for n in clear]
    return fit_weights(names, means[:, clear], values, seed=config.run.seed)


def _unanswered(cells: Sequence[CellRow]) -> int:
    measured: list[Mapping[str, Any]] = [
        one for cell in cells for one in (cell.metrics or {}).values()
    ]
    return sum(int(one["failed"]) for one in measured)
