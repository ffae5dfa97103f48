"""Renders an ablation's tables for a terminal, Markdown, LaTeX, CSV and JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from ig4.core.engine.ablating.table import AblationReport, Contrast, ResultTable, TableCell
from ig4.core.statistics.paired import PValues

_NONE = "-"
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001 - full width

Mark = Callable[[str], str]


def render(report: AblationReport, form: str, *, bold: Mark | None = None) -> str:
    """Return a report as text that ends with a newline; `form` is a key of `FORMATS`.

    `bold` marks the best cells of a terminal's tables (by default a star behind them).
    """
    if form == "terminal":
        return terminal(report, bold)
    return FORMATS[form](report)


def terminal(report: AblationReport, bold: Mark | None = None) -> str:
    """Return aligned tables, the comparisons below them."""
    lines: list[str] = []
    for table in report.tables:
        head = ["arm", "samples", *(plain(name) for name in table.columns)]
        rows, marked = [], []
        for row in table.rows:
            texts = [_text(cell) for cell in row.cells]
            stars = [bold is None and cell is not None and cell.best for cell in row.cells]
            rows.append(
                [plain(row.arm), row.samples]
                + [text + "*" if star else text for text, star in zip(texts, stars, strict=True)]
            )
            best = [cell is not None and cell.best for cell in row.cells]
            marked.append([False, False, *best])
        lines += [table.title, *_aligned(head, rows, marked, bold), ""]
    if report.contrasts:
        lines += ["Comparisons, paired by seed", *_aligned(_HEAD, _contrast_rows(report)), ""]
    lines += [plain(note) for note in (*_legend(report, star=bold is None), *report.notes)]
    return "\n".join(lines) + "\n"


def _aligned(
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    marked: Sequence[Sequence[bool]] = (),
    bold: Mark | None = None,
) -> list[str]:
    widths = [max(len(line[n]) for line in (head, *rows)) for n in range(len(head))]
    lines = []
    for at, line in enumerate((head, *rows)):
        cells = []
        for n, (text, width) in enumerate(zip(line, widths, strict=True)):
            padded = text.ljust(width) if n == 0 else text.rjust(width)
            if bold is not None and at and marked and marked[at - 1][n]:
                padded = padded.replace(text, bold(text))
            cells.append(padded)
        lines.append("  ".join(cells).rstrip())
    return lines


def markdown(report: AblationReport) -> str:
    """Return Markdown tables; names are escaped."""
    lines: list[str] = []
    for table in report.tables:
        lines += [f"**{table.title}**", ""]
        head = ["arm", "samples", *(plain(name) for name in table.columns)]
        rows = [
            [_markdown(row.arm), row.samples]
            + [f"**{_text(cell)}**" if cell and cell.best else _text(cell) for cell in row.cells]
            for row in table.rows
        ]
        lines += [*_piped([_markdown(name) for name in head], rows), ""]
    if report.contrasts:
        rows = [[_markdown(text) for text in row] for row in _contrast_rows(report)]
        lines += [
            "**Comparisons, paired by seed**",
            "",
            *_piped([_markdown(one) for one in _HEAD], rows),
            "",
        ]
    lines += [f"{_markdown(note)}\n" for note in (*_legend(report, star=False), *report.notes)]
    return "\n".join(lines).rstrip("\n") + "\n"


def _piped(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    rule = ["---", *(["---:"] * (len(head) - 1))]
    return [f"| {' | '.join(line)} |" for line in (head, rule, *rows)]


def latex(report: AblationReport) -> str:
    r"""Return LaTeX tables for the package booktabs; names are escaped."""
    parts = ["% needs \\usepackage{booktabs}"]
    for table in report.tables:
        head = ["Arm", "Samples", *(_latex(name) for name in table.columns)]
        rows = [
            [_latex(row.arm), _latex(row.samples), *(_latex_cell(cell) for cell in row.cells)]
            for row in table.rows
        ]
        parts.append(_tabular(f"Ablation: {table.title.lower()}.", head, rows))
    if report.contrasts:
        rows = [[_latex(text) for text in row] for row in _contrast_rows(report)]
        parts.append(_tabular("Comparisons, paired by seed.", [_latex(one) for one in _HEAD], rows))
    parts += [f"% {plain(note)}" for note in (*_legend(report, star=False), *report.notes)]
    return "\n".join(parts) + "\n"


def _tabular(caption: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    body = [" & ".join(line) + r" \\" for line in (head, *rows)]
    return "\n".join(
        [
            r"\begin{table}[t]",
            r"\centering",
            rf"\caption{{{_latex(caption)}}}",
            rf"\begin{{tabular}}{{l{'r' * (len(head) - 1)}}}",
            r"\toprule",
            body[0],
            r"\midrule",
            *body[1:],
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
        ]
    )


def _latex_cell(cell: TableCell | None) -> str:
    if cell is None:
        return "--"
    text = cell.text(plus_minus=r"\pm")
    return rf"$\mathbf{{{text}}}$" if cell.best else f"${text}$"


def as_csv(report: AblationReport) -> str:
    """Return one CSV of all tables: mean, standard deviation and number of seeds by column."""
    columns = report.tables[0].columns if report.tables else ()
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    parts = ("mean", "sd", "seeds", "best")
    heads = [f"{unformulaic(name)} {part}" for name in columns for part in parts]
    writer.writerow(["table", "arm", "samples", *heads])
    for table in report.tables:
        for row in table.rows:
            values: list[Any] = []
            for cell in row.cells:
                values += [None] * 4 if cell is None else [
                    f"{cell.mean:.6f}",
                    None if cell.deviation is None else f"{cell.deviation:.6f}",
                    cell.seeds,
                    int(cell.best),
                ]  # fmt: skip
            # Programs read these numbers: no thousands separators.
            samples = row.samples.replace(",", "")
            writer.writerow([table.title, unformulaic(row.arm), samples, *values])
    return out.getvalue()


def as_dict(report: AblationReport) -> dict[str, Any]:
    """Return a report as JSON: the tables, every outcome, the comparisons."""
    return {
        "tables": [_table_dict(table) for table in report.tables],
        "comparisons": [_contrast_dict(one) for one in report.contrasts],
        "headlines": dict(report.headlines),
        "factors": dict(report.factors),
        "outcomes": [
            {"arm": one.arm, "seed": one.seed, "samples": one.samples, "values": dict(one.values)}
            for one in report.outcomes
        ],
        "notes": list(report.notes),
    }


def as_json(report: AblationReport) -> str:
    """Return `as_dict` as text."""
    return json.dumps(as_dict(report), indent=2, ensure_ascii=False) + "\n"


def _table_dict(table: ResultTable) -> dict[str, Any]:
    return {
        "title": table.title,
        "columns": list(table.columns),
        "rows": [
            {
                "arm": row.arm,
                "samples": row.samples,
                "cells": {
                    name: None
                    if cell is None
                    else {
                        "mean": cell.mean,
                        "sd": cell.deviation,
                        "seeds": cell.seeds,
                        "best": cell.best,
                    }
                    for name, cell in zip(table.columns, row.cells, strict=True)
                },
            }
            for row in table.rows
        ],
    }


def _contrast_dict(one: Contrast) -> dict[str, Any]:
    return {
        "first": one.first, "second": one.second, "column": one.column, **asdict(one.result)
    }  # fmt: skip


_HEAD = (
    "first - second", "in", "difference", "95% CI", "pairs",
    "p (>)", "p (<)", "exact p (>)", "exact p (<)",
)  # fmt: skip


def _contrast_rows(report: AblationReport) -> list[list[str]]:
    return [
        [
            f"{plain(one.first)} - {plain(one.second)}",
            plain(one.column),
            f"{one.result.difference:+.2f}",
            _NONE if one.result.low is None else f"{one.result.low:+.2f} to {one.result.high:+.2f}",
            str(one.result.pairs),
            *_p(one.result.student),
            *_p(one.result.permutation),
        ]
        for one in report.contrasts
    ]


def _p(values: PValues | None) -> list[str]:
    if values is None:
        return [_NONE, _NONE]
    return [f"{p:.3f}" if p >= 0.001 else "<0.001" for p in (values.greater, values.less)]


def _legend(report: AblationReport, *, star: bool) -> list[str]:
    units = []
    for name, factor in report.factors.items():
        metric = report.headlines.get(name, "value")
        units.append(f"{name}: {metric}{' x 100' if factor == 100 else _times(factor)}")
    lines = []
    if units:
        starred = ", * best" if star else ""
        lines.append(f"Mean ± standard deviation over seeds{starred}. {'; '.join(units)}.")
    if report.contrasts:
        lines.append(
            "p: one-sided, that the first is better (>) or worse (<), by the paired t-test and by "
            "exact sign permutation."
        )
    return lines


def _times(factor: float) -> str:
    return "" if factor == 1 else f" x {factor:g}"


def _text(cell: TableCell | None) -> str:
    return _NONE if cell is None else cell.text()


def plain(text: str) -> str:
    """Return text on one line; control characters become replacement characters."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def _markdown(text: str) -> str:
    special = "\\`*_{}[]<>()#|!~&$"
    return "".join(f"\\{c}" if c in special else c for c in plain(text))


_LATEX: Mapping[str, str] = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#",
    "%": r"\%", "_": r"\_", "^": r"\textasciicircum{}", "~": r"\textasciitilde{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "±": r"$\pm$", "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    # After the \\ of the row before, LaTeX would read these as its arguments.
    "[": "{[}", "*": "{*}",
}  # fmt: skip


def _latex(text: str) -> str:
    return "".join(_LATEX.get(c, c) for c in plain(text))


def unformulaic(text: str) -> str:
    """Return text on one line that no spreadsheet reads as a formula."""
    return f"'{plain(text)}" if text.startswith(_FORMULA) else plain(text)


FORMATS: Mapping[str, Callable[[AblationReport], str]] = {
    "terminal": terminal,
    "markdown": markdown,
    "latex": latex,
    "csv": as_csv,
    "json": as_json,
}
"""The formats that a report can be written in."""

SUFFIXES = {".md": "markdown", ".tex": "latex", ".csv": "csv", ".json": "json", ".txt": "terminal"}
"""The format that a file's ending stands for."""
