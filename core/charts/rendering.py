"""Charts as files: SVG, PNG, PDF, a page of HTML, or the Vega-Lite specification itself.

Nothing is read from the network, and equal charts give equal bytes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args
from xml.sax.saxutils import escape, quoteattr

from ig4.core.charts.document import chart_page
from ig4.core.charts.library import altair, vega_lite, vl_convert
from ig4.core.charts.pdforder import in_order
from ig4.core.charts.themes import Theme, theme_config
from ig4.core.errors import UsageError
from ig4.core.files.writing.staging import check_target, staged_file

if TYPE_CHECKING:
    from pathlib import Path

    from ig4.core.charts.frame import Chart

FileKind: TypeAlias = Literal["svg", "png", "pdf", "html", "json"]

KINDS: tuple[FileKind, ...] = get_args(FileKind)

MOST_PIXELS = 60e6
"""So many pixels at most has a PNG: they take 240 MB."""

_SIZE = re.compile(r'<svg [^>]*?width="([\d.]+)" height="([\d.]+)"')

SCALE = 2.0
"""Pixels of a PNG for each pixel of the chart."""


def file_kind(path: Path) -> FileKind:
    """Return what kind of file a name asks for.

    Raises:
        UsageError: it ends in none of the known kinds.
    """
    ending = path.suffix.lower().removeprefix(".")
    for kind in KINDS:
        if kind == ending:
            return kind
    raise UsageError(
        f"{path} does not say what kind of file it is to be: let its name end in "
        f"{', '.join(f'.{one}' for one in KINDS[:-1])} or .{KINDS[-1]}"
    )


def specification(chart: Chart, theme: Theme | None = None) -> dict[str, Any]:
    """Return the Vega-Lite specification of a chart, without colours of text and background.

    With a `theme` it has them, as `config`; else a page adds the `config` that its reader wants.

    Raises:
        ValueError: the chart is not valid Vega-Lite (altair's SchemaValidationError).
    """
    spec: dict[str, Any] = chart.to_dict()
    spec.pop("config", None)  # altair's own theme, which a notebook may have changed
    return spec if theme is None else {**spec, "config": theme_config(theme)}


def rendered(
    chart: Chart, kind: FileKind, *, theme: Theme = "light", scale: float = SCALE
) -> bytes:
    """Return a chart as the bytes of a file; `scale` is for PNG alone.

    Raises:
        MissingExtraError: Altair or vl-convert is not installed.
        UsageError: the picture would be too large to be drawn.
    """
    spec = specification(chart, theme)
    if kind == "json":
        return (json.dumps(spec, indent=2, ensure_ascii=False, sort_keys=True) + "\n").encode()
    if kind == "html":
        return chart_page([specification(chart)], theme).encode()
    convert = vl_convert()
    svg = str(convert.vegalite_to_svg(spec, vl_version=vega_lite(), allowed_base_urls=[]))
    if kind == "svg":
        return _described(svg, spec).encode()
    if kind == "png":
        _check_pixels(svg, scale)
        return bytes(convert.svg_to_png(svg, scale=scale))
    return in_order(bytes(convert.svg_to_pdf(svg)))


def _check_pixels(svg: str, scale: float) -> None:
    """Refuse a picture that there may be no memory for: vl-convert would end the process."""
    size = _SIZE.search(svg)
    pixels = float(size[1]) * float(size[2]) * scale**2 if size else 0.0
    if pixels > MOST_PIXELS:
        raise UsageError(
            f"a PNG of {pixels / 1e6:,.0f} megapixels is too large (at most "
            f"{MOST_PIXELS / 1e6:,.0f}): try a smaller --scale, --width or --height"
        )


def check_chart_file(path: Path, *, overwrite: bool = False) -> None:
    """Find out before any work is done that a chart cannot be written.

    Raises:
        UsageError: the name ends in no known kind, or the file is of others.
        MissingExtraError: Altair or vl-convert is not installed.
    """
    if file_kind(path) != "json":
        vl_convert()
    altair()
    check_target(path, overwrite=overwrite, is_file=True)


def write_chart(
    chart: Chart,
    path: Path,
    *,
    theme: Theme = "light",
    scale: float = SCALE,
    overwrite: bool = False,
) -> None:
    """Write a chart as the kind of file that its name ends in; whole, or not at all.

    Raises:
        UsageError: the name ends in no known kind, or the file is of others.
        DatasetError: it cannot be written.
        MissingExtraError: Altair or vl-convert is not installed.
    """
    data = rendered(chart, file_kind(path), theme=theme, scale=scale)
    _write(path, data, overwrite=overwrite)


def write_charts(
    charts: Sequence[Chart], path: Path, *, theme: Theme = "light", overwrite: bool = False
) -> None:
    """Write charts as one page of HTML, one below the other.

    Raises:
        UsageError, DatasetError, MissingExtraError: as `write_chart`.
    """
    page = chart_page([specification(one) for one in charts], theme)
    _write(path, page.encode(), overwrite=overwrite)


def _write(path: Path, data: bytes, *, overwrite: bool) -> None:
    with staged_file(path, overwrite=overwrite) as partial:
        partial.write_bytes(data)


def _described(svg: str, spec: Mapping[str, Any]) -> str:
    """Give an SVG its title and description, for those who hear it."""
    title, told = title_of(spec), str(spec.get("description", ""))
    head, tag, rest = svg.partition("<svg ")
    inside, _, body = rest.partition(">")
    names = f"<title>{escape(title)}</title><desc>{escape(told)}</desc>"
    return f'{head}{tag}role="img" aria-label={quoteattr(title)} {inside}>{names}{body}\n'


def title_of(spec: Mapping[str, Any]) -> str:
    """Return the title of a chart, or of the first of several."""
    title = spec.get("title")
    if isinstance(title, Mapping):
        return str(title.get("text", ""))
    for inside in spec.get("concat", ()):
        return title_of(inside)
    return ""
