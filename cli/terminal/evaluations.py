"""Prints the results of evaluations."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from ig4.cli.terminal import render
from ig4.core.counts import counted

if TYPE_CHECKING:
    from ig4.core.engine.evaluating.compare import Comparison
    from ig4.core.engine.evaluating.evaluate import EvaluationResult
    from ig4.storage.evaluations import EvaluationRow, PredictionRow

_SHOWN = 10
_WIDTH = 100
_COLUMNS = ("evaluation", "benchmark", "label", "category", "metric", "value", "items", "failed")


def as_dict(result: EvaluationResult) -> dict[str, Any]:
    """Return an evaluation's result as a JSON-able dict."""
    measured = result.measured
    return {
        "evaluation": result.id,
        "benchmark": result.benchmark,
        "label": result.label,
        "headline": measured.headline,
        "value": measured.value,
        "interval": interval_of(measured.values, measured.value),
        "metrics": dict(measured.metrics),
        "categories": {name: dict(each) for name, each in measured.categories.items()},
        "items": result.items,
        "failed": result.failed,
        "reused": result.reused,
    }


def interval_of(values: Sequence[float | None], headline: float) -> list[float] | None:
    """Return the 95 % interval of a headline if it is the mean of `values`, else None."""
    import math

    from ig4.core.statistics.comparison import mean_interval

    known = [value for value in values if value is not None]
    if len(known) < max(2, len(values)):
        return None
    if not math.isclose(math.fsum(known) / len(known), headline, rel_tol=1e-9, abs_tol=1e-12):
        return None
    return list(mean_interval(known))


def print_results(results: Sequence[EvaluationResult]) -> None:
    """Print a line for each benchmark: its headline with the 95 % interval."""
    rows = []
    for one in results:
        interval = _interval_text(interval_of(one.measured.values, one.measured.value))
        rows.append(
            (one.id, one.benchmark, one.label, one.measured.headline, one.measured.value, interval,
             one.items, one.failed)
        )  # fmt: skip
    render.print_table(
        ("evaluation", "benchmark", "model", "metric", "value", "95 % interval", "questions",
         "failed"), rows,
    )  # fmt: skip


def print_csv(results: Iterable[EvaluationResult]) -> None:
    """Print every metric, overall and by category, as a line of CSV."""
    rows = []
    for one in results:
        identity = (one.id, one.benchmark, one.label)
        rows += _lines(
            identity, one.measured.metrics, one.measured.categories, one.items, one.failed
        )  # fmt: skip
    _write_csv(rows)


def print_rows_csv(rows: Iterable[EvaluationRow]) -> None:
    """Print every metric of stored evaluations as a line of CSV."""
    lines = []
    for row in rows:
        metrics = row.metrics or {}
        lines += _lines(
            (row.id, row.name, row.label), metrics.get("all", {}), metrics.get("categories", {}),
            row.items, row.failed,
        )  # fmt: skip
    _write_csv(lines)


def print_list(rows: Sequence[EvaluationRow], *, as_json: bool) -> None:
    """Print a line for each stored evaluation."""
    if as_json:
        render.print_json([row_as_dict(row) for row in rows])
        return
    render.print_table(
        ("evaluation", "benchmark", "model", "metric", "value", "questions", "failed", "status",
         "answers from"),
        [
            (row.id, row.name, row.label, row.headline or "", row.value, row.items, row.failed,
             _status(row), row.source)
            for row in rows
        ],
    )  # fmt: skip


def print_one(row: EvaluationRow, answers: Sequence[PredictionRow], *, as_json: bool) -> None:
    """Print an evaluation: metrics, categories, failed questions and some wrong answers."""
    interval = None
    if row.value is not None:
        interval = interval_of([one.value for one in answers], row.value)
    if as_json:
        records = [_answer(one) | {"value": one.value} for one in answers]
        render.print_json({**row_as_dict(row), "interval": interval, "answers": records})
        return
    facts: dict[str, Any] = {
        "evaluation": f"{row.id}, {_status(row)}",
        "benchmark": row.name if row.name == row.benchmark else f"{row.name} ({row.benchmark})",
        "model": row.label,
        "answers from": row.source,
        "questions": f"{row.items:,}, {row.failed:,} of them failed",
    }
    for name, value in (row.metrics or {}).get("all", {}).items():
        suffix = _interval_text(interval) if name == row.headline else ""
        facts[name] = f"{render.plain(float(value))} {suffix}".rstrip()
    if row.error:
        facts["error"] = row.error
    render.print_facts(facts)
    _print_categories(row)
    _print_examples("failed", [(one.item_id, one.error) for one in answers if one.error])
    wrong = [one for one in answers if one.value == 0 and one.answer is not None]
    _print_examples("wrong", [(one.item_id, one.answer) for one in wrong])


