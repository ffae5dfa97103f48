"""The pages of the Python interface: what `ig4` and `ig4.core.testing` offer, by autodoc."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import ig4
from ig4.core import errors, testing
from ig4.core.contracts import Configurable, Options
from ig4site.writing import PageFolder, code, prose, table, toctree

PAGES = {
    "functions": ("Functions", "What the commands do, as functions that return objects."),
    "results": ("Results", "What the functions return."),
    "contracts": ("Contracts", "What a component inherits from; see [plugins](../plugins.md)."),
    "values": ("Values", "The plain values that travel between ig4 and a component."),
    "errors": ("Errors", "What ig4 raises; each message says what was wrong and what to do next."),
    "testing": ("Conformance kit", "`ig4.core.testing`: checks for the tests of a plugin."),
}

INTRODUCTION = """\
# Python

`import ig4` offers what the commands do, and what a plugin needs. It is light: nothing heavy is
loaded before you use it. Names that are not on these pages may change without notice.

```python
import ig4

result = ig4.run("data.json", scorers=["clip", "length"], size=200)
print(result.selection.ids[:5])
```
"""

FURTHER = {
    "contracts": ("ig4.core.contracts.root.Configurable", "ig4.core.contracts.pool.Neighbours",
                  "ig4.core.contracts.training.Footprint",
                  "ig4.core.contracts.training.SampleCheck"),
    "values": ("ig4.core.records.Image", "ig4.core.records.Choice"),
    "results": ("ig4.core.calls.running.runner.CallsResult",
                "ig4.core.engine.ablating.table.AblationReport",
                "ig4.core.engine.checkups.findings.ColumnCheckup",
                "ig4.core.statistics.verdicts.Summary"),
}  # fmt: skip
"""Names that those of `ig4` mention, and that one needs to use them."""


def write(pages: PageFolder) -> None:
    """Write the list of public names, and the pages that describe them."""
    names = public_names()
    for page, found in names.items():
        title, lead = PAGES[page]
        text = f"# {title}\n\n{lead}\n\n" + "\n".join(_entry(name) for name in found)
        pages.write(f"api/{page}", text)
    pages.write("api/index", _index(names))


def public_names() -> dict[str, list[str]]:
    """Return the public names by page, each with its module: `ig4.run`."""
    found: dict[str, list[str]] = {page: [] for page in PAGES}
    for name in ig4.__all__:
        value = getattr(ig4, name)
        if inspect.isfunction(value):
            found["functions"].append(f"ig4.{name}")
        elif inspect.isclass(value):
            contract = issubclass(value, Configurable | Options)
            page = "contracts" if contract else "values"
            page = "errors" if issubclass(value, Exception) else page
            found[page].append(f"ig4.{name}")
    found["results"] = sorted(set(_returned(found["functions"])))
    found["errors"] += [f"ig4.core.errors.{name}" for name in errors.__all__ if name != "Ig4Error"]
    for page, names in FURTHER.items():
        found[page] += names
    found["testing"] = [f"ig4.core.testing.{name}" for name in testing.__all__]
    return found


def _returned(functions: Iterable[str]) -> Iterator[str]:
    """Return the classes of ig4 that functions return, which some import for types alone."""
    for function in functions:
        value = getattr(ig4, function.removeprefix("ig4."))
        module = inspect.getmodule(value)
        assert module is not None and module.__file__ is not None  # noqa: PT018
        imported = _imports(Path(module.__file__))
        for node in ast.walk(ast.parse(str(value.__annotations__.get("return", "None")))):
            if isinstance(node, ast.Name) and node.id in imported:
                yield imported[node.id]


def _imports(file: Path) -> dict[str, str]:
    """Return the names that a module imports from ig4, with where they come from."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return {
        alias.asname or alias.name: f"{node.module}.{alias.name}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("ig4.")
        for alias in node.names
    }


def _resolved(path: str) -> Any:
    module, _, name = path.rpartition(".")
    return getattr(__import__(module, fromlist=[name]), name)


def _entry(path: str) -> str:
    """Return the directive that describes one name from its docstring."""
    value = _resolved(path)
    if inspect.isfunction(value):
        directive, options = "autofunction", ""
    elif inspect.isclass(value):
        directive, options = "autoclass", "   :members:\n   :exclude-members: Options\n"
    else:
        directive, options = "autodata", "   :no-value:\n"
    short = path.rpartition(".")[2]
    return f"## `{short}`\n\n```{{eval-rst}}\n.. {directive}:: {path}\n{options}```\n"


def _index(names: dict[str, list[str]]) -> str:
    lines = [INTRODUCTION]
    for page, found in names.items():
        title, lead = PAGES[page]
        rows = []
        for path in found:
            doc = inspect.getdoc(_resolved(path)) or ""
            short = path.rpartition(".")[2]
            rows.append((f"[{code(short)}]({page}.md#{short.lower()})", prose(_first(doc))))
        lines += [f"## {title}", "", lead, "", table(("name", "what it is"), rows)]
    lines.append(toctree(names))
    return "\n".join(lines)


def _first(doc: str) -> str:
    """Return the first sentence of a docstring."""
    paragraph = " ".join(doc.partition("\n\n")[0].split())
    return paragraph.partition(". ")[0].rstrip(".")
