"""Says how many of something there are: one place for the number, the noun and its plural."""

from __future__ import annotations

_SIBILANTS = ("s", "x", "z", "ch", "sh")
_IRREGULAR = {"analysis": "analyses", "child": "children", "index": "indexes"}


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """Return a count with its noun: "1 record", "2,000 records", "0 records".

    Of several words the last one is the noun ("1 other problem"), unless `plural` says otherwise
    ("3 samples with a problem").
    """
    return f"{number:,} {nouns(number, noun, plural)}"


def nouns(number: int, noun: str, plural: str | None = None) -> str:
    """Return the noun alone, in the form that goes with the number."""
    if number == 1:
        return noun
    return plural if plural is not None else _plural(noun)


def verb(number: int, one: str, many: str) -> str:
    """Return the form of a verb, or of any word, that goes with a number: "is" or "are"."""
    return one if number == 1 else many


def in_units(number: int, unit: str) -> str:
    """Return a count of what a stage is told in: its unit is a plural, such as "records"."""
    return f"{number:,} {_singular(unit) if number == 1 else unit}".rstrip()


def _singular(unit: str) -> str:
    if unit.endswith("ies"):
        return unit.removesuffix("ies") + "y"
    if unit.endswith(("sses", "xes", "ches", "shes")):
        return unit.removesuffix("es")
    return unit.removesuffix("s")


def _plural(noun: str) -> str:
    *before, last = noun.split(" ")
    if last in _IRREGULAR:
        last = _IRREGULAR[last]
    elif last.endswith(_SIBILANTS):
        last += "es"
    elif last.endswith("y") and last[-2:-1] not in tuple("aeiou"):
        last = last[:-1] + "ies"
    else:
        last += "s"
    return " ".join([*before, last])
