"""What makes a selection again: a command, and the settings that no flag can say."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from ig4.core.config import NO_FILE
from ig4.core.engine.selecting.candidates import NO_CLUSTERS
from ig4.core.files.writing.toml import toml_lines, toml_value

SETTINGS = "selection.toml"
"""The file that a command reads the settings from."""

LONGEST_LIST = 1_000
"""Ids of a list that settings have in full; of longer ones they name the file that they were in."""


@dataclass(frozen=True, slots=True)
class SelectedAgain:
    """How a selection is made again on the same data, scores and clusters.

    `command` is an `ig4 select` that reads no `ig4.toml`. With `settings` it reads these, from a
    file called SETTINGS. `told` says what else it takes, in sentences.
    """

    command: str
    settings: str | None = None
    told: tuple[str, ...] = ()


def selected_again(config: Mapping[str, Any]) -> SelectedAgain | None:
    """Return how the selection of a record is made again; None if no command makes it."""
    try:
        return _again(config)
    except (KeyError, TypeError, AttributeError):  # of an older ig4, or drawn for a training
        return None


def _again(config: Mapping[str, Any]) -> SelectedAgain:
    tables = list(_tables(config))
    told = [
        f"{PurePath(one['file']).name} had {len(one['ids']):,} ids to {what}; they are in the "
        "record of the selection (`ig4 selections show --json`)"
        for what in ("keep", "drop")
        for one in config.get(what, ())
        if _stays_file(one)
    ]
    settings = "\n\n".join(tables) or None
    return SelectedAgain(shlex.join(_words(config, settings)), settings, tuple(told))


def _words(config: Mapping[str, Any], settings: str | None) -> list[str]:
    selector = dict(config["selector"])
    use = str(selector.pop("use"))
    words = ["ig4", "select", "--config", SETTINGS if settings else NO_FILE]
    words += ["--dataset", str(config["dataset"])]
    if config.get("size") is not None:
        words += ["--size", str(config["size"])]
    else:
        words += ["--fraction", _short(config["fraction"])]
    weights = config["weights"]
    if weights:
        words += [
            "--weights",
            ",".join(f"{name}={_short(value)}" for name, value in weights.items()),
        ]
        words += ["--scale", str(config["scale"])]
    if config.get("within") is not None:
        words += ["--within", str(config["within"])]
    if config.get("combine") is not None:
        words += ["--combine", str(config["combine"])]
    words += ["--selector", use]
    label = use.rpartition("/")[2]
    for name, value in selector.items():
        text = value if isinstance(value, str) else json.dumps(value)
        words += ["-o", f"{label}.{name}={text}"]
    words += ["--clusters", str(config.get("clustering") or NO_CLUSTERS)]
    for what in ("keep", "drop"):
        for one in config.get(what, ()):
            words += ["--pins"] if one.get("stored") and "--pins" not in words else []
            words += [f"--{what}", PurePath(one["file"]).name] if _stays_file(one) else []
            words += [f"--{what}-sql", str(one["sql"])] if one.get("sql") else []
    if config.get("missing") == "error":
        words += ["--missing", "error"]
    return [*words, "--seed", str(config["seed"])]


def _short(value: float) -> str:
    """Return the shortest text that reads as the same number."""
    return repr(float(value)).removesuffix(".0")


def _stays_file(source: Mapping[str, Any]) -> bool:
    return bool(source.get("file")) and len(source["ids"]) > LONGEST_LIST


def _tables(config: Mapping[str, Any]) -> Iterator[str]:
    """Yield the tables of the settings: lists of ids, stages, selectors, and what names stand for.

    Each stage has a selector of a name of its own: the same one may have other options elsewhere.
    """
    section = [
        f"{what} = {toml_value(list(one['ids']))}"
        for what in ("keep", "drop")
        for one in config.get(what, ())
        if not one.get("stored") and not one.get("sql") and not _stays_file(one)
    ]
    stages, selectors = [], {}
    for number, stage in enumerate(config.get("stages", ()), start=1):
        own = dict(stage)
        if own.get("selector"):
            selectors[f"stage-{number}"] = own["selector"]
            own["selector"] = f"stage-{number}"
        stages.append(f"  {toml_value(own)},")
    if stages:
        section += ["stages = [", *stages, "]"]
    if section:
        yield "\n".join(["[select]", *section])
    named = config.get("named") or {}
    for kind, tables in (("selectors", selectors), *sorted(named.items())):
        for name, table in tables.items():
            yield "\n".join(toml_lines({kind: {name: table}})).strip()
