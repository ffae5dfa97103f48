"""Finds installed plugins through their entry points; a bad one never disturbs the others."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from importlib.metadata import EntryPoint, distributions, entry_points
from typing import Any, get_args

import pluggy

from ig4.core.host import hookspecs
from ig4.core.host.watch import call_watched, time_limit
from ig4.core.records import API_VERSION, Component, Kind
from ig4.core.suggest import did_you_mean

KINDS: tuple[str, ...] = get_args(Kind)
"""Every kind of component that this ig4 knows by name."""

HOOKS = ("ig4_components", "ig4_commands", "ig4_event")
"""The hooks of `ig4.core.host.hookspecs`."""

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")
_TARGET = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")


@dataclass(frozen=True, slots=True)
class RegisteredComponent:
    """A component and the distribution that declares it."""

    component: Component
    dist: str
    dist_version: str

    @property
    def qualified(self) -> str:
        """The name that is never ambiguous: `distribution/name`."""
        return f"{self.dist}/{self.component.name}"


@dataclass(frozen=True, slots=True)
class RefusedComponent:
    """A component that this ig4 cannot use, of a plugin whose other components it can; and why."""

    registered: RegisteredComponent
    reason: str


@dataclass(frozen=True, slots=True)
class BrokenPlugin:
    """A plugin that could not be loaded, and why."""

    dist: str
    entry_point: str
    reason: str


class RefusedError(Exception):
    """A plugin is refused; the message becomes the reason of a `BrokenPlugin`."""


@dataclass(frozen=True, slots=True)
class PluginSource:
    """Where a plugin comes from: an entry point of a distribution."""

    entry_point: EntryPoint
    dist: str
    dist_version: str


def normalise(dist: str) -> str:
    """Return a distribution's name as package indexes compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", dist).lower()


def find_sources() -> tuple[list[PluginSource], list[BrokenPlugin]]:
    """Return the entry points of group `ig4`, ordered by distribution and name.

    A distribution whose metadata cannot be read is among the broken plugins.
    """
    try:
        points = list(entry_points(group=hookspecs.PROJECT))
        broken: list[BrokenPlugin] = []
    except Exception:  # noqa: BLE001 - one bad distribution makes the call fail for all
        points, broken = _read_each_distribution()
    sources = [_source(point) for point in points]
    return sorted(sources, key=lambda source: (source.dist, source.entry_point.name)), broken


def _source(entry_point: EntryPoint) -> PluginSource:
    dist = entry_point.dist
    name = (dist.name if dist else None) or "unknown"
    return PluginSource(entry_point, normalise(name), (dist.version if dist else None) or "unknown")


def _read_each_distribution() -> tuple[list[EntryPoint], list[BrokenPlugin]]:
    """Read the entry points of each distribution: slower, but a bad one does not affect others."""
    points_of: dict[str, list[EntryPoint]] = {}
    broken = []
    for dist in distributions():
        name = normalise(dist.name or "unknown")
        try:
            points = list(dist.entry_points.select(group=hookspecs.PROJECT))
        except Exception as error:  # noqa: BLE001 - whatever a broken file leads to
            reason = f"its entry points cannot be read ({describe_error(error)})"
            broken.append(BrokenPlugin(name, "entry_points.txt", reason))
        else:
            points_of.setdefault(name, points)  # the first one on the path is the one imported
    return [point for points in points_of.values() for point in points], broken


_given_up: dict[tuple[str, EntryPoint], str] = {}
"""Why plugins were given up whose time was over: a process waits for each of them once."""


def load_plugin(manager: pluggy.PluginManager, source: PluginSource) -> list[RegisteredComponent]:
    """Import a plugin, register its hooks, and return the components it declares.

    Raises:
        RefusedError: something about the plugin is wrong; its hooks are then not registered.
    """
    key = (
        str(source.entry_point.dist and source.entry_point.dist.locate_file("")),
        source.entry_point,
    )
    if key in _given_up:
        raise RefusedError(_given_up[key])
    try:
        return _load(manager, source)
    except RefusedError as error:
        if isinstance(error.__context__, TimeoutError):
            _given_up[key] = str(error)
        raise


def _load(manager: pluggy.PluginManager, source: PluginSource) -> list[RegisteredComponent]:
    plugin = _import(source)
    _check_hook_names(plugin)
    try:
        _register(manager, plugin, f"{source.dist}:{source.entry_point.name}")
        return [
            RegisteredComponent(component, source.dist, source.dist_version)
            for component in _declared_components(manager, plugin)
        ]
    except RefusedError:
        if manager.is_registered(plugin):
            manager.unregister(plugin)
        raise


