"""Takes out of a view all that a data set says, and leaves the numbers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ig4.core.contracts import Groups

if TYPE_CHECKING:
    from ig4.core.engine.comparing.result import ComparisonResult
    from ig4.core.engine.reporting.view import SelectionView

NUMBERS = ("size", "scale", "seed", "weights")
"""The settings of a selection that say nothing of the data."""

_NUMBERED = re.compile(r"cluster \d+")


def redacted(view: SelectionView, names: Mapping[str, str] | None = None) -> SelectionView:
    """Return a view that has no text of the data set: no names of groups, no notices, no reasons.

    What stays are numbers, and the names that the user gave: of scorers and of the selection.
    `names` has other names for groups, where those of several views are told together.
    """
    groups = view.groups
    names = names or hidden_names([view])
    if groups is not None:
        shown = tuple(names[name] for name in groups.names)
        groups = Groups(shown, groups.labels, groups.members)
    return replace(
        view,
        dataset=replace(view.dataset, name="data set", path="", header=None, image_root=None),
        report=_report(view.report, names),
        groups=groups,
        stage_reasons={},
        why_not=view.why_not and "what it was made by is gone",
    )


def hidden_names(views: Iterable[SelectionView]) -> dict[str, str]:
    """Return other names for the groups of views: each group has one, and no two the same."""
    known = dict.fromkeys(name for view in views if view.groups for name in view.groups.names)
    return {name: f"group {number}" for number, name in enumerate(known, start=1)}


def redacted_comparison(found: ComparisonResult, names: Mapping[str, str]) -> dict[str, Any]:
    """Return what a page says of a comparison, by other names for groups: numbers alone.

    Settings stay that are numbers or weights. Of what became of a sample its kind stays; the
    sentence, which may quote the data, does not.
    """
    told = found.to_dict()
    for side in ("a", "b"):
        told[side] = {**told[side], "dataset": "data set"}
    return told | {
        "groups": _counted(told["groups"], names),
        "clusters": _counted(told["clusters"], _cluster_names(found)),
        "settings": [one for one in told["settings"] if one["key"].split(".")[0] in NUMBERS],
        "notes": [],
    }


def _counted(found: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """Return counts by group with other names for groups."""
    groups = [
        {**one, "name": names.get(one["name"], f"group {len(names) + place}")}
        for place, one in enumerate(found["groups"], start=1)
    ]
    return {**found, "groups": groups, "why": None}


def _cluster_names(found: ComparisonResult) -> dict[str, str]:
    """Return the names of clusters that are numbers; imported ones may be called anything."""
    names = [one.name for one in found.clusters.groups]
    return {name: name for name in names if _NUMBERED.fullmatch(name)}


def _report(report: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    mix = report.get("composition")
    if mix:
        groups = [
            {**one, "name": names.get(one["name"], f"group {len(names) + place}")}
            for place, one in enumerate(mix["groups"], start=1)
        ]
        missing = [names.get(name, "a group") for name in mix.get("missing") or ()]
        mix = {**mix, "groups": groups, "missing": missing}
    levels = [
        {**one, "group": names.get(one["group"], "a group")} for one in report.get("levels") or ()
    ]
    duplicates = {**(report.get("duplicates") or {}), "pairs": []}
    told: dict[str, Any] = {"own_pictures": [], "told": [], "notices": []}
    return {**report, "composition": mix, "levels": levels, "duplicates": duplicates, **told}
