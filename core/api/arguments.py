"""What callers give the verbs, as these need it: one name or several, tables, choices."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ig4.core.errors import UsageError
from ig4.core.suggest import did_you_mean


def names(what: str, given: str | Iterable[str] | None) -> tuple[str, ...] | None:
    """Return names; a text is one of them, and is not taken apart.

    Raises:
        UsageError: it is something else; says `what` takes names.
    """
    if given is None:
        return None
    if isinstance(given, str):
        return (given,)
    found = tuple(given) if isinstance(given, Iterable) else (given,)
    if not all(isinstance(one, str) for one in found):
        raise UsageError(f"{what} is {given!r}: give names, as in {what}=['clip', 'length']")
    return found


def by_name(what: str, given: Mapping[str, Any] | None, example: str) -> dict[str, Any]:
    """Return a dict of what is given by name; empty for None.

    Raises:
        UsageError: it is none; shows an `example`.
    """
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise UsageError(f"{what} is {given!r}: give a dict, as in {what}={example}")
    return dict(given)


def options_of(what: str, given: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the options of one component by their names; empty for None.

    Raises:
        UsageError: they are no dict.
    """
    return by_name(what, given, "{'seed': 7}")


def options_by_name(what: str, given: Mapping[str, Any] | None) -> dict[str, dict[str, Any]]:
    """Return the options of components by the names of these; empty for None.

    Raises:
        UsageError: they are no dict of dicts.
    """
    example = "{'clip': {'model': 'ViT-L-14'}}"
    found = by_name(what, given, example)
    if not all(isinstance(one, Mapping) for one in found.values()):
        raise UsageError(f"{what} is {given!r}: give a dict of dicts, as in {what}={example}")
    return {name: dict(one) for name, one in found.items()}


def choice(what: str, given: str, known: Iterable[str]) -> None:
    """Refuse what is none of the known.

    Raises:
        UsageError: names it, and all that are known.
    """
    known = tuple(known)
    if given not in known:
        raise UsageError(
            f"{what} is {given!r}{did_you_mean(str(given), known)} (there are: {', '.join(known)})"
        )
