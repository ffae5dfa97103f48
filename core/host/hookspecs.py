"""The three hooks of ig4. A plugin implements any of them in the module its entry point names."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    import click

    from ig4.core.events import Event
    from ig4.core.records import Component

PROJECT = "ig4"
"""The pluggy project name and the entry-point group."""

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def ig4_components() -> Iterable[Component]:  # type: ignore[empty-body]
    """Declare scorers, embedders, clusterers and all other components."""


@hookspec
def ig4_commands(group: click.Group) -> None:
    """Add commands to the `ig4` command line."""


@hookspec
def ig4_event(event: Event) -> None:
    """Observe what the engine does; an observer that raises is reported and removed."""
