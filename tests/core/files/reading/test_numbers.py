"""Numbers as people write them: read where there is one way to, refused where there are two."""

from __future__ import annotations

from decimal import Decimal

import pytest

from ig4.core.errors import DatasetError
from ig4.core.files.reading.numbers import read_numbers

WHERE = "scores.csv, column 'clip'"


def values(*cells, **options):
    return read_numbers(cells, WHERE, **options).values


def test_plain_numbers_are_read():
    texts = ("0.53", " 1e-3", ".5", "5.", "-2", "\N{MINUS SIGN}1")
    assert values(*texts) == [0.53, 0.001, 0.5, 5.0, -2.0, -1.0]
    assert values(3, 0.5, Decimal("0.25")) == [3.0, 0.5, 0.25]


@pytest.mark.parametrize(
    ("cell", "told"),
    [
        ("0,53", r"row 2: '0,53' has a decimal comma: --decimal , reads it as 0.53"),
        ("1,234", "could be two numbers: --decimal , reads it as 1.234, --decimal . .* as 1234"),
        ("1,234.5", "has marks between thousands: --decimal . reads it as 1234.5"),
        ("1.234,5", "has a decimal comma: --decimal , reads it as 1234.5"),
        ("1 234", "has marks between thousands: --decimal . reads it as 1234"),
        ("1_000", "has marks between thousands: --decimal . reads it as 1000"),
        ("1,2,3", "is no number that can be read"),
    ],
)
def test_a_number_in_another_notation_is_named_with_what_it_may_be(cell, told):
    with pytest.raises(DatasetError, match=told):
        values("0.5", cell)


def test_where_commas_do_not_split_cells_they_are_decimal_if_they_can_only_be_that():
    read = read_numbers(["0,53", "12", "1,234"], WHERE, comma_splits=False)
    assert read.values == [0.53, 12.0, 1.234]
    assert read.notes == ["its numbers are read with a decimal comma"]
    for unclear in (["1,234", "2,500"], ["1,5", "2.5"]):
        with pytest.raises(DatasetError, match="row 1"):
            read_numbers(unclear, WHERE, comma_splits=False)


def test_the_decimal_mark_that_is_given_decides():
    assert values("1.234,5", "7", "1'000", decimal=",") == [1234.5, 7.0, 1000.0]
    assert values("1,234.5", "1 234", "0.5", decimal=".") == [1234.5, 1234.0, 0.5]
    with pytest.raises(DatasetError, match=r"'0\.53' is no number with a decimal comma"):
        values("0.53", decimal=",")
    with pytest.raises(DatasetError, match="is no number with a decimal point"):
        values("12,34", decimal=".")


def test_percent_signs_are_taken_away_if_all_have_one():
    read = read_numbers(["53%", "", "12.5 %"], WHERE)
    assert read.values == [53.0, None, 12.5]
    assert "53% is read as 53" in read.notes[0]
    for rest in ("12", 12):
        with pytest.raises(DatasetError, match="row 1: '53%' has a percent sign, and row 2 has no"):
            values("53%", rest)


def test_cells_without_a_number_are_told_apart():
    read = read_numbers(
        ["", " ", None, "NA", "null", "nan", "-inf", float("nan"), 10**400, "1e999", "x", True, []],
        WHERE,
    )
    assert read.values == [None] * 13
    assert read.empty == [0, 1, 2, 3, 4]
    assert sorted(read.not_finite) == [5, 6, 7, 8, 9]
    assert read.unreadable == [10, 11, 12]
