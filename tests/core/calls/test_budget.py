"""A budget lets a request go only if the worst that can come of it still fits."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ig4.core.calls.budget import Budget
from ig4.core.calls.request import BudgetError


async def spend(budget, worst, cost, pause=0.0):
    async with budget.spending(worst):
        await asyncio.sleep(pause)
        budget.paid(cost)


async def spend_all(budget, requests):
    given = await asyncio.gather(
        *(spend(budget, worst, worst * share) for worst, share in requests), return_exceptions=True
    )
    return [one for one in given if one is not None]


@given(
    st.floats(0.01, 10),
    st.lists(st.tuples(st.floats(0.001, 1), st.floats(0, 1)), max_size=40),
)
def test_money_is_never_exceeded_however_many_go_at_once(limit, requests):
    budget = Budget(max_cost=limit)
    errors = asyncio.run(spend_all(budget, requests))
    assert budget.cost <= limit + 1e-6
    assert all(isinstance(error, BudgetError) for error in errors)
    assert bool(errors) == (budget.reached is not None)


@given(st.integers(0, 20), st.integers(0, 40))
def test_calls_are_counted_to_the_last(limit, number):
    budget = Budget(max_calls=limit)
    errors = asyncio.run(spend_all(budget, [(0.0, 0.0)] * number))
    assert budget.calls == min(limit, number)
    assert len(errors) == max(0, number - limit)


def test_what_comes_in_cheaper_than_feared_makes_room():
    budget = Budget(max_cost=1.0)
    errors = asyncio.run(spend_all(budget, [(0.5, 0.1)] * 5))
    assert errors == []
    assert budget.cost == pytest.approx(0.25)


def test_without_limits_everything_goes():
    budget = Budget()
    assert asyncio.run(spend_all(budget, [(1e9, 1.0)] * 10)) == []
    assert budget.reached is None


def test_a_request_that_fails_costs_a_call_and_no_money():
    async def fail(budget):
        with pytest.raises(OSError, match="cut"):
            async with budget.spending(1.0):
                raise OSError("cut")
        async with budget.spending(1.0):
            pass

    budget = Budget(max_cost=1.0)
    asyncio.run(fail(budget))
    assert (budget.calls, budget.cost) == (2, 0.0)


def test_a_batch_is_held_back_until_it_is_settled():
    budget = Budget(max_cost=1.0, max_calls=10)
    budget.reserve(4, 0.75)
    assert budget.room(1, 0.25)
    assert not budget.room(1, 0.5)
    assert not budget.room(7, 0.0)
    budget.paid(0.25)
    budget.settle(0.75)
    assert budget.room(6, 0.75)
