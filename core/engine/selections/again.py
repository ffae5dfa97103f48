"""The command that makes a selection again, from what was recorded of it."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from typing import Any

from ig4.core.engine.selecting.candidates import NO_CLUSTERS


def command_again(config: Mapping[str, Any]) -> str:
    """Return the `ig4 select` that makes a selection again, on the same scores and clusters.

    Its stages, which no flag says, are what `stages_again` has for ig4.toml.
    """
    selector = dict(config["selector"])
    use = str(selector.pop("use"))
    words = ["ig4", "select", "--dataset", str(config["dataset"])]
    if config.get("size") is not None:
        words += ["--size", str(config["size"])]
    else:
        words += ["--fraction", repr(config["fraction"])]
    weights = config["weights"]
    if weights:
        words += ["--weights", ",".join(f"{name}={value!r}" for name, value in weights.items())]
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
            words += [f"--{what}", str(one["file"])] if one.get("file") else []
            words += [f"--{what}-sql", str(one["sql"])] if one.get("sql") else []
    if config.get("missing") == "error":
        words += ["--missing", "error"]
    words += ["--seed", str(config["seed"])]
    return shlex.join(words)


def stages_again(config: Mapping[str, Any]) -> str | None:
    """Return the lines of ig4.toml that say the stages of a selection; None if it has none."""
    stages = [dict(stage) for stage in config.get("stages", ())]
    if not stages:
        return None
    options: dict[str, Mapping[str, Any]] = {}
    for stage in stages:
        if stage.get("selector"):
            chosen = dict(stage["selector"])
            stage["selector"] = use = str(chosen.pop("use"))
            options |= {use: chosen} if chosen else {}
    lines = ",\n".join(f"  {_inline(stage)}" for stage in stages)
    tables = [f"[select]\nstages = [\n{lines},\n]"]
    tables += [
        "\n".join(
            [f"[selectors.{_key(use)}]", *(f"{_key(k)} = {_inline(v)}" for k, v in of.items())]
        )
        for use, of in options.items()
    ]
    return "\n\n".join(tables)


def _inline(value: Any) -> str:
    """Return a value as TOML has it inside of a line."""
    if isinstance(value, Mapping):
        inside = ", ".join(f"{_key(name)} = {_inline(one)}" for name, one in value.items())
        return f"{{ {inside} }}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_inline, value))}]"
    return json.dumps(value)


def _key(name: str) -> str:
    plain = name.isascii() and name.replace("-", "").replace("_", "").isalnum()
    return name if plain else json.dumps(name)
