"""Where plugins import the hook marker: `from ig4.core.hookspecs import hookimpl`."""

from ig4.core.host.hookspecs import (
    PROJECT,
    hookimpl,
    hookspec,
    ig4_commands,
    ig4_components,
    ig4_event,
)

__all__ = ["PROJECT", "hookimpl", "hookspec", "ig4_commands", "ig4_components", "ig4_event"]
