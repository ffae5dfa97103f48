"""Stores subsets as selections, so that cells train on them and anybody can look at them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ig4.core.engine.ablating.arms.arm import Arm
from ig4.core.engine.ablating.arms.selections import ArmSamples
from ig4.core.engine.ablating.arms.trainers import ArmTrainers
from ig4.core.engine.ablating.cells.tasks import AblationTask, TaskFactory, merge
from ig4.core.host.fingerprint import Fingerprint, digest_of
from ig4.storage import samples, selections
from ig4.storage.selections import SelectionItem
from ig4.storage.subsets import OWN, SUBSETS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ig4.core.engine.learning.plan import LearningPlan

VERSION = "1"
GROUP = "Subsets"


def subset_arms(plan: LearningPlan) -> tuple[Arm, ...]:
    """Return the arms that stand for the subsets: subset-001, subset-002, …"""
    return tuple(
        Arm(f"subset-{number:03}", group=GROUP, scale="percentile", size=plan.size)
        for number in range(1, len(plan.subsets) + 1)
    )


def subset_tasks(plan: LearningPlan, arms: Sequence[Arm]) -> tuple[AblationTask, ...]:
    """Return what is to be trained and evaluated; the subsets are stored as selections."""
    stored = _store(plan)
    factory = TaskFactory(plan.setup, plan.benchmarks)
    trainers = ArmTrainers(plan.setup, plan.trainer)
    return merge(
        factory.make(arm, seed, own, trainers.of_arm(arm, plan.size))
        for seed in plan.seeds
        for arm, own in zip(arms, stored, strict=True)
    )


def _store(plan: LearningPlan) -> list[ArmSamples]:
    """Store the subsets that are not there yet; returns what each trains on."""
    session, dataset, table = plan.setup.session, plan.setup.dataset, plan.table
    section = plan.setup.config.learn
    identity: dict[str, Any] = {"bins": section.bins, "concentration": section.concentration}
    value = digest_of(["selector", SUBSETS, OWN, VERSION, identity])
    component = session.component_id(
        Fingerprint("selector", SUBSETS, OWN, VERSION, identity, value)
    )
    with session.store.reading() as connection:
        names = samples.external_ids(connection, table.sample_ids.tolist(), dataset.id)
    stored = []
    for number, rows in enumerate(plan.subsets, start=1):
        config = _config(plan, number, identity, value)
        chosen = [
            SelectionItem(sample, content, names[sample], rank, 0, None)
            for rank, (sample, content) in enumerate(
                zip(table.sample_ids[rows].tolist(), table.contents[rows].tolist(), strict=True),
                start=1,
            )
        ]
        digest = digest_of([config, [[one.sample_id, one.content_id] for one in chosen]])
        with session.store.writing() as connection:
            known = selections.last(connection, dataset.id, digest)
            selection = (
                known.id
                if known is not None
                else selections.put(
                    connection,
                    dataset_id=dataset.id,
                    component_id=component,
                    clustering_id=None,
                    config=config,
                    digest=digest,
                    run_id=session.run_id,
                    items=chosen,
                )
            )
        stored.append(ArmSamples(selection, [one.content_id for one in chosen]))
    return stored


def _config(
    plan: LearningPlan, number: int, identity: dict[str, Any], fingerprint: str
) -> dict[str, Any]:
    """Return what the database keeps of how a subset was drawn."""
    table = plan.table
    config: dict[str, Any] = {
        "dataset": plan.setup.dataset.name,
        "selector": {"use": SUBSETS, **identity, "number": number},
        "selector_fingerprint": fingerprint,
        "size": plan.size,
        "fraction": None,
        "scale": "percentile",
        "missing": plan.setup.config.select.missing,
        "seed": plan.setup.config.run.seed,
        "weights": dict.fromkeys(table.names, 0.0),
        "components": dict(table.components),
        "clustering": None,
        "candidates": len(table.sample_ids),
        "left_out": dict(table.left_out),
    }
    return config if plan.within is None else config | {"within": plan.within}
