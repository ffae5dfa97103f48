"""The arms of the arena, as settings of ig4.toml: nothing here knows how a method works.

An arm of which a part is not installed, or that cannot select in this world, is skipped, and the
report says why.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from worlds import SOUND

INDICATORS = ("clip", "length", "reward")
"""What the arms select by, unless they say otherwise."""

HYGIENE = ("ending", "ending-in-pool", "repetition", "odd-characters", "own-picture")
"""Indicators of what is broken, without comparing; `balanced` reads those that are there."""

TEXT_FLOORS = {
    "ending": 50.0, "ending-in-pool": 25.0, "repetition": 50.0, "odd-characters": 50.0,
}  # fmt: skip
"""The floors of `balanced` but that of `own-picture`."""

RIVAL = "random"
ORACLE = "oracle"
BOUNDS = ("all", ORACLE)
"""Arms that no method could be: their p are not corrected with those of the others."""


@dataclass(frozen=True, slots=True)
class ArmSetting:
    """A way to select: its table [ablate.arms.NAME], and the tables [selectors.NAME] it needs.

    `scorers` are to be scored beforehand, beside the usual indicators.
    """

    name: str
    told: str
    arm: Mapping[str, Any] = field(default_factory=dict)
    selectors: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    scorers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ArmTable:
    """Arms that are compared in some worlds; `sizes` are budgets beside the usual one."""

    name: str
    arms: tuple[ArmSetting, ...]
    seeds: int
    worlds: tuple[str, ...] | None = None

    def in_world(self, name: str) -> bool:
        """Tell whether the table is made in a world."""
        return self.worlds is None or name in self.worlds


def _with_options(
    name: str, told: str, use: str, options: Mapping[str, Any], **arm: Any
) -> ArmSetting:
    return ArmSetting(name, told, {"selector": name, **arm}, {name: {"use": use, **options}})


def _method(name: str, told: str, options: Mapping[str, Any] | None = None) -> ArmSetting:
    """Return a selector under its own name, by default with its own options."""
    return ArmSetting(name, told, {"selector": name}, {name: dict(options)} if options else {})


def _top_by(name: str, scorer: str, told: str) -> ArmSetting:
    """Return the top of one score alone."""
    arm = {"selector": "topk", "scorers": [scorer], "weights": {scorer: 1.0}}
    return ArmSetting(name, told, arm, scorers=(scorer,))


_KEEP_ALL = {name: [0.0, 100.0] for name in INDICATORS}

ALL = ArmSetting("all", "everything, for as many steps", {"selection": "all"})
RANDOM = ArmSetting(RIVAL, "a random draw", {"selection": "random"})
BALANCED = ArmSetting(
    "balanced", "the recipe `balanced`", {"recipe": "balanced", "scorers": list(INDICATORS)}
)
STRICT = _with_options(
    "strict", "`balanced` with its preset strict", "balanced", {"preset": "strict"}
)
BEST = ArmSetting(
    ORACLE, "a random draw among the sound samples", {"selector": "random", "scorers": [SOUND]}
)

MAIN = (
    ALL,
    RANDOM,
    ArmSetting(
        "paper", "the recipe `paper`, with clip, length and reward",
        {"recipe": "paper", "scorers": list(INDICATORS)},
    ),
    _with_options(
        "kinds-top", "quotas for kinds, the top of each by F(x), nothing rejected", "balanced",
        {"fill": "top", "reject": _KEEP_ALL, "floors": {}, "alike": 1.0},
    ),
    BALANCED,
    _with_options(
        "no-own-picture", "`balanced` without the score own-picture", "balanced",
        {"floors": TEXT_FLOORS},
    ),
    _with_options("no-groups", "`balanced` on one group", "balanced", {"groups": "dataset"}),
    STRICT,
    BEST,
)  # fmt: skip

METHODS = (
    RANDOM,
    _method("topk", "the top by F(x), without clusters"),
    ArmSetting(
        "paper-two", "the recipe `paper`, with clip and length alone",
        {"recipe": "paper", "scorers": ["clip", "length"]},
    ),
    _top_by("clip-alone", "clip", "the top by clip"),
    _with_options(
        "hygiene", "a random draw of what the hygiene indicators pass, kinds kept", "balanced",
        {"reject": _KEEP_ALL, "alike": 1.0},
    ),
    _method("longest", "LIMA's and Long Is More: the longest answers"),
    _method("middle", "the middle of F(x)"),
    _method("ccs", "CCS: strata of F(x), the hardest left out"),
    _method("d2-pruning", "D2 pruning on CLIP's images"),
    _method("facility-location", "facility location on CLIP's images"),
    _method("k-center", "greedy k-center on CLIP's images"),
    _method("graph-cut", "graph cut on CLIP's images"),
    _method("mmr", "maximal marginal relevance of F(x)"),
    _method("dpp", "greedy DPP on CLIP's images"),
    _method("herding", "kernel herding on CLIP's images"),
    _method("semdedup", "SemDeDup on CLIP's images"),
    _method("repr-filter", "DEITA's filter after F(x); its two ratings need a model"),
    _method("mig", "MIG with kinds of questions as labels, F(x) as quality", {"groups": "form"}),
    _method("metaclip", "MetaCLIP's balancing of kinds of questions"),
    _top_by("density", "density", "the top by density in CLIP's images"),
    _top_by("negclip-loss", "negclip-loss", "the top by negCLIPLoss"),
)  # fmt: skip

BUDGETS = (50, 100, 400, 800)


def with_budget(one: ArmSetting, size: int) -> ArmSetting:
    """Return an arm that selects another number of samples."""
    name = f"{one.name}@{size}"
    return ArmSetting(name, one.told, {**one.arm, "size": size}, one.selectors, one.scorers)


def budget_of(name: str) -> tuple[str, int] | None:
    """Return arm and budget of a name that `with_budget` made, or None."""
    arm, sign, size = name.partition("@")
    return (arm, int(size)) if sign else None


def usual_name(name: str) -> str:
    """Return the name of an arm without its budget."""
    return name.partition("@")[0]


def tables(
    seeds: int = 5, fewer: int = 3, fewest: int = 2, budgets: Sequence[int] = BUDGETS
) -> tuple[ArmTable, ...]:
    """Return the tables of the plan, with the seeds of each."""
    sized = tuple(
        with_budget(one, size) for size in budgets for one in (RANDOM, BALANCED, STRICT, BEST)
    )
    return (
        ArmTable("main", MAIN, seeds),
        ArmTable("methods", METHODS, fewer, ("mixed-40",)),
        ArmTable("budgets", sized, fewest, ("mixed-70",)),
    )
