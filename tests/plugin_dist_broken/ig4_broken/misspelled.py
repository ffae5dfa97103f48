"""Implements a hook that does not exist."""

from ig4.core.hookspecs import hookimpl
from ig4.core.records import Component


@hookimpl
def ig4_component() -> list[Component]:
    """Would never be called: the hook is `ig4_components`."""
    return [Component("scorer", "unheard", "ig4_broken.wrong_base:Shout")]
