"""DEITA: complexity times quality of each exchange, summed over the conversation."""

from __future__ import annotations

import asyncio
import math

import numpy as np
import pytest

from ig4.core.calls.request import Reply, UnreadableError
from ig4.core.host.fingerprint import sha256_of
from ig4.core.records import Sample, Turn
from ig4.plugins.llm.exchanges import exchanges
from ig4.plugins.scorers.deita import Deita, DeitaOptions, deita_score
from ig4.plugins.scorers.selectit import Selectit, SelectitOptions

TURNS = (
    Turn("system", "Be brief."),
    Turn("user", "What is this?"),
    Turn("assistant", "A bus."),
    Turn("user", "Which colour?"),
    Turn("user", "And whose?"),
    Turn("assistant", "Red, the city's."),
)
TALK = Sample("a", "What is this?\nWhich colour?", "A bus.\nRed, the city's.", TURNS)
PLAIN = Sample("b", "What is this?", "A bus.")


class Service:
    """Replies with a digit that the test chooses by the prompt, and remembers what it was asked."""

    def __init__(self, *rules):
        self.rules = rules
        self.requests = []

    async def __call__(self, request, read):
        self.requests.append(request)
        digit = next(digit for part, digit in self.rules if part in request.prompt)
        return read(Reply(str(digit), "length", logprobs=(((str(digit), math.log(0.99)),),)))


def rate(sample, service, **options):
    return asyncio.run(Deita(DeitaOptions(**options)).rate(sample, service))


def test_exchanges_are_what_was_said_since_the_last_answer():
    assert exchanges(TALK) == [
        ("What is this?", "A bus."), ("Which colour?\nAnd whose?", "Red, the city's."),
    ]  # fmt: skip
    assert exchanges(PLAIN) == [("What is this?", "A bus.")]


def test_the_score_is_the_product_and_the_outputs_are_the_two_ratings():
    score = rate(PLAIN, Service(("how complex", 2), ("how good", 5)))
    assert score.value == pytest.approx(10)
    assert score.outputs == pytest.approx({"complexity": 2, "quality": 5})
    assert score.details is None


def test_exchanges_are_summed_and_their_ratings_averaged():
    service = Service(
        ("how complex the instruction is: 1 for one that asks for a single simple thing", 3),
        ("Red, the city's.", 6),
        ("A bus.", 4),
    )
    score = rate(TALK, service)
    assert score.value == pytest.approx(3 * 4 + 3 * 6)
    assert score.outputs == pytest.approx({"complexity": 3, "quality": 5})
    assert score.details == {"complexity": [3.0, 3.0], "quality": [4.0, 6.0]}
    assert len(service.requests) == 4


def test_what_an_instruction_is_worth_does_not_hang_on_its_answer():
    one, two = Service(("", 1)), Service(("", 1))
    rate(PLAIN, one)
    rate(Sample("c", "What is this?", "A tram, I think."), two)
    complexity = [next(r.prompt for r in s.requests if "how complex" in r.prompt)
                  for s in (one, two)]  # fmt: skip
    assert complexity[0] == complexity[1]
    assert "A bus." not in complexity[0]


def test_requests_ask_for_one_token_at_a_temperature_that_changes_no_chance():
    service = Service(("", 1))
    rate(PLAIN, service, top_logprobs=7, extra={"seed": 1})
    for request in service.requests:
        assert (request.max_tokens, request.temperature, request.logprobs) == (1, 1.0, 7)
        assert request.extra == {"seed": 1}


def test_a_rating_that_cannot_be_read_fails_the_sample():
    async def silent(_, read):
        return read(Reply("4", "length"))

    with pytest.raises(UnreadableError, match="told no log-probabilities"):
        rate(PLAIN, silent)


@pytest.mark.parametrize(
    "other", [{"model": "m"}, {"top_logprobs": 5}, {"min_mass": 0.9}, {"vision": True},
              {"extra": {"a": 1}}],
)  # fmt: skip
def test_whatever_shapes_the_chances_is_part_of_a_score(other):
    plain = Deita(DeitaOptions()).identity(sha256_of)
    assert Deita(DeitaOptions(**other)).identity(sha256_of) != plain
    assert Deita(DeitaOptions(base_url="http://x/v1")).identity(sha256_of) == plain


def test_percents_are_of_what_one_exchange_can_have():
    deita = Deita(DeitaOptions())
    assert deita.to_percent(np.array([1.0, 36.0, 71.0])).tolist() == [0, 100, 200]
    assert deita.output_to_percent("quality", np.array([1.0, 3.5, 6.0])).tolist() == [0, 50, 100]


def test_a_longer_conversation_has_the_greater_sum():
    assert deita_score([2, 2], [3, 3]).value == 2 * deita_score([2], [3]).value


class Digits:
    """Replies to the n-th prompt with the n-th list of chances."""

    def __init__(self, *chances):
        self.chances = list(chances)
        self.requests = []

    async def __call__(self, request, read):
        chances = self.chances[len(self.requests)]
        self.requests.append(request)
        place = [(str(n), math.log(p)) for n, p in enumerate(chances, start=1)]
        return read(Reply("x", "length", logprobs=(tuple(place),)))


def test_selectit_asks_in_several_ways_and_lets_disagreement_cost():
    sure, torn = [0.01, 0.01, 0.01, 0.96, 0.01], [0.2] * 5
    service = Digits(sure, sure, torn)
    selectit = Selectit(SelectitOptions(prompts=3, flatten=False))
    score = asyncio.run(selectit.rate(PLAIN, service))
    tokens = [4 * 0.95, 4 * 0.95, 0.0]
    assert score.details["token_scores"] == pytest.approx(tokens)
    assert score.value == pytest.approx(np.mean(tokens) / (1 + 0.2 * np.std(tokens)))
    assert len({request.prompt for request in service.requests}) == 3


@pytest.mark.parametrize("flatten", [True, False])
def test_selectits_percents_reach_100_where_a_model_is_sure_of_a_5(flatten):
    tiny = 1e-9
    service = Digits(*[[tiny, tiny, tiny, tiny, 1 - 4 * tiny]] * 5)
    selectit = Selectit(SelectitOptions(flatten=flatten))
    value = asyncio.run(selectit.rate(PLAIN, service)).value
    assert selectit.to_percent(np.array([value])) == pytest.approx([100], abs=1e-4)
