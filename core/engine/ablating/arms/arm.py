"""The arms of an ablation: what each changes of the selection, and how a short list names them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from ig4.core.engine.selecting.candidates import NO_CLUSTERS
from ig4.core.errors import UsageError
from ig4.core.host.recipes import recipe_label
from ig4.core.records import JSON
from ig4.core.suggest import did_you_mean

Take: TypeAlias = Literal["selected", "random", "all", "none"]
"""What an arm trains on: a selection, a new random draw for each seed, all samples, or none."""

REFERENCE = "ig4"
"""The arm that changes nothing: the selector as it is configured."""

DEFAULT_ARMS = ("all", "random", REFERENCE, "no-clusters", "single")
"""The arms if the user names none; those that would change nothing are left out."""

MAIN, INDICATORS, CLUSTERING, SIZES, OWN = (
    "Selection", "Indicators", "Clustering", "Size", "Further arms",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Arm:
    """One way to choose what to train on; None leaves a setting as the configuration has it.

    `group` is the table that the arm stands in; `options` are laid over the trainer's. What
    `recipe` sets of the selection lies between the configuration and the arm's own settings.
    """

    name: str
    take: Take = "selected"
    group: str = OWN
    selector: str | None = None
    scorers: tuple[str, ...] | None = None
    weights: Mapping[str, float] | None = None
    scale: str | None = None
    clusterer: str | None = None
    k: int | None = None
    size: int | None = None
    fraction: float | None = None
    options: Mapping[str, JSON] = field(default_factory=dict)
    recipe: str | None = None

    def settings(self) -> dict[str, JSON]:
        """Return all settings of the arm as JSON; arms that differ in name only have the same."""
        recipe: dict[str, JSON] = {} if self.recipe is None else {"recipe": self.recipe}
        return recipe | {
            "take": self.take,
            "selector": self.selector,
            "scorers": None if self.scorers is None else list(self.scorers),
            "weights": None if self.weights is None else dict(self.weights),
            "scale": self.scale,
            "clusterer": self.clusterer,
            "k": self.k,
            "size": self.size,
            "fraction": self.fraction,
            "options": dict(self.options),
        }


@dataclass(frozen=True, slots=True)
class Inventory:
    """What arms can be made of.

    `scorers` are those that the selection counts; `clusterer` is the configured one and
    `clusterers` are all there are; `clustered` says whether the selector uses clusters.
    """

    scorers: tuple[str, ...]
    clusterer: str = ""
    clusterers: tuple[str, ...] = ()
    clustered: bool = True


def expand_arms(
    spec: Sequence[str] | None, known: Inventory, own: Mapping[str, Arm] | None = None
) -> tuple[Arm, ...]:
    """Return the arms that a list like ["all", "random", "single", "sizes:100|400"] names.

    `own` are arms that the user defined; None as `spec` means the default arms and all of these.

    Raises:
        UsageError: an arm has an unknown name or impossible values.
    """
    own = dict(own or {})
    for name in own:
        if not name.strip():
            raise UsageError("an arm of your own has no name: write [ablate.arms.NAME]")
        if name in _PLAIN or name in _SERIES:
            raise UsageError(
                f"an arm of your own cannot be called {name!r}, which is the name of another arm: "
                "give it another name"
            )
    if spec is None:
        words = [word for word in DEFAULT_ARMS if _changes(word, known)] + list(own)
    else:
        words = [word.strip() for word in spec if word.strip()]
    arms: dict[str, Arm] = {}
    for word in words:
        for arm in _arms(word, known, own):
            if arms.setdefault(arm.name, arm).settings() != arm.settings():
                raise UsageError(f"two arms that differ are called {arm.name!r}: rename one")
    if not arms:
        raise UsageError(f"name at least one arm: --arms {','.join(DEFAULT_ARMS)}")
    return tuple(arms.values())


def _changes(word: str, known: Inventory) -> bool:
    """Return whether one of the default arms differs from the reference."""
    if word == "no-clusters":
        return known.clustered and known.clusterer != NO_CLUSTERS
    return word != "single" or len(known.scorers) > 1


def _arms(word: str, known: Inventory, own: Mapping[str, Arm]) -> Iterator[Arm]:
    """Yield the arms that one word of the list stands for."""
    if word in own:
        yield own[word]
        return
    name, colon, values = word.partition(":")
    name = name.strip()
    parts = [part.strip() for part in values.split("|") if part.strip()]
    if name in _PLAIN and not colon:
        if name == "no-clusters" and not known.clustered:
            raise UsageError("arm no-clusters: the selector uses no clusters anyway")
        yield _PLAIN[name]
    elif name in _SERIES:
        make, example = _SERIES[name]
        defaults = _DEFAULT_VALUES[name](known) if name in _DEFAULT_VALUES else ()
        parts = parts or list(defaults)
        if not parts:
            raise UsageError(f"arm {word!r} needs values: write {example}")
        for value in parts:
            yield make(value, known)
    elif name in _PLAIN:
        raise UsageError(f"arm {name!r} takes no values: leave {':' + values!r} away")
    else:
        names = [*_PLAIN, *_SERIES, *own]
        raise UsageError(
            f"unknown arm {name!r}{did_you_mean(name, names)} (arms are {', '.join(names)})"
        )


_PLAIN = {
    "all": Arm("all", "all", MAIN),
    "random": Arm("random", "random", MAIN),
    REFERENCE: Arm(REFERENCE, "selected", MAIN),
    "no-clusters": Arm("no-clusters", "selected", MAIN, selector="topk"),
    "base": Arm("base", "none", MAIN),
}


def _only(value: str, known: Inventory) -> Arm:
    name = _scorer(value, known)
    return Arm(f"only-{name}", group=INDICATORS, scorers=(name,), weights={name: 1.0})


def _without(value: str, known: Inventory) -> Arm:
    name = _scorer(value, known)
    others = tuple(scorer for scorer in known.scorers if scorer != name)
    if not others:
        raise UsageError(f"arm without-{name}: no other scorer is left")
    return Arm(f"without-{name}", group=INDICATORS, scorers=others)


def _scorer(value: str, known: Inventory) -> str:
    if value not in known.scorers:
        raise UsageError(
            f"there is no scorer {value!r} to select by (there are: "
            f"{', '.join(known.scorers)}){did_you_mean(value, known.scorers)}"
        )
    return value


def _weights(value: str, known: Inventory) -> Arm:
    weights = {}
    for part in value.split("+"):
        name, _, number = part.partition("=")
        weights[_scorer(name.strip(), known)] = _number(number, f"weights:{value}")
    return Arm(value, group=INDICATORS, scorers=tuple(weights), weights=weights)


def _number(text: str, where: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise UsageError(
            f"arm {where!r}: {text!r} is not a finite number; write weights:clip=0.5+length=0.5"
        )
    return number


def _clusterer(value: str, known: Inventory) -> Arm:
    if not known.clustered:
        raise UsageError(f"arm clusterers:{value}: the selector uses no clusters")
    return Arm(f"clusterer-{value}", group=CLUSTERING, clusterer=value)


def _k(value: str, known: Inventory) -> Arm:
    if not known.clustered:
        raise UsageError(f"arm clusters:{value}: the selector uses no clusters")
    return Arm(f"clusters-{value}", group=CLUSTERING, k=_count(value, "clusters"))


def _size(value: str, _: Inventory) -> Arm:
    return Arm(f"size-{value}", group=SIZES, size=_count(value, "sizes"))


def _count(value: str, where: str) -> int:
    if not (value.isascii() and value.isdigit() and int(value)):
        raise UsageError(f"arm {where}:{value}: {value!r} is not a whole number of 1 or more")
    return int(value)


def _scale(value: str, _: Inventory) -> Arm:
    return Arm(f"scale-{value}", group=INDICATORS, scale=value)


def _selector(value: str, _: Inventory) -> Arm:
    return Arm(f"selector-{value}", group=MAIN, selector=value)


def _recipe(value: str, _: Inventory) -> Arm:
    return Arm(f"recipe-{recipe_label(value)}", group=MAIN, recipe=value)


_SERIES: Mapping[str, tuple[Callable[[str, Inventory], Arm], str]] = {
    "single": (_only, "single, or single:clip|length"),
    "without": (_without, "without, or without:clip|length"),
    "weights": (_weights, "weights:clip=0.5+length=0.5|clip=0.9+length=0.1"),
    "scales": (_scale, "scales:minmax|percentile"),
    "clusterers": (_clusterer, "clusterers:kmeans"),
    "clusters": (_k, "clusters:5|20"),
    "sizes": (_size, "sizes:100|200|400"),
    "selectors": (_selector, "selectors:topk"),
    "recipes": (_recipe, "recipes:paper|balanced"),
}
"""Words that stand for several arms: how a value becomes an arm, and an example."""

_DEFAULT_VALUES: Mapping[str, Callable[[Inventory], Sequence[str]]] = {
    "single": lambda known: known.scorers,
    "without": lambda known: known.scorers,
    "clusterers": lambda known: [one for one in known.clusterers if one != known.clusterer],
}
"""The values of the words that may come without any."""
