"""Options of a component as the database keeps them: all of them, but nothing that is secret."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ig4.core.errors import Ig4Error
from ig4.core.records import Choice
from ig4.core.secrets import scrub

if TYPE_CHECKING:
    from ig4.core.contracts import Configurable
    from ig4.core.host.host import Host
    from ig4.core.records import JSON, Kind

_LONGEST_PATH = 1024


@dataclass(frozen=True, slots=True)
class RecordedOptions:
    """What the options of a component were; `hidden` names those that could hold a secret."""

    values: Mapping[str, JSON]
    hidden: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the form that the database keeps."""
        return {"values": dict(self.values), "hidden": list(self.hidden)}

    @classmethod
    def from_dict(cls, kept: Mapping[str, Any] | None) -> RecordedOptions | None:
        """Return what the database kept, None if it kept nothing."""
        return None if kept is None else cls(kept["values"], tuple(kept["hidden"]))


def recorded_options(component: Configurable) -> dict[str, Any] | None:
    """Return the options of a component for the database; files in them get absolute paths.

    None if they cannot be written as JSON.
    """
    try:
        values = component.options.model_dump(mode="json")
    except Exception:  # noqa: BLE001 - options of third parties; results do not depend on the record
        return None
    hidden = tuple(name for name, value in values.items() if _may_be_secret(name, value))
    kept = {name: _located(value) for name, value in values.items() if name not in hidden}
    return RecordedOptions(kept, hidden).to_dict()


def non_default(host: Host, kind: Kind, use: str, values: Mapping[str, JSON]) -> dict[str, JSON]:
    """Return those of recorded options that differ from the component's defaults.

    All of them where the component is not installed.
    """
    try:
        plain = host.build(Choice(kind, use), runnable=False)
        defaults = plain.options.model_dump(mode="json")
    except Ig4Error:
        defaults = {}
    return {k: v for k, v in values.items() if k not in defaults or v != defaults[k]}


def _may_be_secret(name: str, value: JSON) -> bool:
    """Return whether an option is named as a secret, or holds what looks like one anywhere."""
    named = {name: value}
    return bool(scrub(named) != named)


def _located(value: JSON) -> JSON:
    """Return an option's value; a file that it names by a relative path is named from the root.

    Only a component knows which of its options are paths, and many take a name or a path.
    """
    if not isinstance(value, str) or not 0 < len(value) <= _LONGEST_PATH or "\0" in value:
        return value
    path = Path(value)
    try:
        is_path = path.is_file() or ("/" in value and path.is_dir())
    except OSError:
        return value
    return str(path.absolute()) if is_path else value
