"""A count goes with its noun."""

import pytest

from ig4.core.counts import counted, in_units, verb


@pytest.mark.parametrize(
    ("number", "noun", "told"),
    [
        (0, "record", "0 records"), (1, "record", "1 record"), (2, "image", "2 images"),
        (1234, "sample", "1,234 samples"), (2, "reply", "2 replies"), (2, "key", "2 keys"),
        (2, "class", "2 classes"), (2, "batch", "2 batches"),
        (1, "other problem", "1 other problem"), (3, "other problem", "3 other problems"),
        (-1, "step", "-1 steps"),
    ],
)  # fmt: skip
def test_one_is_one_and_all_else_are_several(number, noun, told):
    assert counted(number, noun) == told


@pytest.mark.parametrize("unit", ["records", "replies", "batches", "models", "keys", "", "data"])
def test_one_of_a_unit_is_no_plural(unit):
    singular = {"replies": "reply", "batches": "batch", "data": "data"}.get(unit, unit.rstrip("s"))
    assert in_units(1, unit) == f"1 {singular}".rstrip()
    assert in_units(0, unit) == f"0 {unit}".rstrip()
    assert in_units(1200, unit) == f"1,200 {unit}".rstrip()


def test_a_plural_of_its_own_and_verbs():
    several = "samples with a problem"
    assert counted(1, "sample with a problem", several) == "1 sample with a problem"
    assert counted(2, "sample with a problem", several) == "2 samples with a problem"
    assert [verb(n, "is", "are") for n in (0, 1, 2)] == ["are", "is", "are"]
