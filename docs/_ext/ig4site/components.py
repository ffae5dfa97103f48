"""A page for each kind of component, from what the host knows of those that ig4 brings."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator
from typing import Any

from ig4.cli.plugins import _options as component_options
from ig4.core.contracts.kinds import contracts_of
from ig4.core.files.writing.toml import toml_lines
from ig4.core.host.host import KINDS, Host, RegisteredComponent
from ig4.core.host.recipes import recipe_settings
from ig4site.writing import PageFolder, code, prose, table, toctree

KIND_TEXTS = {
    "scorer": "gives every sample one or several values",
    "embedder": "turns images, texts or whole samples into vectors: a space",
    "grouper": "tells the kinds that a data set is a mixture of",
    "clusterer": "clusters vectors",
    "index": "finds nearest neighbours",
    "selector": "chooses the samples",
    "recipe": "is a published method by name: settings for all the others",
    "trainer": "fine-tunes a model on a selection, and answers questions with it",
    "judge": "says which of two answers is better",
    "benchmark": "asks a model questions, and scores its answers",
    "format": "reads and writes data sets",
    "executor": "runs batches: in this process or on a cluster",
}

OPTION_TABLES = {
    "scorer": "scorers", "embedder": "embedders", "grouper": "groupers",
    "clusterer": "clusterers", "index": "indexes", "selector": "selectors",
    "trainer": "trainers", "judge": "judges", "benchmark": "benchmarks",
}  # fmt: skip
"""The tables of ig4.toml that hold the options of a kind."""

INTRODUCTION = """\
# Components and their options

Everything that ig4 scores, clusters, selects, trains or reads with is a component, and comes from a
plugin. These are the ones that ig4 brings; [a plugin](../plugins.md) adds others, and `ig4 plugins`
lists what is installed on your machine. These pages are made from the components themselves, as
`ig4 plugins show NAME` shows them.

You set an option on the command line with `-o NAME.KEY=VALUE`, or in `ig4.toml`:

```toml
[scorers.clip]
model = "ViT-L-14"
```
"""


def write(pages: PageFolder) -> None:
    """Write the list of kinds, and a page for each kind with all its components."""
    host = Host.discover()
    own = [one for one in host.components() if one.dist == "ig4"]
    kinds = [kind for kind in KINDS if any(one.component.kind == kind for one in own)]
    pages.write("components/index", _index(kinds, own))
    for kind in kinds:
        found = [one for one in own if one.component.kind == kind]
        pages.write(f"components/{_plural(kind)}", _page(kind, found, host))


def _plural(kind: str) -> str:
    return "indexes" if kind == "index" else f"{kind}s"


def _index(kinds: list[str], own: list[RegisteredComponent]) -> str:
    rows = []
    for kind in kinds:
        names = [one.component.name for one in own if one.component.kind == kind]
        links = ", ".join(f"[`{name}`]({_plural(kind)}.md#{_target(kind, name)})" for name in names)
        rows.append((f"[{kind}]({_plural(kind)}.md)", KIND_TEXTS[kind], links))
    kinds_table = table(("kind", "what it does", "components"), rows)
    return "\n".join([INTRODUCTION, kinds_table, toctree(_plural(kind) for kind in kinds)])


def _page(kind: str, found: list[RegisteredComponent], host: Host) -> str:
    first = found[0].component.name
    classes = " or ".join(code(one.__name__) for one in contracts_of(kind))
    lines = [
        f"# {_plural(kind).capitalize()}\n",
        f"{'An' if kind[0] in 'aei' else 'A'} {kind} {KIND_TEXTS[kind]}.\n",
    ]
    if kind in OPTION_TABLES:
        own = OPTION_TABLES[kind]
        lines.append(
            f"Options stand in `ig4.toml` under `[{own}.NAME]`, as in `[{own}.{first}]`, or are "
            "given with `-o NAME.KEY=VALUE`."
        )
    lines.append(
        f"To write your own, see [plugins](../plugins.md) and {classes} in "
        "[Python](../api/contracts.md).\n"
    )
    rows = [
        (f"[`{one.component.name}`](#{_target(kind, one.component.name)})",
         prose(one.component.summary), code(one.component.extra) if one.component.extra else "")
        for one in found
    ]  # fmt: skip
    lines += [table((kind, "what it does", "needs the extra"), rows)]
    for one in found:
        lines += _section(one, host)
    return "\n".join(lines)


def _target(kind: str, name: str) -> str:
    return f"{kind}-{re.sub(r'[^a-z0-9]+', '-', name)}"


def _install(one: RegisteredComponent) -> str:
    extra = one.component.extra
    return f'`pip install "ig4[{extra}]"`' if extra else "`pip install ig4`"


def _section(one: RegisteredComponent, host: Host) -> Iterator[str]:
    component = one.component
    cls = host.load(component.kind, one.qualified, runnable=False)
    yield f"({_target(component.kind, component.name)})="
    yield f"## `{component.name}`\n"
    yield f"{prose(component.summary)}\n"
    yield from _about(component.docs, component.summary, cls)
    yield f"Comes with {_install(one)}; version {code(cls.version)} of the component.\n"
    if component.kind == "recipe":
        settings = "\n".join(toml_lines(recipe_settings(component.name, host)))
        yield f"It sets:\n\n```toml\n{settings}\n```\n"
    options = component_options(cls)
    if options:
        rows = [
            (code(option["name"]), _type(option["type"]), _default(option),
             prose(option["description"]))
            for option in options
        ]  # fmt: skip
        yield table(("option", "type", "default", "what it is"), rows)


def _about(docs: str | None, summary: str, cls: type[Any]) -> Iterator[str]:
    text = inspect.cleandoc(cls.__doc__ or "")
    recipe = hasattr(cls, "source")  # whose settings, shown below, say more than its docstring
    if text and not recipe and text.rstrip(".") != summary.rstrip("."):
        yield f"{prose(' '.join(text.split()))}\n"
    source = getattr(cls, "source", "")
    if source and not source.startswith("ig4:"):
        yield f"Source: {prose(source)}.\n"
    if docs and docs.startswith(("http:", "https:")):
        yield f"More: <{docs}>\n"
    elif docs:
        yield f"More: [its page](../{docs}.md).\n"


def _type(text: str) -> str:
    return code(text) if text else ""


def _default(option: dict[str, Any]) -> str:
    if option["required"]:
        return "required"
    text = json.dumps(option["default"], ensure_ascii=False)
    return code(text if len(text) <= 80 else f"{text[:79]}…")
