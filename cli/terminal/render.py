"""Prints results on stdout, as JSON or as tables."""

from __future__ import annotations

import json
import re
import shutil
import sys
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ig4.core.charts.names import columns as columns_of
from ig4.core.counts import counted

if TYPE_CHECKING:
    from ig4.core.calls.running.runner import CallsResult
    from ig4.core.engine.scoring.estimate import CallEstimate
    from ig4.core.engine.scoring.score import ScoreResult


def program() -> str:
    """Return the command that started this program, as you would type it."""
    started = Path(sys.argv[0])
    found = shutil.which("ig4")
    if found and started.exists() and Path(found).resolve() == started.resolve():
        return "ig4"
    if started.name != "ig4" or not started.exists():
        return f"{sys.executable} -m ig4"
    folder = Path.cwd()
    inside = started.absolute().is_relative_to(folder)
    return str(started.absolute().relative_to(folder)) if inside else str(started.absolute())


_READABLE = 16
"""A column of text that is narrower than this can hardly be read."""

_C1 = re.compile("[\x7f-\x9f]")


def print_json(value: Any) -> None:
    """Print a JSON-able value."""
    click.echo(json_text(value, indent=2))


def json_text(value: Any, indent: int | None = None) -> str:
    """Return a value as JSON with all control characters escaped: \\x9b acts like ESC [."""
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    return _C1.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print rows under column names: a table on a terminal, aligned lines in a pipe.

    On a terminal that is too narrow for it, each value gets a line. Text from data sets is printed
    as it is, never as markup.
    """
    table = [list(row) for row in rows]
    if table and sys.stdout.isatty() and not _fits(columns, table):
        print_lines(columns, table, fold=True)
        return
    cells = [[plain(value) for value in row] for row in table]
    numeric = [
        bool(table) and all(isinstance(row[n], (int, float, type(None))) for row in table)
        for n in range(len(columns))
    ]
    if sys.stdout.isatty():
        _print_rich(columns, cells, numeric)
        return
    lines = [list(columns), *([cell.replace("\n", " ") for cell in row] for row in cells)]
    widths = [max(len(line[n]) for line in lines) for n in range(len(columns))]
    for line in lines:
        padded = (
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(line, widths, numeric, strict=True)
        )
        click.echo("  ".join(padded).rstrip())


def print_lines(
    columns: Sequence[str], rows: Iterable[Sequence[Any]], *, fold: bool = False
) -> None:
    """Print a line for each value, with an empty line between rows.

    With `fold`, lines that a terminal is too narrow for go on below their values.
    """
    names = [plain(name) for name in columns]
    width = max(map(len, names), default=0)
    for number, row in enumerate(rows):
        lines = (
            _beside(f"{name:<{width}}  ", plain(value), fold=fold)
            for name, value in zip(names, row, strict=True)
        )
        click.echo(("\n" if number else "") + "\n".join(lines))


def _fits(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> bool:
    """Return whether a table can be read on this terminal; columns of text may be folded."""
    needed = 2 * (len(columns) - 1)
    for n, name in enumerate(columns):
        cells = (plain(row[n]) for row in rows)
        longest = max((max(map(len, cell.split("\n"))) for cell in cells), default=0)
        is_text = any(isinstance(row[n], str) for row in rows)
        needed += max(len(name), min(longest, _READABLE) if is_text else longest)
    return needed <= shutil.get_terminal_size().columns


def _print_rich(
    columns: Sequence[str], cells: Sequence[Sequence[str]], numeric: Sequence[bool]
) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for column, right in zip(columns, numeric, strict=True):
        table.add_column(column, justify="right" if right else "left", overflow="fold")
    for row in cells:
        table.add_row(*map(Text, row))
    Console(highlight=False).print(table)


def print_facts(facts: Mapping[str, Any]) -> None:
    """Print aligned lines of name and value; on a terminal they go on below their values."""
    print_pairs([*facts.items()])


def print_pairs(pairs: Sequence[tuple[str, Any]]) -> None:
    """Print aligned lines of name and value, as `print_facts`; a name may come twice."""
    width = max((len(name) for name, _ in pairs), default=0)
    for name, value in pairs:
        click.echo(_beside(f"{name:<{width}}  ", plain(value)))


def say(text: str, hang: int = 0) -> None:
    """Print text as it is; on a terminal its lines are folded between words.

    What is folded goes on `hang` columns from the left.
    """
    click.echo("\n".join(_folded(line, 0, hang) for line in text.split("\n")))


def _beside(name: str, text: str, *, fold: bool = True) -> str:
    """Return a text beside its name, the lines after the first under the first one's text."""
    lines = text.split("\n")
    if fold:
        lines = [_folded(line, len(name), len(name)) for line in lines]
    return f"{name}{f'{chr(10)}{chr(32) * len(name)}'.join(lines)}".rstrip()


