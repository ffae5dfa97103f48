"""Which format an export is written in: the named one, or what its target's ending means."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ig4.core.contracts import Format
from ig4.core.errors import PluginError, UsageError
from ig4.core.records import Choice

if TYPE_CHECKING:
    from ig4.core.host.host import Host

Suffixes = tuple[str, ...] | None


def format_of_target(host: Host, target: Path, named: str | None, own: str) -> str:
    """Return the format that a target is written in: `named`, or by its ending, or the set's `own`.

    Raises:
        UsageError: the ending means none or several formats, or another than the named one.
    """
    ending = "" if target.is_dir() else target.suffix.lower()
    if not ending:
        return named or own
    known = _suffixes(host)
    if named is not None:
        _refuse_conflict(host, target, ending, named, known)
        return named
    if _takes(known.get(own), ending):
        return own
    fitting = [name for name, suffixes in known.items() if _takes(suffixes, ending)]
    usual = [name for name in fitting if (known[name] or ("",))[0] == ending]
    if len(fitting) == 1 or len(usual) == 1:
        return (fitting if len(fitting) == 1 else usual)[0]
    if fitting:
        raise UsageError(
            f"{target}: several formats are written as {ending}: name one with --format "
            f"({', '.join(fitting)}); for `ig4 run` that is --out-format"
        )
    if known.get(own) is None and own in known:
        return own  # a plugin's format that does not tell its endings
    raise UsageError(f"{target}: no format is written as {ending} files ({_listed(known)})")


def _refuse_conflict(
    host: Host, target: Path, ending: str, named: str, known: Mapping[str, Suffixes]
) -> None:
    suffixes = known.get(named, _suffixes_of(host, named))
    if suffixes is None or ending in suffixes:
        return
    others = [name for name, taken in known.items() if _takes(taken, ending)]
    if suffixes:
        fits = f", which is for --format {', '.join(others)}" if others else ""
        raise UsageError(
            f"{target} ends in {ending}{fits}; files of {named} end in {', '.join(suffixes)}"
        )
    if others:
        raise UsageError(
            f"{target} ends in {ending}, which is for --format {', '.join(others)}; {named} writes "
            "a folder: name one without an ending"
        )


def _takes(suffixes: Suffixes, ending: str) -> bool:
    return suffixes is not None and ending in suffixes


def _suffixes(host: Host) -> dict[str, Suffixes]:
    """Return the endings of each format by its name; broken plugins are left out."""
    found: dict[str, Suffixes] = {}
    for registered in host.components("format"):
        name = registered.component.name
        try:
            own = _suffixes_of(host, registered.qualified)
        except (PluginError, UsageError):
            continue
        if name not in found:
            found[name] = own
    return found


def _suffixes_of(host: Host, name: str) -> Suffixes:
    form = host.build(Choice("format", name), runnable=False)
    assert isinstance(form, Format)
    return form.suffixes


def _listed(known: Mapping[str, Suffixes]) -> str:
    files = [f"{', '.join(suffixes)} by {name}" for name, suffixes in known.items() if suffixes]
    folders = [name for name, suffixes in known.items() if suffixes == ()]
    told = f"--format {', '.join(folders)}: folders, named without an ending" if folders else ""
    return "; ".join([*files, *filter(None, [told])])
