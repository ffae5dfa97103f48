"""Where plugins import the hook marker: `from ig4.core.hookspecs import hookimpl`."""

from ig4.core.host.hookspecs import PROJECT, hookimpl, hookspec

__all__ = ["PROJECT", "hookimpl", "hookspec"]
