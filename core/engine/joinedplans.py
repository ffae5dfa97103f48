"""The plan of several recipes: one scoring, and a selection of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ig4.core.errors import UsageError

if TYPE_CHECKING:
    from ig4.core.engine.plan import RunPlan
    from ig4.core.records import Choice


def join_plans(plans: Sequence[RunPlan]) -> RunPlan:
    """Return the plan of several recipes: one scoring for all, and a selection of each.

    Raises:
        UsageError: two of them score with one scorer of different options.
    """
    first, *others = plans
    if not others:
        return first
    scorers: dict[str, Choice] = {}
    embedders: dict[str, Choice] = {}
    spaces: dict[str, Choice] = {}
    settings: dict[str, Choice] = {}
    for plan in plans:
        settings = {**plan.scoring.pool.embedders, **settings}
        for known, choices in (
            (scorers, plan.scoring.scorers),
            (embedders, plan.scoring.embedders),
            (spaces, plan.scoring.spaces),
        ):
            for choice in choices:
                _add_choice(known, choice)
    scoring = replace(
        first.scoring,
        scorers=tuple(scorers.values()),
        embedders=tuple(embedders.values()),
        spaces=tuple(spaces.values()),
        pool=replace(first.scoring.pool, embedders=settings),
    )
    return replace(_apart(first), scoring=scoring, others=tuple(_apart(plan) for plan in others))


def _add_choice(known: dict[str, Choice], choice: Choice) -> None:
    before = known.setdefault(choice.label, choice)
    if before.to_dict() != choice.to_dict():
        raise UsageError(
            f"the recipes use {choice.kind} {choice.label} with different options "
            f"({_told(before)}; {_told(choice)}): give them once for all "
            f"(-o {choice.label}.KEY=VALUE), or run the recipes one after the other"
        )


def _told(choice: Choice) -> str:
    return ", ".join(f"{key}={value}" for key, value in choice.options.items()) or "no options"


def _apart(plan: RunPlan) -> RunPlan:
    """Let the selection of a recipe be written beside those of the others."""
    name = plan.selection.name or "selection"
    path = plan.target.path
    return replace(
        plan, target=replace(plan.target, path=path.with_name(f"{path.stem}-{name}{path.suffix}"))
    )
