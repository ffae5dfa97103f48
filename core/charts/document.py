"""Charts as a page of HTML: it opens from disk, and nothing outside it is read or run."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from ig4.core.charts.bundle import vega_bundle
from ig4.core.charts.themes import THEMES, Theme, theme_config

_STYLE = """
:root { color-scheme: light dark; }
body { margin: 16px; font: 14px/1.5 "Liberation Sans", Arial, Helvetica, sans-serif; }
body.dark { background: #15181c; color: #e8eaed; }
body.light, body.print { background: #ffffff; color: #1f2328; }
figure { margin: 0 0 24px; }
.chart { width: 100%; min-width: 0; overflow-x: auto; }
figcaption { max-width: 70ch; margin-top: 8px; opacity: 0.85; overflow-wrap: anywhere; }
#vg-tooltip-element { position: fixed; visibility: hidden; z-index: 9; padding: 6px 8px;
  max-width: 360px; overflow-wrap: anywhere; font-size: 12px; pointer-events: none;
  background: #ffffff; color: #1f2328; border: 1px solid #8c8c8c; border-radius: 3px; }
#vg-tooltip-element.visible { visibility: visible; }
#vg-tooltip-element.dark-theme { background: #23282e; color: #e8eaed; }
#vg-tooltip-element td.key { padding-right: 8px; opacity: 0.75; vertical-align: top; }
"""

_DRAW = """
const read = (id) => JSON.parse(document.getElementById(id).textContent);
const specs = read("specs"), themes = read("themes"), asked = read("asked");
const dark = window.matchMedia("(prefers-color-scheme: dark)");
const chosen = () => asked === "light" && dark.matches ? "dark" : asked;
async function draw() {
  const theme = chosen();
  document.body.className = theme;
  for (const [n, spec] of specs.entries()) {
    await vegaEmbed(`#chart-${n}`, spec, {
      ast: true, actions: false, renderer: "svg", defaultStyle: false, config: themes[theme],
      tooltip: { disableDefaultStyle: true, theme: theme === "dark" ? "dark" : "light" },
    });
  }
}
dark.addEventListener("change", draw);
draw();
"""


def chart_page(specs: Sequence[Mapping[str, Any]], theme: Theme = "light") -> str:
    """Return a page that draws specifications without `config`, one below the other.

    A light chart turns dark for a reader whose system is. The policy of the page allows no script
    but its own two, and no request.

    Raises:
        MissingExtraError: vl-convert is not installed.
    """
    scripts = [vega_bundle(), _DRAW]
    hashes = " ".join(f"'sha256-{_digest(one)}'" for one in scripts)
    policy = (
        f"default-src 'none'; script-src {hashes}; style-src 'sha256-{_digest(_STYLE)}'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
    themes = {one: theme_config(one, background="transparent") for one in THEMES}
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{escape(policy)}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(_title(specs[0]))}</title>",
            f"<style>{_STYLE}</style>",
            "</head>",
            f'<body class="{theme}">',
            "<main>",
            *(_figure(n, spec) for n, spec in enumerate(specs)),
            "</main>",
            _data("specs", list(specs)),
            _data("themes", themes),
            _data("asked", theme),
            *(f"<script>{one}</script>" for one in scripts),
            "</body>",
            "</html>",
            "",
        ]
    )


def _figure(number: int, spec: Mapping[str, Any]) -> str:
    told = escape(str(spec.get("description", "")))
    return (
        f'<figure><div class="chart" id="chart-{number}"></div>'
        f'<figcaption dir="auto">{told}</figcaption></figure>'
    )


def _data(name: str, value: Any) -> str:
    """Return a value as a block of data, in which nothing can end the block."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False)
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return f'<script type="application/json" id="{name}">{text}</script>'


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _title(spec: Mapping[str, Any]) -> str:
    title = spec.get("title")
    text = title.get("text") if isinstance(title, Mapping) else title
    return str(text or spec.get("description") or "Chart")[:120]
