"""The plugin host: finds installed components by name, and builds them when they are used."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stdout
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import pluggy

from ig4.core.errors import MissingExtraError, PluginError, UsageError
from ig4.core.host import hookspecs
from ig4.core.host.discovery import (
    KINDS,
    BrokenPlugin,
    RefusedComponent,
    RefusedError,
    RegisteredComponent,
    describe_error,
    find_sources,
    load_plugin,
    normalise,
    unsupported,
)
from ig4.core.host.watch import COMPONENT_SECONDS, SWITCH, call_watched, is_wanted, time_limit
from ig4.core.suggest import did_you_mean

if TYPE_CHECKING:
    import click

    from ig4.core.contracts import Configurable, Options, Selector
    from ig4.core.events import Event
    from ig4.core.records import Choice

T = TypeVar("T")

__all__ = [
    "KINDS",
    "BrokenPlugin",
    "Host",
    "RefusedComponent",
    "RegisteredComponent",
    "import_failure",
    "missing_modules",
]


class Host:
    """The components and observers of all installed plugins; make one with `discover`.

    `broken` lists the plugins that could not be loaded, and observers or commands that
    failed later; each is reported once. `refused` lists components that are written for a later
    ig4. `left_out` names the distributions that IG4_PLUGINS leaves out.
    """

    def __init__(self) -> None:
        self.broken: list[BrokenPlugin] = []
        self.refused: list[RefusedComponent] = []
        self.left_out: list[str] = []
        self._components: list[RegisteredComponent] = []
        self._classes: dict[RegisteredComponent, type[Configurable]] = {}
        self._manager = pluggy.PluginManager(hookspecs.PROJECT)
        self._manager.add_hookspecs(hookspecs)

    @classmethod
    def discover(cls) -> Host:
        """Load every installed plugin of entry-point group `ig4`.

        Never raises for a bad plugin, and imports no component.
        """
        host = cls()
        sources, host.broken = find_sources()
        for source in sources:
            if not is_wanted(source.dist):
                host.left_out.append(source.dist)
                continue
            try:
                # A plugin's output at import must not end up among our results.
                with redirect_stdout(sys.stderr):
                    components = load_plugin(host._manager, source)
                host._refuse_duplicates(components)
            except RefusedError as refusal:
                host.broken.append(BrokenPlugin(source.dist, source.entry_point.name, str(refusal)))
            else:
                host._take(components)
        return host

    def _take(self, components: list[RegisteredComponent]) -> None:
        for registered in components:
            reason = unsupported(registered.component)
            if reason is None:
                self._components.append(registered)
            else:
                self.refused.append(RefusedComponent(registered, reason))

    def components(self, kind: str | None = None) -> list[RegisteredComponent]:
        """Return the components (of one kind), by distribution, each as it declares them."""
        return [r for r in self._components if kind in (None, r.component.kind)]

    def find(self, kind: str, name: str) -> RegisteredComponent:
        """Return the component called `name` or `distribution/name`.

        Raises:
            UsageError: there is none, or more than one distribution declares it.
        """
        if kind not in KINDS:
            raise UsageError(
                f"unknown kind of component {kind!r}{did_you_mean(kind, KINDS)} "
                f"(kinds are {', '.join(KINDS)})"
            )
        dist, _, own_name = name.rpartition("/")
        matches = [
            registered
            for registered in self.components(kind)
            if registered.component.name == own_name
            and (not dist or registered.dist == normalise(dist))
        ]
        if not matches:
            raise UsageError(self._unknown_message(kind, name))
        if len(matches) > 1:
            names = " and ".join(registered.dist for registered in matches)
            ways = " or ".join(repr(registered.qualified) for registered in matches)
            raise UsageError(f"{kind} {own_name!r} is declared by {names}: write {ways}")
        return matches[0]

    def load(self, kind: str, name: str, *, runnable: bool = True) -> type[Configurable]:
        """Import the class of a component and check that it keeps its contract.

        With `runnable=False` missing libraries are not an error, so that options and percent
        scales are available where the component itself cannot run.

        Raises:
            UsageError: no such component.
            MissingExtraError: a library it requires is not installed.
            PluginError: it cannot be imported, or does not keep the contract of its kind.
        """
        registered = self.find(kind, name)
        if runnable:
            missing = missing_modules(registered)
            if missing:
                raise _missing_extra(registered, missing)
        if registered not in self._classes:
            cls = _import_target(registered)
            _check_contract(registered, cls)
            self._classes[registered] = cls
        return self._classes[registered]

    def build(self, choice: Choice, *, runnable: bool = True) -> Configurable:
        """Validate the options of a component and construct it; it is not opened.

        Raises:
            UsageError: unknown component or bad options, one line for each problem.
            MissingExtraError, PluginError: as `load`.
        """
        cls = self.load(choice.kind, choice.use, runnable=runnable)
        registered = self.find(choice.kind, choice.use)
        options = self._options(registered, cls, choice)
        try:
            return _watched(registered, partial(cls, options), "to be constructed")
        except Exception as error:
            raise PluginError(
                f"{_full_name(registered)} cannot be constructed ({describe_error(error)}); "
                f"`__init__` must only store its options"
            ) from error

    def validate(self, choice: Choice, *, runnable: bool = True) -> None:
        """Check a choice and its options before any work; raises as `build`."""
        cls = self.load(choice.kind, choice.use, runnable=runnable)
        self._options(self.find(choice.kind, choice.use), cls, choice)

    def _options(
        self, registered: RegisteredComponent, cls: type[Configurable], choice: Choice
    ) -> Options:
        from ig4.core.host.options import fill_options

        fill = partial(fill_options, cls.Options, choice.options, choice.label)
        try:
            return _watched(registered, fill, "to check its options")
        except TimeoutError as error:
            raise PluginError(
                f"{_full_name(registered)} does not check its options: {error}"
            ) from None

    def emit(self, event: Event) -> None:
        """Send an event to every observer; one that raises is listed in `broken` and removed."""
        for implementation in self._implementations("ig4_event"):
            try:
                _call(implementation, event)
            except (Exception, SystemExit) as error:  # noqa: BLE001 - an observer must not stop a run
                self._disable(implementation, f"ig4_event failed ({describe_error(error)})")

    def add_commands(self, group: click.Group) -> None:
        """Let every plugin add its commands to `group`; one that fails is listed in `broken`."""
        for implementation in self._implementations("ig4_commands"):
            before = dict(group.commands)
            what = f"ig4_commands of {implementation.plugin_name}"
            try:
                call_watched(partial(_call, implementation, group), what, time_limit())
            except (Exception, SystemExit) as error:  # noqa: BLE001 - the others go on
                group.commands = before
                self._disable(implementation, f"ig4_commands failed ({describe_error(error)})")

    def _implementations(self, hook: str) -> Iterator[pluggy.HookImpl]:
        """Yield a hook's implementations, oldest first; safe against their removal."""
        yield from list(getattr(self._manager.hook, hook).get_hookimpls())

    def _disable(self, implementation: pluggy.HookImpl, reason: str) -> None:
        dist, _, entry_point = implementation.plugin_name.partition(":")
        self.broken.append(BrokenPlugin(dist, entry_point, reason))
        if self._manager.is_registered(implementation.plugin):
            self._manager.unregister(implementation.plugin)

    def _refuse_duplicates(self, components: list[RegisteredComponent]) -> None:
        """Refuse a name declared twice in one distribution: it would be ambiguous."""
        taken = {(r.component.kind, r.qualified) for r in self._components}
        for registered in components:
            key = (registered.component.kind, registered.qualified)
            if key in taken:
                raise RefusedError(f"{key[0]} {registered.component.name!r} is declared twice")
            taken.add(key)

    def _unknown_message(self, kind: str, name: str) -> str:
        for refused in self.refused:
            own = refused.registered
            if own.component.kind == kind and name in (own.component.name, own.qualified):
                return f"{_full_name(own)} cannot be used: {refused.reason}"
        known = [registered.component.name for registered in self.components(kind)]
        message = f"unknown {kind} {name!r}{did_you_mean(name, known)}"
        if known:
            message += f" (known: {', '.join(dict.fromkeys(known))})"
        elsewhere = [r.component.kind for r in self._components if r.component.name == name]
        if elsewhere:
            message += f"; {name!r} is the name of {_with_articles(elsewhere)}"
        if self.left_out:
            message += f"; {SWITCH} leaves out the plugins of {', '.join(self.left_out)}"
        if self.broken:
            dists = ", ".join(dict.fromkeys(plugin.dist for plugin in self.broken))
            message += f"; it may belong to a broken plugin ({dists}): see `ig4 plugins check`"
        return message


