"""Which settings of two selections differ, in words that a reader can compare."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ig4.core.counts import counted
from ig4.core.engine.comparing.result import SettingDifference
from ig4.core.host.fingerprint import digest_of

if TYPE_CHECKING:
    from ig4.storage.selections import SelectionRow

_OUTCOMES = frozenset({"candidates", "left_out", "selector_fingerprint", "missing"})
"""What a record has that was not asked for, or decides nothing by itself."""

_OF_BOTH = ("scores.", "reads.", "options.")
"""What follows from the scorers and the selector: told only of what both sides have."""

_READ = ("spaces_read", "groups_read", "columns_read")
"""What a selector read; the rest of `reads` is what it declares."""

_SHORT = 12  # digits of a fingerprint that are shown


def setting_differences(a: SelectionRow, b: SelectionRow) -> list[SettingDifference]:
    """Return the settings that two selections do not share, in the order of their records.

    Scores of one name that different components computed are told as `scores.NAME`, with the
    beginnings of their fingerprints.
    """
    first, second = _flat(a), _flat(b)
    return [
        SettingDifference(key, first.get(key), second.get(key))
        for key in dict.fromkeys((*first, *second))
        if first.get(key) != second.get(key)
        and (not key.startswith(_OF_BOTH) or (key in first and key in second))
    ]


def _flat(selection: SelectionRow) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in selection.config.items():
        if key in _OUTCOMES:
            continue
        if key == "components":
            found |= {f"scores.{name}": str(one)[:_SHORT] for name, one in value.items()}
        elif key in ("keep", "drop"):
            found |= _pins(key, value)
        elif key == "stages":
            found |= {f"stage {n}": _stage(one) for n, one in enumerate(value, start=1)}
        elif key == "reads":
            read = {name: one for name, one in value.items() if name in _READ}
            found |= {name: _short(one) for name, one in _spread("reads", read).items()}
        elif key == "clustering":
            found["clusters"] = (
                None if value is None else f"{value} (clustering {selection.clustering_id})"
            )
        else:
            found |= _spread(key, value)
    return found


def _short(value: Any) -> Any:
    return value[:_SHORT] if isinstance(value, str) else value


def _spread(key: str, value: Any) -> dict[str, Any]:
    """Return a setting under its key; each of a table under a key of its own."""
    if not isinstance(value, Mapping):
        return {key: value}
    found: dict[str, Any] = {}
    for name, one in value.items():
        found |= _spread(f"{key}.{name}", one)
    return found


def _stage(stage: Mapping[str, Any]) -> str:
    rest = ", ".join(f"{name} {value}" for name, value in stage.items() if name != "do")
    return f"{stage.get('do')}{f' ({rest})' if rest else ''}"


def _pins(key: str, sources: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return how many ids, from where, and a digest of them; only the record itself has all."""
    named = [
        one.get("file") or one.get("sql") or ("pins" if one.get("stored") else "a list")
        for one in sources
    ]
    ids = sorted({name for one in sources for name in one["ids"]})
    told = f"{counted(len(ids), 'sample')} from {', '.join(named)}"
    return {key: f"{told} ({digest_of(ids)[:_SHORT]})"}
