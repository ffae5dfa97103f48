"""One self-contained HTML file from what a page says: data, scripts and styles inside."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from importlib import resources
from typing import TYPE_CHECKING, Any

from ig4.core.engine.reporting.packing import packed_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ENTRY = "report.js"
"""The module of `web/` that a page begins with."""

_IMPORT = re.compile(r'^import \{([^}]*)\} from "\./([\w-]+\.js)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async function|function|const|class) (\w+))", re.MULTILINE)


def html_page(
    values: Mapping[str, Any],
    pictures: Sequence[str],
    charts: Mapping[str, Any] | None = None,
    library: str = "",
    *,
    key: str = "",
    entry: str = ENTRY,
) -> bytes:
    """Return a page as UTF-8; `library` is the JavaScript that draws `charts` (Vega-Lite).

    `key` tells one page from another. Nothing of a data set is markup or script here: it is
    compressed JSON, which the page's own script puts into texts. The policy of the page lets no
    other script run, and nothing be fetched.
    """
    script = bundle(entry)
    style = source("style.css")
    scripts = [one for one in (library, script) if one]
    policy = "; ".join(
        (
            "default-src 'none'",
            f"script-src {' '.join(_hash(one) for one in scripts)}",
            # Vega sets style attributes; a style cannot fetch anything here.
            "style-src 'unsafe-inline'",
            "img-src data: blob:",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )
    about = values["about"]
    parts = {
        "policy": policy,
        "key": html.escape(key),
        "title": html.escape(f"{about['label']} of {about['dataset']}"),
        "style": style,
        "data": packed_json(values),
        "charts": packed_json(dict(charts or {})),
        "pictures": "\n".join(pictures),
        "library": f"<script>{library}</script>" if library else "",
        "script": f'<script type="module">{script}</script>',
    }
    template = source("report.html")
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], template).encode()


def source(name: str) -> str:
    """Return a file of `web/`."""
    return (resources.files("ig4.web") / name).read_text(encoding="utf-8")


def bundle(entry: str) -> str:
    """Return a module of `web/` with all that it imports as one script.

    Each module becomes a function that returns what it exports. The modules keep to a form that
    makes this easy, and a test holds them to it: imports by name from beside them, at the top, and
    exports at declarations.
    """
    return "".join(_with_imports(entry, []))


def _with_imports(name: str, done: list[str]) -> list[str]:
    if name in done:
        return []
    done.append(name)
    text = source(name)
    before = [part for found in _IMPORT.finditer(text) for part in _with_imports(found[2], done)]
    exports = ", ".join(found[1] for found in _EXPORT.finditer(text))
    body = _IMPORT.sub(lambda found: f"const {{{found[1]}}} = {_variable(found[2])};\n", text)
    body = _EXPORT.sub("", body)
    return [
        *before,
        f"const {_variable(name)} = (() => {{\n{body}return {{ {exports} }};\n}})();\n",
    ]


def _variable(name: str) -> str:
    return "module_" + name.removesuffix(".js").replace("-", "_")


def _hash(script: str) -> str:
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return f"'sha256-{digest}'"
