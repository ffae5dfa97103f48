"""`ig4 plugins`: list installed components, show their options, check that they work."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from ig4.cli.options import as_json
from ig4.cli.terminal.render import print_json, print_table
from ig4.core.errors import Ig4Error, MissingExtraError, UsageError
from ig4.core.host.host import KINDS, BrokenPlugin, Host, RegisteredComponent, missing_modules
from ig4.core.suggest import did_you_mean

if TYPE_CHECKING:
    from ig4.core.contracts import Configurable


@click.group(
    invoke_without_command=True,
    epilog="""\b
Examples:
  ig4 plugins
  ig4 plugins list --kind scorer
  ig4 plugins show clip
  ig4 plugins check --deep
""",
)
@as_json
@click.pass_context
def plugins(context: click.Context, as_json: bool) -> None:
    """List installed components, show one, or check that they work."""
    if context.invoked_subcommand is None:
        context.invoke(list_, as_json=as_json)
    elif as_json:
        raise UsageError(f"write --json after {context.invoked_subcommand}")


@plugins.command(
    "list",
    epilog="""\b
Examples:
  ig4 plugins list
  ig4 plugins list --kind format --json
""",
)
@click.option("--kind", type=click.Choice(KINDS), help="Only components of this kind.")
@as_json
def list_(kind: str | None = None, as_json: bool = False) -> None:
    """List components and broken plugins."""
    host = Host.discover()
    registrations = sorted(
        host.components(kind),
        key=lambda r: (KINDS.index(r.component.kind), r.component.name, r.dist),
    )
    broken = [] if kind else host.broken
    if as_json:
        components = [_summary(registered) for registered in registrations]
        found = {"components": components, "broken": [_broken_dict(plugin) for plugin in broken]}
        print_json(found | {"left_out": host.left_out})
        return
    rows: list[tuple[str, ...]] = [
        (r.component.kind, r.component.name, r.dist, _state(r), r.component.summary)
        for r in registrations
    ]
    rows += [("plugin", b.entry_point, b.dist, "broken", b.reason) for b in broken]
    print_table(("kind", "name", "distribution", "state", "summary"), rows)
    if host.left_out:
        click.echo(f"IG4_PLUGINS leaves out {', '.join(host.left_out)}", err=True)


@plugins.command(
    epilog="""\b
Examples:
  ig4 plugins show clip
  ig4 plugins show embedder/clip --json
"""
)
@click.argument("name")
@as_json
def show(name: str, as_json: bool) -> None:
    """Show a component's options with their types and defaults.

    NAME is a name, kind/name or distribution/name; a name used by several kinds shows all of them.
    """
    host = Host.discover()
    components = [_details(host, registered) for registered in _find(host, name)]
    if as_json:
        print_json(components)
    else:
        for number, details in enumerate(components):
            click.echo("\n" * (number > 0), nl=False)
            _print_details(details)
    if any(details["problem"] for details in components):
        raise click.exceptions.Exit(1)


@plugins.command(
    epilog="""\b
Examples:
  ig4 plugins check
  ig4 plugins check clip --deep
