"""Prints the mix of a selection: the shares of its groups beside those of the data set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ig4.cli.terminal import render

GROUPS_SHOWN = 12


def print_mix(report: Mapping[str, Any]) -> None:
    """Print the groups of a selection's report, the largest first; nothing if there are none."""
    mix = report.get("composition")
    if not mix or len(mix["groups"]) < 2:
        return
    render.say(f"\nMix by {mix['by']} (total variation from the data set {mix['tv']:.1%}):")
    groups = mix["groups"]
    shown = [
        (one["name"], one["pool"], f"{one['pool_share']:.1%}", one["selected"],
         f"{one['selected_share']:.1%}")
        for one in groups[:GROUPS_SHOWN]
    ]  # fmt: skip
    render.print_table(("group", "samples", "share", "selected", "share"), shown)
    if len(groups) > GROUPS_SHOWN:
        render.say(f"… and {len(groups) - GROUPS_SHOWN:,} more groups: --json prints all")
