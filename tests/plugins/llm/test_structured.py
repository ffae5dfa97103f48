"""A server that cannot follow a schema is found out once, cheaply, and asked plainly."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import pytest

pytest.importorskip("openai")
pytest.importorskip("anthropic")

from ig4.core.calls.request import CallError, TransientError
from ig4.plugins.llm.anthropic import AnthropicProvider
from ig4.plugins.llm.openai import OpenAIProvider
from ig4.plugins.llm.ratings import parse
from ig4.plugins.llm.structured import FAILURES, PROBES

from ...llm_server.world import rating_of
from .conftest import STRICT, run

MANY = [replace(STRICT, prompt=f"prompt {n}") for n in range(40)]


@pytest.fixture(params=[OpenAIProvider, AnthropicProvider], ids=["openai", "anthropic"])
def make(request):
    return request.param


def ask(make, requests=MANY, tries=1, **options):
    """Send all at once, each up to so many times; return the replies and what the user was told."""
    told = []

    async def one(provider, request):
        for _ in range(tries):
            try:
                return await provider.send(request)
            except CallError as error:
                last = error
        return last

    async def use(provider):
        provider.notice = told.append
        return await asyncio.gather(*(one(provider, request) for request in requests))

    return run(make, use, **options), told


def structured(llm_server):
    return sum(call["structured"] for call in llm_server.calls())


def test_an_error_about_the_grammar_is_the_end_of_schemas(make, llm_server):
    llm_server.rule("crash", message="xgrammar: failed to compile the grammar")
    replies, (notice,) = ask(make)
    assert [parse(one.text).score for one in replies] == [rating_of(r.prompt) for r in MANY]
    assert structured(llm_server) <= PROBES
    assert "structured=false" in notice
    assert "failed to compile the grammar" in notice


def test_white_space_without_end_is_the_end_of_schemas_and_is_counted(make, llm_server):
    llm_server.rule("space")
    replies, (notice,) = ask(make)
    assert [parse(one.text).score for one in replies] == [rating_of(r.prompt) for r in MANY]
    assert structured(llm_server) <= PROBES
    assert "white space" in notice
    paid = sum(one.output_tokens for one in replies)
    assert paid >= structured(llm_server) * STRICT.max_tokens


def test_a_server_that_only_ever_crashes_with_schemas_is_asked_plainly(make, llm_server):
    llm_server.rule("crash", message="internal error")
    replies, (notice,) = ask(make, MANY[:10], tries=10)
    assert [parse(one.text).score for one in replies] == [rating_of(r.prompt) for r in MANY[:10]]
    assert structured(llm_server) <= FAILURES + 2 * PROBES
    assert "structured=false" in notice


def test_a_server_that_is_away_is_not_blamed_on_schemas(make, llm_server):
    llm_server.configure(rules=[{"fault": "503", "times": 5}])
    replies, told = ask(make, MANY[:1] * 3, tries=10)
    assert told == []
    assert [parse(one.text).score for one in replies] == [rating_of("prompt 0")] * 3


def test_a_schema_on_which_the_user_insists_is_kept_and_the_remedy_named(make, llm_server):
    llm_server.rule("crash", message="xgrammar: failed to compile the grammar")
    (error,), told = ask(make, MANY[:1], structured=True)
    assert isinstance(error, TransientError)
    assert "structured=false" in str(error)
    assert told == []


def test_many_are_on_their_way_once_a_schema_was_followed(make, llm_server):
    llm_server.configure(latency=0.05)
    replies, told = ask(make)
    assert all(json.loads(one.text)["score"] is not None for one in replies)
    assert llm_server.most > PROBES
    assert told == []


def test_a_batch_has_no_schema_until_a_server_of_unknown_make_has_followed_one(llm_server):
    async def use(provider):
        await provider.submit("key-1", {"a" * 64: STRICT})
        await provider.send(STRICT)
        await provider.submit("key-2", {"b" * 64: STRICT})

    run(OpenAIProvider, use)
    assert [call["structured"] for call in llm_server.calls()] == [False, True, True]