"""
)
@click.argument("name", required=False)
@click.option("--all", "everything", is_flag=True, help="Check all components (the default).")
@click.option("--deep", is_flag=True, help="Also import the libraries that they require.")
@as_json
def check(name: str | None, everything: bool, deep: bool, as_json: bool) -> None:
    """Import components and check that they implement their contracts.

    The exit code is 1 if one is broken; a missing library does not count as broken.
    """
    if name and everything:
        raise UsageError("give a NAME or --all, not both")
    host = Host.discover()
    registrations = _find(host, name) if name else host.components()
    results = [_check(host, registered, deep=deep) for registered in registrations]
    results += [_broken_dict(plugin) | {"state": "broken"} for plugin in host.broken if not name]
    if as_json:
        print_json(results)
    else:
        header = ("component", "distribution", "state", "import", "note")
        print_table(header, [_check_row(result) for result in results])
    if any(result["state"] == "broken" for result in results):
        raise click.exceptions.Exit(1)


def _find(host: Host, text: str) -> list[RegisteredComponent]:
    """Return the components of a name, kind/name, dist/name or kind/dist/name."""
    kind, _, name = text.partition("/")
    if name and kind in KINDS:
        return [host.find(kind, name)]
    matches = [r for r in host.components() if text in (r.component.name, r.qualified)]
    if not matches:
        known = sorted({r.component.name for r in host.components()})
        for broken in host.broken:
            if text in (broken.entry_point, broken.dist):
                raise UsageError(f"the plugin {broken.entry_point} is broken: {broken.reason}")
        raise UsageError(
            f"no component is called {text!r}{did_you_mean(text, known)} (see `ig4 plugins list`)"
        )
    return matches


def _state(registered: RegisteredComponent) -> str:
    """Return 'ok', or the missing libraries and how to install them."""
    missing = missing_modules(registered)
    if not missing:
        return "ok"
    extra = registered.component.extra
    if extra is None:
        return f"needs {', '.join(missing)}"
    return f'needs pip install "{registered.dist}[{extra}]"'


def _summary(registered: RegisteredComponent) -> dict[str, Any]:
    component = registered.component
    missing = missing_modules(registered)
    return {
        "kind": component.kind,
        "name": component.name,
        "distribution": registered.dist,
        "distribution_version": registered.dist_version,
        "state": "missing" if missing else "ok",
        "missing": missing,
        "extra": component.extra,
        "target": component.target,
        "summary": component.summary,
    }


def _broken_dict(plugin: BrokenPlugin) -> dict[str, Any]:
    return {
        "distribution": plugin.dist,
        "entry_point": plugin.entry_point,
        "reason": plugin.reason,
    }


def _details(host: Host, registered: RegisteredComponent) -> dict[str, Any]:
    details = _summary(registered) | {"version": None, "options": [], "problem": None}
    try:
        component_class = host.load(registered.component.kind, registered.qualified, runnable=False)
    except Ig4Error as error:
        return details | {"problem": str(error)}
    return details | {"version": component_class.version, "options": _options(component_class)}


def _options(component_class: type[Configurable]) -> list[dict[str, Any]]:
    from pydantic_core import to_jsonable_python

    return [
        {
            "name": name,
            "type": _type_text(field.annotation),
            "required": field.is_required(),
            "default": None
            if field.is_required()
            else to_jsonable_python(field.get_default(call_default_factory=True), fallback=str),
            "description": field.description or "",
        }
        for name, field in component_class.Options.model_fields.items()
    ]


def _type_text(annotation: Any) -> str:
    """Return a type as users write it: `int`, `str | null`, `auto | fp32`."""
    from types import UnionType
    from typing import Annotated, Literal, Union, get_args, get_origin

    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _type_text(arguments[0])
    if origin is Literal:
        return " | ".join(str(argument) for argument in arguments)
    if origin in (Union, UnionType):
        return " | ".join(_type_text(argument) for argument in arguments)
    if annotation is type(None):
        return "null"
    if origin is not None and arguments and hasattr(origin, "__name__"):
        inner = ", ".join(_type_text(a) for a in arguments if a is not Ellipsis)
        return f"{origin.__name__.lower()}[{inner}]"
    return str(getattr(annotation, "__name__", annotation))


def _print_details(details: Mapping[str, Any]) -> None:
    kind, name = details["kind"], details["name"]
    click.echo(f"{kind} {name}: {details['summary']}")
    click.echo(f"  from     {details['distribution']} {details['distribution_version']}")
    click.echo(f"  class    {details['target']}")
    if details["version"]:
        click.echo(f"  version  {details['version']}")
    if details["missing"]:
        extra = details["extra"]
        install = f': pip install "{details["distribution"]}[{extra}]"' if extra else ""
        click.echo(f"  needs    {', '.join(details['missing'])}{install}")
    if details["problem"]:
        click.echo(f"  broken   {details['problem']}")
        return
    if not details["options"]:
        click.echo("  no options")
        return
    click.echo("  options")
    for option in details["options"]:
        default = "required" if option["required"] else json.dumps(option["default"])
        click.echo(f"    {option['name']} ({option['type']}) = {default}")
        if option["description"]:
            click.echo(f"        {option['description']}")


def _check(host: Host, registered: RegisteredComponent, *, deep: bool) -> dict[str, Any]:
    """Import one component; return its state, the time it took, and the reason if it is broken."""
    from ig4.core import contracts  # noqa: F401 - excludes its import time from the component's

    before = set(sys.modules)
    start = time.perf_counter()
    result = _summary(registered) | {"reason": None}
    try:
        host.load(registered.component.kind, registered.qualified, runnable=False)
        heavy = sorted(set(registered.component.requires) & (set(sys.modules) - before))
        if heavy:
            result["reason"] = f"imports {', '.join(heavy)} before it is used"
        if deep and not result["missing"]:
            _import_libraries(registered)
    except MissingExtraError:
        result["state"] = "missing"
    except Ig4Error as error:
        result |= {"state": "broken", "reason": str(error)}
    if result["state"] == "missing":
        result["reason"] = _state(registered)
    return result | {"import_ms": 1000 * (time.perf_counter() - start)}


def _check_row(result: Mapping[str, Any]) -> tuple[str, ...]:
    name = f"plugin {result['entry_point']}" if "entry_point" in result else _qualified_name(result)
    duration = f"{result['import_ms']:.0f} ms" if "import_ms" in result else ""
    return (name, result["distribution"], result["state"], duration, result["reason"] or "")


def _qualified_name(result: Mapping[str, Any]) -> str:
    return f"{result['kind']}/{result['name']}"


def _import_libraries(registered: RegisteredComponent) -> None:
    """Import the libraries that a component requires.

    Raises:
        PluginError: a library is installed but cannot be imported.
    """
    from importlib import import_module

    from ig4.core.host.host import import_failure

    for name in registered.component.requires:
        try:
            import_module(name)
        except (ImportError, OSError) as error:
            raise import_failure(registered, error) from error