def missing_modules(registered: RegisteredComponent) -> list[str]:
    """Return those of the modules a component requires that are not installed.

    Nothing is imported, so a module that is installed but broken counts as installed.
    """
    return [name for name in registered.component.requires if not _installed(name)]


def import_failure(registered: RegisteredComponent, error: Exception) -> PluginError:
    """Return the error to raise when a component's import failed, in a target or in `open()`.

    The error says whether a library is missing, and what to install, or is broken.
    """
    missing = missing_modules(registered)
    if missing:
        return _missing_extra(registered, missing)
    return PluginError(f"{_full_name(registered)} is installed but cannot be imported: {error}")


def _installed(module: str) -> bool:
    try:
        spec = importlib.util.find_spec(module)
    except ImportError:  # the parent of a dotted name is missing
        return False
    except ValueError:  # already imported, in an unusual way
        return module in sys.modules
    # A folder of that name in the working directory is a namespace package: no origin.
    return spec is not None and spec.origin is not None


def _missing_extra(registered: RegisteredComponent, missing: list[str]) -> MissingExtraError:
    needs = f"{_full_name(registered)} needs {', '.join(missing)}, not installed here"
    extra = registered.component.extra
    if extra is None:
        return MissingExtraError(f"{needs}; see the documentation of {registered.dist}")
    return MissingExtraError(f'{needs}: pip install "{registered.dist}[{extra}]"')


