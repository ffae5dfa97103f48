"""Writes what the data card of a folder says of an export: a README.md as Hugging Face reads it.

It says what is known and nothing else: a licence is for people to name. Text that comes from data
sets is escaped, so that it is text in Markdown and in YAML.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ig4.core.counts import counted
from ig4.core.engine.exporting.cards import MARK, CardPart, plain_line, shown_line
from ig4.core.engine.selecting.percent import IMPORTED
from ig4.core.engine.selections.again import SETTINGS, selected_again
from ig4.core.extras import KEY, flat
from ig4.core.secrets import scrub
from ig4.core.version import __version__
from ig4.storage import scorecolumns, selections

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from ig4.core.engine.session import Session
    from ig4.storage.datasets import DatasetRow
    from ig4.storage.selections import SelectionRow

_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"),
          (1_000_000, "100K<n<1M"), (10_000_000, "1M<n<10M"))  # fmt: skip
"""The sizes of data sets as the hub calls them."""

_SHOWN_GROUPS = 50
_SPECIAL = re.compile(r"([\\`*_{}\[\]()#!|~$])")


@dataclass(frozen=True, slots=True)
class WrittenExport:
    """What a card is about: the file (its name), its format, and what happened to the samples.

    `extras` are those of one record, None where none are written beside records.
    """

    file: str
    format: str
    samples: int
    images: int
    left_out: Mapping[str, int]
    extras: Mapping[str, Any] | None = None
    nested: bool = True


def data_card(
    session: Session, dataset: DatasetRow, selection_id: int | None, written: WrittenExport
) -> CardPart:
    """Return what the card of a folder says of an export."""
    if selection_id is None:
        return _part(f"{dataset.name}: all samples", _of_all(dataset, written), written)
    with session.store.reading() as connection:
        selection = selections.find(connection, selection_id)
        assert selection is not None
        label, report = selections.report(connection, selection_id)
        scorers = _scorers(connection, selection)
    called = selection.name or label or f"selection {selection_id}"
    lines = _of_selection(dataset, selection, label, report, scorers, written)
    return _part(f"{dataset.name}: {called}", lines, written)


def _part(title: str, lines: Sequence[str], written: WrittenExport) -> CardPart:
    size = next((name for most, name in _SIZES if written.samples < most), "n>10M")
    return CardPart(written.file, plain_line(title), size, "\n".join(lines))


def _of_all(dataset: DatasetRow, written: WrittenExport) -> list[str]:
    about = (
        f"{written.samples:,} samples of the data set {_text(dataset.name)}, written by ig4 "
        f"{_text(__version__)}."
    )
    return [
        f"# {_text(dataset.name)}, with what ig4 knows of it",
        "",
        about,
        "",
        *_licence(),
        *_files(written),
        *_extras(written),
        *_counts("Left out of this export", written.left_out),
    ]


def _of_selection(
    dataset: DatasetRow,
    selection: SelectionRow,
    label: str | None,
    report: Mapping[str, Any],
    scorers: Sequence[Sequence[Any]],
    written: WrittenExport,
) -> list[str]:
    config = selection.config
    name = selection.name or label
    title = f"{_text(dataset.name)}, selected" + (f": {_text(name)}" if name else "")
    note = [_text(selection.note), ""] if selection.note else []
    about = (
        f"{selection.size:,} of {config.get('candidates', 0):,} samples of the data set "
        f"{_text(dataset.name)}, selected on {selection.created_at:%Y-%m-%d} and written by ig4 "
        f"{_text(__version__)}."
    )
    return [
        f"# {title}",
        "",
        about,
        "",
        *note,
        *_licence(),
        *_files(written),
        *_extras(written),
        *_how(config, label),
        *_table("Scores that counted", ("score", "weight", "scorer", "version", "fingerprint",
                                        "options"), scorers),
        *_effective(report),
        *_mix(report),
        *_counts("Samples that could not be selected", config.get("left_out", {})),
        *_counts("Left out of this export", written.left_out),
        *_again(config),
    ]  # fmt: skip


def _licence() -> list[str]:
    told = (
        "ig4 does not know the licence of these texts and images. Before you publish them, find it "
        "out, and name it here (`license:` in the lines at the top)."
    )
    return [told, ""]


def _files(written: WrittenExport) -> list[str]:
    told = (
        f"The data is in {_text(written.file)} ({_text(written.format)}): {written.samples:,} "
        f"samples, {written.images:,} images."
    )
    return [told, ""]


_MEANING = {
    "rank": "place in the selection, 1 is the best",
    "cluster": "number of the cluster",
    "final": "final score F(x), by which samples are ranked",
    "group": "kind of sample",
    "scores": "value in the scorer's own unit",
    "percents": "score on the 0-100 scale of the selection",
}


def _extras(written: WrittenExport) -> list[str]:
    """Say what stands beside each record, by the names that it has there."""
    if written.extras is None:
        return []
    if written.nested:
        rows = [(f"{KEY}.{name}", _MEANING[name]) for name in written.extras]
    else:
        parts = dict.fromkeys(flat({"scores": written.extras.get("scores")}), "scores")
        parts |= dict.fromkeys(flat({"percents": written.extras.get("percents")}), "percents")
        rows = [
            (name, _MEANING[parts.get(name, name.removeprefix(f"{KEY}_"))])
            for name in flat(written.extras)
        ]
    return _table("Beside each record", ("key" if written.nested else "column", "meaning"), rows)


def _how(config: Mapping[str, Any], label: str | None) -> list[str]:
    selector = dict(config["selector"])
    use = selector.pop("use")
    size = config.get("size")
    asked = f"{size:,} samples" if size else f"a fraction of {config.get('fraction')}"
    facts = [
        ("recipe", label),
        ("asked for", asked),
        ("selector", use),
        ("options", json.dumps(selector) if selector else None),
        ("scale", config["scale"] if config["weights"] else None),
        ("scaled within", config.get("within")),
        ("scores combined by", config.get("combine")),
        ("clusters", config.get("clustering") or "none"),
        ("seed", config["seed"]),
        ("kept, whatever they score", _pinned(config, "keep")),
        ("kept out, whatever they score", _pinned(config, "drop")),
    ]
    rows = [fact for fact in facts if fact[1] is not None]
    stages = [
        (number, stage.get("do"), json.dumps({k: v for k, v in stage.items() if k != "do"}))
        for number, stage in enumerate(config.get("stages", ()), start=1)
    ]
    return [
        *_table("How the selection was made", ("setting", "value"), rows),
        *_table("Stages before the selector", ("stage", "does", "settings"), stages),
    ]


def _pinned(config: Mapping[str, Any], what: str) -> str | None:
    """Return how many samples the user kept or dropped; None if none."""
    ids = {name for one in config.get(what, ()) for name in one["ids"]}
    return counted(len(ids), "sample") if ids else None


def _effective(report: Mapping[str, Any]) -> list[str]:
    rows = [
        (name, f"{one['weight']:g}", f"{one['share']:.1%}")
        for name, one in (report.get("effective_weights") or {}).items()
    ]
    return _table("What the weights are worth", ("score", "weight", "share of the final score"),
                  rows)  # fmt: skip


def _mix(report: Mapping[str, Any]) -> list[str]:
    mix = report.get("composition")
    if not mix:
        return []
    groups = mix["groups"]
    rows = [
        (one["name"], f"{one['pool']:,}", f"{one['pool_share']:.1%}", f"{one['selected']:,}",
         f"{one['selected_share']:.1%}")
        for one in groups[:_SHOWN_GROUPS]
    ]  # fmt: skip
    more = len(groups) - _SHOWN_GROUPS
    rest = [f"… and {more:,} more groups", ""] if more > 0 else []
    head = f"Mix by {mix['by']} (total variation from the data set {mix['tv']:.1%})"
    columns = ("group", "samples", "share", "selected", "share of the selection")
    return [*_table(head, columns, rows), *rest]


def _counts(title: str, counts: Mapping[str, int]) -> list[str]:
    rows = [(reason, f"{count:,}") for reason, count in counts.items()]
    return _table(title, ("reason", "samples"), rows)


def _again(config: Mapping[str, Any]) -> list[str]:
    again = selected_again(config)
    if again is None:
        return []
    lines = ["## Make it again", "", "On the same data and scores:", "",
             *_block("console", again.command)]  # fmt: skip
    if again.settings is not None:
        lines += [f"with this in `{SETTINGS}`:", "", *_block("toml", again.settings)]
    return lines + [line for told in again.told for line in (_text(told), "")]


def _block(language: str, text: str) -> list[str]:
    """Return text as a block of code, fenced by more backticks than stand in it."""
    lines = map(shown_line, text.splitlines())
    text = "\n".join(f" {line}" if line.startswith(MARK) else line for line in lines)
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return [f"{fence}{language}", text, fence, ""]


def _scorers(connection: Connection, selection: SelectionRow) -> list[tuple[Any, ...]]:
    """Return of each score that counted: weight, scorer, version, fingerprint, options."""
    config = selection.config
    rows: list[tuple[Any, ...]] = []
    for name, weight in config["weights"].items():
        fingerprint = config["components"][name]
        found = scorecolumns.of_fingerprint(connection, name, fingerprint, None)
        told: tuple[Any, ...] = ("not in the database any more", None, None)
        if found is not None and found.distribution == IMPORTED:
            told = ("imported", None, None)  # the rest tells of files on this machine
        elif found is not None:
            options = json.dumps(scrub(dict(found.identity))) if found.identity else None
            told = (f"{found.distribution}/{found.component}", found.version, options)
        made, version, options = told
        rows.append((name, f"{weight:g}", made, version, fingerprint[:16], options))
    return rows


def _table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> list[str]:
    """Return a section with a table; nothing where there are no rows."""
    lines = [f"| {' | '.join(_text(cell) for cell in row)} |" for row in rows]
    if not lines:
        return []
    head = f"| {' | '.join(columns)} |"
    return [f"## {_text(title)}", "", head, f"|{'---|' * len(columns)}", *lines, ""]


def _text(value: object) -> str:
    """Return a value as Markdown that says no more than the text: one line, escaped."""
    if value is None:
        return ""
    escaped = _SPECIAL.sub(r"\\\1", plain_line(value))
    return escaped.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