def describe_error(error: BaseException) -> str:
    """Return an exception as one line: its type and its first line."""
    text = str(error).strip().partition("\n")[0]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _import(source: PluginSource) -> Any:
    entry_point = source.entry_point
    what = f"plugin {entry_point.name} of {source.dist} ({entry_point.value}) to be imported"
    try:
        return call_watched(entry_point.load, what, time_limit())
    # A plugin may do anything at import, even exit or hang; only Ctrl-C must get through.
    except (Exception, SystemExit) as error:  # noqa: BLE001
        reason = f"cannot import {entry_point.value} ({describe_error(error)})"
        raise RefusedError(reason) from None


def _check_hook_names(plugin: Any) -> None:
    """Refuse functions that look like hooks and would never be called."""
    for name in dir(plugin):
        function = getattr(plugin, name, None)
        if not callable(function):
            continue
        mark = getattr(function, f"{hookspecs.PROJECT}_impl", None)
        marked = isinstance(mark, dict)
        if not marked and not name.startswith(f"{hookspecs.PROJECT}_"):
            continue
        hook = (mark.get("specname") or name) if isinstance(mark, dict) else name
        if hook in HOOKS and not marked:
            raise RefusedError(f"{hook} is not marked with @hookimpl, so it would never be called")
        if hook not in HOOKS and not (isinstance(mark, dict) and mark.get("optionalhook")):
            guess = did_you_mean(hook, HOOKS) or f"; hooks are {', '.join(HOOKS)}"
            raise RefusedError(f"{hook} is not a hook of ig4{guess}")


def _register(manager: pluggy.PluginManager, plugin: Any, name: str) -> None:
    try:
        manager.register(plugin, name)
        manager.check_pending()
    except pluggy.PluginValidationError as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        raise RefusedError(f"a hook does not fit: {'; '.join(lines)}") from None
    except ValueError:
        raise RefusedError("another entry point already names the same module") from None


def _declared_components(manager: pluggy.PluginManager, plugin: Any) -> Iterator[Component]:
    for implementation in manager.hook.ig4_components.get_hookimpls():
        if implementation.plugin is not plugin:
            continue
        try:
            what = f"ig4_components of {implementation.plugin_name}"
            components = call_watched(partial(_listed, implementation), what, time_limit())
        except (Exception, SystemExit) as error:  # noqa: BLE001 - see _import
            raise RefusedError(f"ig4_components failed ({describe_error(error)})") from None
        for component in components:
            check_record(component)
            yield component


def _listed(implementation: pluggy.HookImpl) -> list[Any]:
    declared: Any = implementation.function()
    return list(declared)


def check_record(component: object) -> None:
    """Check a component that a plugin declares, without importing its target.

    Raises:
        RefusedError: it is not a Component, or one of its fields is not valid.
    """
    if not isinstance(component, Component):
        raise RefusedError(f"ig4_components returned {type(component).__name__!r}, not a Component")
    label = f"component {component.name!r}"
    if unsupported(component) is not None:
        return  # what a later contract allows is not known here
    if component.kind not in KINDS:
        guess = did_you_mean(str(component.kind), KINDS) or f"; kinds are {', '.join(KINDS)}"
        raise RefusedError(f"{label} is of unknown kind {component.kind!r}{guess}")
    if not isinstance(component.name, str) or not _NAME.fullmatch(component.name):
        raise RefusedError(f"{label}: a name is made of a-z, 0-9, '.', '_' and '-'")
    if not isinstance(component.target, str) or not _TARGET.fullmatch(component.target):
        raise RefusedError(
            f"{label}: the target {component.target!r} is not 'package.module:Class'"
        )
    if not isinstance(component.api, int) or component.api < 1:
        raise RefusedError(f"{label}: api is {component.api!r}, not 1 or {API_VERSION}")
    _check_requirements(component, label)


def unsupported(component: Component) -> str | None:
    """Return why this ig4 is too old for a component; None if it is not."""
    if not isinstance(component.api, int) or component.api <= API_VERSION:
        return None
    return (
        f"it is written for version {component.api} of the component contract, this ig4 supports "
        f"versions 1 to {API_VERSION}: upgrade ig4"
    )


def _check_requirements(component: Component, label: str) -> None:
    requires: object = component.requires
    if not isinstance(requires, tuple) or not all(isinstance(name, str) for name in requires):
        raise RefusedError(f"{label}: requires is {requires!r}, not a tuple of module names")
    if component.extra is not None and not isinstance(component.extra, str):
        raise RefusedError(f"{label}: extra is {component.extra!r}, not the name of an extra")
    if not isinstance(component.summary, str):
        raise RefusedError(f"{label}: the summary is not text")
    if component.docs is not None and not isinstance(component.docs, str):
        raise RefusedError(f"{label}: docs is {component.docs!r}, not an address")
