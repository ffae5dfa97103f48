"""Reads what the files of the tree import, and finds imports that break a rule."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path, PurePosixPath

FOLDERS = ("core", "plugins", "storage", "cli")


@dataclass(frozen=True, slots=True)
class Import:
    """A module that another one imports."""

    target: str
    deferred: bool
    """Whether it is imported inside a function or for type checkers only."""


Imports = Mapping[str, Collection[Import]]
"""What each module imports, by the module's name."""


def read_sources(root: Path) -> dict[str, str]:
    """Return the text of every Python file of the tree by its path, as in `core/api.py`."""
    files = (file for folder in FOLDERS for file in sorted((root / folder).rglob("*.py")))
    return {file.relative_to(root).as_posix(): file.read_text("utf-8") for file in files}


def module_name(path: str) -> str:
    """Return the name that a file is imported by: `core/api.py` is `ig4.core.api`."""
    parts = PurePosixPath(path).with_suffix("").parts
    if parts[:2] == ("core", "_public"):
        parts = parts[2:]
    if parts[-1] == "__init__":
        parts = parts[:-1]
    return ".".join(("ig4", *parts))


def find_imports(sources: Mapping[str, str]) -> dict[str, set[Import]]:
    """Return what each file of the tree imports, wherever in the file the import stands."""
    modules = {module_name(path) for path in sources}
    return {
        module_name(path): set(_imports(text, _package(path), modules))
        for path, text in sources.items()
    }


def _package(path: str) -> str:
    """Return the package that relative imports of a file start from."""
    name = module_name(path)
    return name if PurePosixPath(path).name == "__init__.py" else name.rpartition(".")[0]


def _imports(text: str, package: str, modules: Collection[str]) -> Iterator[Import]:
    for node, deferred in _walk(ast.parse(text), deferred=False):
        for target in _targets(node, package, modules):
            yield Import(target, deferred)


def _walk(node: ast.AST, *, deferred: bool) -> Iterator[tuple[ast.AST, bool]]:
    yield node, deferred
    if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
        for child in node.body:
            yield from _walk(child, deferred=True)
        for child in node.orelse:
            yield from _walk(child, deferred=deferred)
        return
    inside = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
    for child in ast.iter_child_nodes(node):
        yield from _walk(child, deferred=deferred or inside)


def _targets(node: ast.AST, package: str, modules: Collection[str]) -> Iterable[str]:
    """Return the absolute names of what a statement, or a call of import_module, imports."""
    match node:
        case ast.Import(names=names):
            return [alias.name for alias in names]
        case ast.ImportFrom(module=module, names=names, level=level):
            start = _absolute("." * level + (module or ""), package)
            inner = [f"{start}.{alias.name}" for alias in names]
            return [name if name in modules else start for name in inner]
        case ast.Call(
            func=ast.Name(id="import_module" | "__import__") | ast.Attribute(attr="import_module"),
            args=[ast.Constant(value=str(name)), *_],
        ):
            return [_absolute(name, package)]
    return []


def _absolute(name: str, package: str) -> str:
    rest = name.lstrip(".")
    level = len(name) - len(rest)
    if not level:
        return name
    parts = package.split(".")
    start = parts[: len(parts) - level + 1]
    return ".".join([*start, rest] if rest else start)


def find_circle(imports: Imports) -> list[str]:
    """Return modules each of which imports the one before it, the first again last; or nothing."""
    graph = {
        module: {one.target for one in found if one.target in imports}
        for module, found in imports.items()
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        circle: list[str] = error.args[1]
        return circle
    return []


def area(module: str) -> str:
    """Return the folder that a module of ig4 lies in; one of `core/_public/` is its own."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in FOLDERS else module


def find_wrong_ways(
    imports: Imports, allowed: Mapping[str, Collection[str]]
) -> set[tuple[str, str]]:
    """Return (module, target) for each import of an area that the module's own may not import."""
    return {
        (module, one.target)
        for module, found in imports.items()
        for one in found
        if one.target.split(".")[0] == "ig4" and area(one.target) not in allowed[area(module)]
    }


def find_packages(
    imports: Imports, packages: Collection[str], areas: Collection[str], *, at_once: bool = False
) -> set[tuple[str, str]]:
    """Return (module, package) where a module of some areas imports one of some packages.

    With `at_once`, only where importing the module is enough to load the package.
    """
    return {
        (module, one.target.split(".")[0])
        for module, found in imports.items()
        if area(module) in areas
        for one in found
        if one.target.split(".")[0] in packages and not (at_once and one.deferred)
    }