def print_answers(answers: Iterable[PredictionRow]) -> None:
    """Print answers as JSON lines that `ig4 eval --predictions` and `ig4 judge` read."""
    for one in answers:
        click.echo(json.dumps(_answer(one), ensure_ascii=False))


def print_comparison(comparison: Comparison, *, as_json: bool) -> None:
    """Print the difference of two evaluations."""
    compared = comparison.compared
    if as_json:
        render.print_json(
            {
                "benchmark": comparison.first.name,
                "metric": comparison.first.headline,
                "A": {"evaluation": comparison.first.id, "label": comparison.first.label,
                      "value": compared.first},
                "B": {"evaluation": comparison.second.id, "label": comparison.second.label,
                      "value": compared.second},
                "items": compared.items,
                "left_out": comparison.left_out,
                "difference": compared.difference,
                "interval": [compared.low, compared.high],
                "better": compared.better,
                "worse": compared.worse,
                "equal": compared.equal,
                "p": compared.p,
                "test": compared.test,
            }
        )  # fmt: skip
        return
    omitted = f" ({comparison.left_out:,} left out)" if comparison.left_out else ""
    render.print_facts(
        {
            "benchmark": f"{comparison.first.name}, {counted(compared.items, 'question')}{omitted}",
            "A": f"{comparison.first.label}: {comparison.first.headline} {compared.first:.4f}",
            "B": f"{comparison.second.label}: {comparison.second.headline} {compared.second:.4f}",
            "B - A": f"{compared.difference:+.4f} {_interval_text([compared.low, compared.high])}",
            "B is": f"better on {compared.better:,}, worse on {compared.worse:,}, "
            f"equal on {compared.equal:,}",
            compared.test: f"p = {compared.p:.4g}" if compared.p > 0 else "p < 1e-300",
        }
    )


def row_as_dict(row: EvaluationRow) -> dict[str, Any]:
    """Return a stored evaluation as a JSON-able dict."""
    metrics = row.metrics or {}
    return {
        "evaluation": row.id,
        "benchmark": row.name,
        "label": row.label,
        "source": row.source,
        "training": row.training_id,
        "status": row.status,
        "headline": row.headline,
        "value": row.value,
        "metrics": metrics.get("all", {}),
        "categories": metrics.get("categories", {}),
        "items": row.items,
        "answered": row.answered,
        "failed": row.failed,
        "seed": row.seed,
        "decoding": row.decoding,
        "options": dict(row.options),
        "error": row.error,
        "created_at": row.created_at.isoformat(),
        "finished_at": row.finished_at and row.finished_at.isoformat(),
    }


def _status(row: EvaluationRow) -> str:
    if row.status == "done":
        return "done"
    return f"{row.status}, {row.answered:,} of {row.items:,} answered"


def _interval_text(pair: Sequence[float] | None) -> str:
    return "" if pair is None else f"[{pair[0]:.4f}, {pair[1]:.4f}]"


def _answer(one: PredictionRow) -> dict[str, Any]:
    outcome = {"answer": one.answer} if one.answer is not None else {"error": one.error}
    return {"id": one.item_id, "category": one.category, **outcome}


def _print_categories(row: EvaluationRow) -> None:
    parts = (row.metrics or {}).get("categories", {})
    if parts:
        click.echo()
        render.print_table(
            ("category", row.headline or "", "questions"),
            [(name, each.get(row.headline), int(each.get("n", 0))) for name, each in parts.items()],
        )


def _print_examples(what: str, rows: Sequence[tuple[str, str | None]]) -> None:
    if not rows:
        return
    click.echo()
    shown = [
        (name, text if len(text) <= _WIDTH else f"{text[:_WIDTH]}…")
        for name, text in ((name, " ".join((text or "").split())) for name, text in rows[:_SHOWN])
    ]
    title = f"{what}, {_SHOWN} of {len(rows):,}" if len(rows) > _SHOWN else what
    render.print_table(("question", title), shown)


def _lines(
    identity: tuple[Any, ...],
    metrics: Mapping[str, float],
    categories: Mapping[str, Mapping[str, float]],
    items: int,
    failed: int,
) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = [
        (*identity, "", name, value, items, failed) for name, value in metrics.items()
    ]
    for category, each in categories.items():
        n = int(each.get("n", 0)) or ""
        rows += [
            (*identity, category, name, value, n, "") for name, value in each.items() if name != "n"
        ]
    return rows


def _write_csv(rows: Iterable[Sequence[Any]]) -> None:
    from ig4.core.engine.ablating.render import unformulaic

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for row in rows:
        writer.writerow([unformulaic(one) if isinstance(one, str) else one for one in row])
    click.echo(text.getvalue(), nl=False)
