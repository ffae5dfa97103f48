"""How charts look on white, on black and on paper: Vega-Lite configurations.

No chart has a colour of text, axes or background in itself, so that a page can draw the same chart
again when the reader changes the theme.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias, get_args

from ig4.core.charts.palette import REST

Theme: TypeAlias = Literal["light", "dark", "print"]

THEMES: tuple[Theme, ...] = get_args(Theme)

_INKS: dict[Theme, tuple[str, str, str, str]] = {
    # text, quieter text, lines of axes and grid, background
    "light": ("#1f2328", "#4d5560", "#d9dce1", "#ffffff"),
    "dark": ("#e8eaed", "#b4bac3", "#3a4048", "#15181c"),
    "print": ("#000000", "#000000", "#cccccc", "#ffffff"),
}

FONT = "Liberation Sans, Arial, Helvetica, sans-serif"


def theme_config(theme: Theme, *, background: str | None = None) -> dict[str, Any]:
    """Return the configuration of a theme; `background` in place of its own, as "transparent"."""
    text, quiet, lines, own = _INKS[theme]
    size = 12 if theme == "print" else 11
    return {
        "background": own if background is None else background,
        "font": FONT,
        "view": {"stroke": None},
        "axis": {
            "labelColor": quiet,
            "titleColor": text,
            "titleFontWeight": "normal",
            "labelFontSize": size,
            "titleFontSize": size,
            "titlePadding": 6,
            "labelLimit": 170,
            "gridColor": lines,
            "domainColor": lines,
            "tickColor": lines,
            "tickSize": 4,
        },
        # The last label would be pushed over the one before it.
        "axisQuantitative": {"labelFlush": False, "tickCount": 7},
        "axisYQuantitative": {"labelFlush": False, "tickCount": 5},
        "legend": {
            "labelColor": text,
            "titleColor": text,
            "titleFontWeight": "normal",
            "labelFontSize": size,
            "titleFontSize": size,
            "labelLimit": 170,
            "symbolLimit": 12,
            "symbolStrokeWidth": 2,
            "orient": "top",
            "direction": "horizontal",
            "offset": 6,
            "columnPadding": 12,
            "unselectedOpacity": 0.35,
        },
        "title": {
            "color": text,
            "subtitleColor": quiet,
            "fontSize": size + 3,
            "fontWeight": "bold",
            "subtitleFontSize": size,
            "subtitlePadding": 4,
            "anchor": "start",
            "frame": "bounds",
            "offset": 10,
        },
        "header": {"labelColor": text, "titleColor": text, "labelFontSize": size},
        "text": {"color": text, "fontSize": size},
        "style": {"cell": {"stroke": None}, "guide-label": {"font": FONT}},
        "bar": {"color": REST},
        "rule": {"color": text},
        "tick": {"color": text},
    }