def _import_target(registered: RegisteredComponent) -> Any:
    module_name, _, path = registered.component.target.partition(":")
    try:
        with redirect_stdout(sys.stderr):
            target: Any = _import_module(registered, module_name)
    except ImportError as error:
        raise import_failure(registered, error) from error
    except (Exception, SystemExit) as error:
        raise PluginError(
            f"{_full_name(registered)} cannot be imported ({describe_error(error)})"
        ) from error
    for part in path.split("."):
        if not hasattr(target, part):
            guess = did_you_mean(part, dir(target))
            raise PluginError(f"{_full_name(registered)}: {module_name} has no {part!r}{guess}")
        target = getattr(target, part)
    return target


def _import_module(registered: RegisteredComponent, name: str) -> Any:
    """Import a module; one of a plugin is named if it takes long, and given up after minutes."""
    if registered.dist == "ig4":
        return importlib.import_module(name)
    what = f"{_full_name(registered)} to be imported"
    limit = time_limit(COMPONENT_SECONDS)
    return call_watched(partial(importlib.import_module, name), what, limit)


def _watched(registered: RegisteredComponent, call: Callable[[], T], doing: str) -> T:
    """Return what a component's own code returns that should take no time."""
    if registered.dist == "ig4":
        return call()
    return call_watched(call, f"{_full_name(registered)} {doing}", time_limit())


def _check_contract(registered: RegisteredComponent, cls: Any) -> None:
    """Raise PluginError unless the class keeps the contract of its kind."""
    from ig4.core.contracts import Options, Selector
    from ig4.core.contracts.kinds import contracts_of

    contracts = contracts_of(registered.component.kind)
    target = registered.component.target
    if not isinstance(cls, type):
        problem = f"{target} is not a class"
    elif not issubclass(cls, contracts):
        names = " or ".join(contract.__name__ for contract in contracts)
        problem = f"{target} must inherit from ig4.core.contracts.{names}"
    elif issubclass(cls, Selector) and not _chooses(cls):
        problem = f"{target} does not implement choose"
    elif absent := sorted(getattr(cls, "__abstractmethods__", ())):
        problem = f"{target} does not implement {', '.join(absent)}"
    elif not (isinstance(cls.Options, type) and issubclass(cls.Options, Options)):
        problem = f"{target}.Options must inherit from ig4.core.contracts.Options"
    elif cls.Options.model_config.get("extra") != "forbid":
        problem = f"{target}.Options must forbid options it does not know"
    elif not cls.Options.model_config.get("frozen"):
        problem = f"{target}.Options must be frozen"
    elif not (isinstance(cls.version, str) and cls.version):
        problem = f"{target}.version must be a text that is not empty"
    else:
        return
    raise PluginError(f"{_full_name(registered)} does not keep its contract: {problem}")


def _chooses(cls: type[Selector]) -> bool:
    """Tell whether a selector has `choose`, or `select` as API 1 had it."""
    from ig4.core.contracts import Selector

    return cls.choose is not Selector.choose or cls.select is not Selector.select


def _call(implementation: pluggy.HookImpl, argument: object) -> None:
    """Call one implementation, which may leave out the argument it does not need."""
    implementation.function(*([argument] if implementation.argnames else []))


def _full_name(registered: RegisteredComponent) -> str:
    component = registered.component
    return f"{component.kind} {component.name!r} of {registered.dist} {registered.dist_version}"


def _with_articles(kinds: Sequence[str]) -> str:
    return " and ".join(f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}" for kind in kinds)
