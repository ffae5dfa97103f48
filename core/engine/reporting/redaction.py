"""Takes out of a view all that a data set says, and leaves the numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ig4.core.contracts import Groups

if TYPE_CHECKING:
    from ig4.core.engine.reporting.view import SelectionView


def redacted(view: SelectionView) -> SelectionView:
    """Return a view that has no text of the data set: no names of groups, no notices, no reasons.

    What stays are numbers, and the names that the user gave: of scorers and of the selection.
    """
    groups = view.groups
    names: dict[str, str] = {}
    if groups is not None:
        names = {name: f"group {number}" for number, name in enumerate(groups.names, start=1)}
        groups = Groups(tuple(names.values()), groups.labels, groups.members)
    return replace(
        view,
        dataset=replace(view.dataset, name="data set", path="", header=None, image_root=None),
        report=_report(view.report, names),
        groups=groups,
        stage_reasons={},
        why_not=view.why_not and "what it was made by is gone",
    )


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
