"""The plan of a run: a part for each stage, and of several recipes one scoring for all."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from ig4.core.engine.pooling.settings import PoolSettings
from ig4.core.errors import Ig4Error, UsageError
from ig4.core.host.recipes import recipe_label

if TYPE_CHECKING:
    from ig4.core.engine.exporting.export import ExportTarget
    from ig4.core.engine.grouping.cluster import ClusterRequest
    from ig4.core.engine.ingesting.ingest import DatasetSource
    from ig4.core.engine.scoring.plan import ScoreRequest
    from ig4.core.engine.selecting.candidates import SelectionRequest
    from ig4.core.records import JSON, Choice


@dataclass(frozen=True, slots=True)
class RunPlan:
    """What `ig4 run` is going to do, a part for each stage.

    `source` is None for a data set that the database holds already; `dataset` is its name.
    `clustering` is None where no clusters are to be formed: nobody asks for them, or the user
    imported them. `config` is what the database keeps of the run. `others` are the plans of further
    recipes, which select from the same scores. With `report`, each selection gets a page.
    """

    source: DatasetSource | None
    dataset: str
    scoring: ScoreRequest
    clustering: ClusterRequest | None
    selection: SelectionRequest
    target: ExportTarget
    seed: int
    config: Mapping[str, JSON]
    others: tuple[RunPlan, ...] = ()
    report: bool = False

    @property
    def spaces(self) -> Sequence[Choice]:
        """The embedders whose vectors grouping and selecting need, whatever the scorers read."""
        return (*self.scoring.embedders, *self.scoring.spaces)

    def to_dict(self) -> dict[str, Any]:
        """Return the plan, JSON-able, as `ig4 run --dry-run --json` prints it."""
        clustering = self.clustering
        return {
            "dataset": self.dataset,
            "source": None if self.source is None else str(self.source.path),
            "scoring": self.scoring.to_dict(),
            "clustering": clustering and {
                "clusterer": clustering.clusterer.to_dict(),
                "embedder": clustering.embedder.to_dict(),
                "space": clustering.space,
                "k": clustering.k,
            },
            "selection": _selection_dict(self.selection),
            "export": {
                "path": str(self.target.path),
                "format": self.target.format,
                "images": self.target.images,
            },
            "report": self.report,
            "seed": self.seed,
            **({"others": [plan.to_dict() for plan in self.others]} if self.others else {}),
        }  # fmt: skip


def _selection_dict(request: SelectionRequest) -> dict[str, Any]:
    """Return what is to be selected, JSON-able."""
    told = asdict(replace(request, pool=PoolSettings()))
    del told["pool"]
    return {
        **told,
        "selector": request.selector.to_dict(),
        "stages": [stage.to_dict() for stage in request.stages],
    }


@contextmanager
def errors_of(recipe: str | None, left: Callable[[], str] | None = None) -> Iterator[None]:
    """Let an error begin with the recipe that it is about; without one it stays as it is.

    `left` says what is there of the work at that moment, which is put after it.
    """
    try:
        yield
    except Ig4Error as error:
        if recipe is not None:
            after = "" if left is None else f". {left()}"
            told = str(error).rstrip(".") if after else str(error)
            error.args = (f"recipe {recipe}: {told}{after}", *error.args[1:])
        raise


def join_plans(plans: Sequence[RunPlan]) -> RunPlan:
    """Return the plan of several recipes: one scoring for all, and a selection of each.

    Raises:
        UsageError: two of them score with one scorer of different options, or would be written to
            one place.
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
    apart = [_apart(plan) for plan in plans]
    _check_targets(apart)
    return replace(apart[0], scoring=scoring, others=tuple(apart[1:]))


def _check_targets(plans: Sequence[RunPlan]) -> None:
    """Refuse recipes of which one would be written over another.

    Raises:
        UsageError: two recipes, such as files of one name, have one target.
    """
    known: dict[str, str | None] = {}
    for plan in plans:
        name, path = plan.selection.name, str(plan.target.path)
        if path in known:
            raise UsageError(
                f"the recipes {known[path]} and {name} would both be written to {path}: rename "
                "one, or run them one after the other with another --out"
            )
        known[path] = name


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
    name = recipe_label(plan.selection.name or "selection")
    path = plan.target.path
    return replace(
        plan, target=replace(plan.target, path=path.with_name(f"{path.stem}-{name}{path.suffix}"))
    )