def _folded(line: str, before: int, hang: int) -> str:
    """Return a line folded for the terminal, `before` columns of which are taken already.

    In a pipe it stays as it is, and so do words that are wider than the terminal.
    """
    if not sys.stdout.isatty():
        return line
    width = max(_READABLE, shutil.get_terminal_size().columns - hang)
    if before + columns_of(line) <= shutil.get_terminal_size().columns:
        return line
    folded: list[str] = []
    room = max(_READABLE, shutil.get_terminal_size().columns - before)
    for word in line.split(" "):
        if folded and columns_of(f"{folded[-1]} {word}") <= room:
            folded[-1] += f" {word}"
        else:
            room = width if folded else room
            folded.append(word)
    return f"\n{'':{hang}}".join(one.rstrip() for one in folded)


def plain(value: Any) -> str:
    """Return a value as text to show, with control characters replaced."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.4f}".rstrip("0").rstrip(".") if abs(value) < 1e6 else f"{value:.6g}"
    if isinstance(value, bytes):
        return f"<{len(value):,} bytes>"
    text = str(value)
    return text if text.isprintable() else "".join(map(_printable, text))


def told(value: Any) -> str:
    """Return what a selector says of a sample, or a setting, in words: no JSON, and no None."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        known = {name: one for name, one in value.items() if one is not None}
        nested = any(isinstance(one, (Mapping, list, tuple)) for one in known.values())
        parts = (f"{str(name).replace('_', ' ')} {told(one)}" for name, one in known.items())
        return ("; " if nested else ", ").join(parts) or "nothing"
    if isinstance(value, (list, tuple)):
        return "; ".join(map(told, value)) or "nothing"
    return plain(value)


def _printable(character: str) -> str:
    if character == "\t":
        return " "
    if character.isprintable() or character == "\n" or unicodedata.category(character) == "Zs":
        return character
    return "\N{REPLACEMENT CHARACTER}"


def scorer_summary(scored: ScoreResult, name: str) -> str:
    """Return the result of a scorer as text: samples computed, precision, failures."""
    count, failed = scored.done[name], scored.failed[name]
    text = f"{count:,} computed" if count else "nothing to do"
    precision = (scored.identities[name] or {}).get("precision")
    text += f" in {precision}" if count and precision else ""
    others = scored.others.get(name, 0)
    text += f" ({others:,} of them by other processes)" if others else ""
    text += f", {failed:,} failed" if failed else ""
    without = scored.without_image.get(name, 0)
    text += f"; {without:,} have no image" if without else ""
    waiting = scored.waiting.get(name, 0)
    return text + (f"; {waiting:,} wait for vectors of other shards" if waiting else "")


def nonzero(counts: Mapping[str, int]) -> dict[str, int]:
    """Return the counts that are not 0, by name."""
    return {name: count for name, count in counts.items() if count}


def calls_estimate(name: str, calls: CallEstimate) -> str:
    """Return the calls that a component would make, and their cost, as text."""
    price = "price unknown" if calls.cost is None else f"about ${calls.cost:,.4f}"
    known = [f"{calls.in_ledger:,} of them already paid"] if calls.in_ledger else []
    if calls.in_batches:
        known.append(f"{calls.in_batches:,} on their way in batches")
    if calls.lost:
        known.append(f"{calls.lost:,} in lost batches and not sent again (see `ig4 batch list`)")
    return (
        f"{name} calls {calls.model}: about "
        f"{', '.join([counted(calls.requests, 'request'), *known])}; "
        f"{counted(calls.input_tokens, 'token')} in, {calls.output_tokens:,} out: {price}"
    )


def calls_summary(result: CallsResult) -> str:
    """Return the number of requests sent, and their cost, as text."""
    cost = sum(result.cost.values())
    return f"{counted(result.calls, 'request')} sent" + (f", ${cost:.4f}" if cost else "")


def calls_fields(scored: ScoreResult) -> dict[str, Any]:
    """Return the results of calls as a JSON-able dict, empty if no service was called."""
    if scored.asked is None:
        return {}
    return {
        "calls": scored.asked.calls,
        "cost": dict(scored.asked.cost),
        "waiting": dict(scored.asked.waiting),
        "lost": dict(scored.asked.lost),
        "stopped": scored.stopped,
    }


def print_stopped(scored: ScoreResult, command: str) -> None:
    """Print on stderr why scoring stopped, and how to continue."""
    if scored.stopped and scored.asked:
        goes_on = f" `{command}` continues from here." if scored.asked.goes_on else ""
        click.echo(f"Stopped: {scored.stopped}.{goes_on}", err=True)


def print_failures(failed: Mapping[str, int], *, retry: str) -> None:
    """Print on stderr how many samples failed, and how to compute them again."""
    for name, count in failed.items():
        if count:
            click.echo(f"{name}: {counted(count, 'sample')} failed", err=True)
    if any(failed.values()):
        click.echo(
            f'Reasons: ig4 query "SELECT external_id, scorer, error FROM scores_long WHERE error '
            f'IS NOT NULL". Try again: {retry}',
            err=True,
        )


PARTIAL = 3
"""The exit code of a command that is done, with failed samples."""
