"""What a call costs follows from its tokens, and an unknown price is never guessed."""

from __future__ import annotations

import pytest

from ig4.core.calls.prices import Price, Pricing, find_price
from ig4.core.calls.request import Reply
from ig4.core.errors import UsageError

KNOWN = {"gpt-x": Price(2.0, 8.0, cached=0.5), "gpt-x-2024-05-13": Price(5.0, 15.0)}


def test_input_cached_input_and_output_have_their_own_prices():
    reply = Reply("87", input_tokens=1000, cached_tokens=400, output_tokens=100)
    cost = KNOWN["gpt-x"].of_reply(reply)
    assert cost == pytest.approx((600 * 2.0 + 400 * 0.5 + 100 * 8.0) / 1e6)


def test_cached_input_costs_as_any_where_nothing_else_is_said():
    assert Price(2.0, 8.0).of(1000, 400, 0) == pytest.approx(0.002)


def test_a_batch_costs_its_share():
    reply = Reply("87", input_tokens=1000, output_tokens=100)
    price = Price(2.0, 8.0, batch=0.5)
    assert price.of_reply(reply, batch=True) == pytest.approx(price.of_reply(reply) / 2)


@pytest.mark.parametrize(
    "name", ["gpt-x", "gpt-x-2024-08-06", "gpt-x-20240806", "gpt-x@20240806", "gpt-x-latest"]
)
def test_a_dated_name_has_the_price_of_the_plain_one(name):
    assert find_price(name, KNOWN) == KNOWN["gpt-x"]


def test_a_price_of_its_own_goes_before():
    assert find_price("gpt-x-2024-05-13", KNOWN) == KNOWN["gpt-x-2024-05-13"]


@pytest.mark.parametrize("name", ["gpt-x-mini", "gpt", "my-gpt-x", "gpt-x-2024", "GPT-X"])
def test_a_name_that_only_resembles_one_has_no_price(name):
    assert find_price(name, KNOWN) is None


def test_the_first_table_that_knows_a_model_counts():
    mine = {"gpt-x": Price(1.0, 1.0)}
    assert find_price("gpt-x", mine, KNOWN) == mine["gpt-x"]


def test_an_unknown_price_is_said_once():
    told = []
    pricing = Pricing(KNOWN, notice=told.append)
    assert (pricing.of("llama"), pricing.of("llama")) == (None, None)
    assert len(told) == 1
    assert '[prices."llama"]' in told[0]


def test_money_cannot_be_limited_without_a_price():
    with pytest.raises(UsageError, match="the price of llama is not known"):
        Pricing(KNOWN, limited=True).of("llama")
