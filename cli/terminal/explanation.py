"""Prints why a sample was selected or not: what it is, its neighbours, and what would let it in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from ig4.cli.terminal import render
from ig4.core.counts import counted

if TYPE_CHECKING:
    from ig4.core.engine.selecting.explaining.explanation import (
        Changes,
        Explanation,
        Neighbourhood,
        NeighbourSample,
        ShownSample,
    )

SHOWN = 400
"""Characters of a question or an answer that are printed."""

_TEXT = 60  # characters of a neighbour's text


def print_explanation(explanation: Explanation) -> None:
    """Print an explanation; long texts are shortened, and it is said by how much."""
    in_cluster = explanation.counted_in == "cluster"
    if explanation.settings is not None:
        settings = _settings(explanation.settings, by_cluster=in_cluster)
        render.say(f"in selection {explanation.selection}: {settings}", hang=2)
    render.say(f"{explanation.id}: {_verdict(explanation)}", hang=2)
    if explanation.sample is not None:
        _print_sample(explanation.sample)
    _print_scores(explanation)
    if explanation.members is not None:
        render.say(_place(explanation), hang=2)
    known = {name: one for name, one in (explanation.details or {}).items() if one is not None}
    if known:
        render.print_facts(
            {name.replace("_", " "): render.told(value) for name, value in known.items()}
        )
    if explanation.neighbours is not None:
        _print_neighbours(explanation, explanation.neighbours)
    if explanation.changes is not None:
        _print_changes(explanation.changes)


def _settings(config: Mapping[str, Any], *, by_cluster: bool) -> str:
    weights = ", ".join(f"{name} {weight:g}" for name, weight in config["weights"].items())
    how = f"; {weights}; {config['scale']} scale" if weights else ", without scores"
    size = f"{config['size']:,}" if config["size"] else f"{config['fraction']:.3g}"
    named = by_cluster and config["clustering"]
    clusters = f"clusters {config['clustering']}" if named else "no clusters"
    return (
        f"{size} of {config['candidates']:,} samples by {config['selector']['use']}{how}; "
        f"{clusters}"
    )


def _verdict(explanation: Explanation) -> str:
    if explanation.reason:
        return explanation.reason
    verdict = f"selected, rank {explanation.rank}" if explanation.selected else "not selected"
    final = explanation.final_score
    return verdict + ("" if final is None else f"; final score {final:.4f}")


def _print_sample(sample: ShownSample) -> None:
    """Print what a sample says and shows; of a conversation all turns, as far as there is room."""
    said = [("question", sample.question), ("answer", sample.answer)]
    if sample.turns:
        said = [("conversation", "\n".join(f"{role}: {text}" for role, text in sample.turns))]
    shown = [
        ("image", f"{one.path or one.name}" + (f" ({one.problem})" if one.problem else ""))
        for one in sample.images
    ]
    render.print_pairs([*((name, _shortened(text)) for name, text in said), *shown])


def _shortened(text: str) -> str:
    left = len(text) - SHOWN
    if left <= 0:
        return text
    return f"{text[:SHOWN]}… ({counted(left, 'more character')})"


def _print_scores(explanation: Explanation) -> None:
    """Print the scores of a sample: those that it has, or why it has none."""
    if not explanation.scores:
        return
    if all("error" in row for row in explanation.scores.values()):
        errors = [(name, row["value"], row["error"]) for name, row in explanation.scores.items()]
        render.print_table(("scorer", "value", "error"), errors)
        return
    rows = [
        (name, row["value"], row["percent"], row["weight"], row["points"])
        for name, row in explanation.scores.items()
    ]
    render.print_table(("scorer", "value", "percent", "weight", "points"), rows)


def _place(explanation: Explanation) -> str:
    line = "" if explanation.distance is None else f"; {explanation.distance:+.4f} from the line"
    place = "" if explanation.place is None else f"place {explanation.place} of "
    where = _where(explanation)
    return f"{place}{explanation.members} in {where}, quota {explanation.quota}{line}"


def _where(explanation: Explanation) -> str:
    if explanation.counted_in == "cluster" and explanation.cluster is not None:
        return f"cluster {explanation.cluster}"
    if explanation.counted_in == "group":
        return f"group {render.plain(explanation.group)}"
    return "the data set"


def _print_neighbours(explanation: Explanation, around: Neighbourhood) -> None:
    """Print the samples beside the line and beside this one, a row each, in their order."""
    by_place = around.by == "final score"
    listed = {
        one.id: one
        for part in (around.last_taken, around.first_not_taken, around.above, around.below)
        for one in part
        if one.id != explanation.id
    }
    if not listed:
        return
    beside = "the line" if by_place else "the last taken"
    render.say(f"\nAround {beside} of {_where(explanation)}, and around {explanation.id}:")
    asked = explanation.sample.question if explanation.sample else ""
    rows = [
        (one.place if by_place else one.rank, _neighbour(one, asked)) for one in listed.values()
    ]
    own = explanation.place if by_place else explanation.rank
    if own is not None:
        final = explanation.final_score
        taken = "yes" if explanation.selected else "no"
        rows.append((own, (explanation.id, taken, final, "(this one)")))
    table = _with_gaps(sorted(((at or 0, row) for at, row in rows), key=lambda row: row[0]))
    columns = ("place" if by_place else "rank", "id", "taken", "final score", "text")
    render.print_table(columns, table)


def _neighbour(one: NeighbourSample, asked: str) -> tuple[str, str, float | None, str]:
    """Return the row of a neighbour: its question too, if that is another one than `asked`."""
    same = not one.question or one.question == " ".join(asked.split())
    text = one.answer if same else f"{one.question} | {one.answer}"
    short = text if len(text) <= _TEXT else f"{text[: _TEXT - 1]}…"
    return one.id, "yes" if one.selected else "no", one.final_score, short


def _with_gaps(rows: Sequence[tuple[int, tuple[Any, ...]]]) -> list[tuple[Any, ...]]:
    """Return rows with their places, and an empty one where places are left out."""
    table: list[tuple[Any, ...]] = []
    before: int | None = None
    for at, row in rows:
        if before is not None and at > before + 1:
            table.append((None, "…", None, None, None))
        table.append((at, *row))
        before = at
    return table


def _print_changes(changes: Changes) -> None:
    click.echo("\nTo get in:")
    for told in changes.told:
        render.say(f"- {render.plain(told)}", hang=2)
