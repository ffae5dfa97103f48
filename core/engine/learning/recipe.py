"""Writes learned weights as a recipe: a file that `--recipe` takes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ig4.core.config import LEARNED
from ig4.core.engine.ablating.heldout import QUESTIONS
from ig4.core.engine.evaluating.questions import kept_digests
from ig4.core.engine.learning.result import provenance
from ig4.core.files.writing.staging import staged_file
from ig4.core.files.writing.toml import toml_key, toml_lines
from ig4.core.secrets import is_secret_name

if TYPE_CHECKING:
    from pathlib import Path

    from ig4.core.engine.learning.result import LearningResult

_DIGITS = 4


def write_recipe(result: LearningResult, path: Path, *, overwrite: bool = False) -> None:
    """Write learned weights as a recipe.

    Raises:
        UsageError: the file is there already, and is not to be overwritten.
    """
    with staged_file(path, overwrite=overwrite) as file:
        file.write_text(recipe_text(result), encoding="utf-8")


def recipe_tables(result: LearningResult) -> dict[str, Any]:
    """Return the recipe's tables: the best by the weights, from each group its share.

    Where no mix was kept, the best of all. Options of scorers and groupers that the configuration
    names are taken along, but no keys.
    """
    plan, learned = result.plan, result.learned
    config = plan.setup.config
    names = [one.name for one in learned.weights]
    label = config.learn.name
    selector: dict[str, Any] = {"use": "topk"}
    select: dict[str, Any] = {
        "selector": label,
        "size": plan.size,
        "scale": "percentile",
    }
    if plan.within is not None:
        selector = {"use": "quota", "groups": plan.within}
        select |= {"within": plan.within, "groups": plan.within}
    select["weights"] = {one.name: float(f"{one.weight:.{_DIGITS}g}") for one in learned.weights}
    scorers = dict.fromkeys(_scorer_of(name, config.scorers) for name in names)
    tables: dict[str, Any] = {
        "run": {"scorers": list(scorers)},
        "cluster": {"clusterer": "none"},
        "select": select,
        "selectors": {label: selector},
    }
    own = {name: _open_options(config.scorers[name]) for name in scorers if name in config.scorers}
    if own:
        tables["scorers"] = own
    if plan.within in config.groupers:
        tables["groupers"] = {plan.within: _open_options(config.groupers[plan.within])}
    return tables


def _scorer_of(name: str, known: Mapping[str, Any]) -> str:
    """Return the scorer of a column, which may be one of several outputs of it."""
    return name if name in known else name.partition(".")[0]


def _open_options(options: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if not is_secret_name(name)}


def recipe_text(result: LearningResult) -> str:
    """Return the recipe as TOML, with what it was learned from."""
    learned = result.learned
    told = (
        "Weights that `ig4 learn-weights` learned; `ig4 select --recipe FILE` selects by them.",
        f"{learned.subsets} subsets of {result.plan.size:,} samples; {result.plan.metric.label}.",
        f"R² of left-out subsets {learned.predicted_r2:.2f}, p {learned.p:.4f}: {learned.verdict}.",
    )
    lines = [*(f"# {' '.join(line.split())}" for line in told), ""]
    lines += toml_lines(recipe_tables(result))
    source = list(toml_lines({LEARNED: dict(provenance(result))}))
    lines += [*source[:-1], *_question_lines(result), ""]
    for one in learned.weights:
        lines += [
            f"[{LEARNED}.weights.{toml_key(one.name)}]",
            f"weight = {one.weight:.6g}",
            f"interval = [{one.low:.6g}, {one.high:.6g}]",
            f"effect = {one.effect:.6g}  # of 10 points of mean percentile",
            f"clear = {json.dumps(one.clear)}",
            "",
        ]
    return "\n".join(lines)


def _question_lines(result: LearningResult) -> list[str]:
    """Return the digests of the development questions as lines of TOML."""
    digests = kept_digests(result.plan.questions)
    rows = [digests[start : start + 6] for start in range(0, len(digests), 6)]
    body = [f"  {', '.join(json.dumps(one) for one in row)}," for row in rows]
    return [f"{QUESTIONS} = [  # digests of the questions it was learned from", *body, "]"]
