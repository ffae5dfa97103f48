"""A request is known by all that shapes its reply, and by nothing else."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import pytest

from ig4.core.calls.request import MOST_RAISED, Request

PLAIN = Request("m", "How good is this?")

OTHERS = {
    "model": "n",
    "prompt": "How bad is this?",
    "system": "You are strict.",
    "images": (b"jpeg",),
    "history": (("user", "A number, please."),),
    "max_tokens": 5,
    "temperature": 0.5,
    "schema": {"type": "object"},
    "repeat": 1,
    "extra": {"top_p": 0.9},
}


def test_equal_requests_have_one_hash():
    assert PLAIN.hash("openai") == Request("m", "How good is this?").hash("openai")
    assert len(PLAIN.hash("openai")) == 64


@pytest.mark.parametrize("field", OTHERS)
def test_whatever_differs_is_another_request(field):
    assert replace(PLAIN, **{field: OTHERS[field]}).hash("openai") != PLAIN.hash("openai")


def test_the_hashes_in_existing_ledgers_stay():
    request = replace(PLAIN, **OTHERS)
    content = {name: OTHERS[name] for name in OTHERS} | {
        "provider": "openai",
        "images": [hashlib.sha256(image).hexdigest() for image in request.images],
    }
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    assert request.hash("openai") == hashlib.sha256(text.encode()).hexdigest()


def test_the_hashes_at_other_limits_are_those_of_the_same_request_with_them():
    request = replace(PLAIN, **OTHERS | {"max_tokens": 512})
    known = request.hashes_at("openai", [512, 1000])
    limits = {
        replace(request, max_tokens=limit, raised_from=9).hash("openai"): limit
        for limit in (4096, 1000, 8000)
    }
    assert known == limits


def test_a_limit_is_raised_once_and_not_without_end():
    raised = replace(PLAIN, max_tokens=100).raised()
    assert (raised.max_tokens, raised.raised_from) == (8 * 100, 100)
    assert raised.raised() is raised
    most = replace(PLAIN, max_tokens=MOST_RAISED)
    assert most.raised() is most
    own = replace(PLAIN, extra={"max_completion_tokens": 5})
    assert own.raised() is own


def test_another_service_is_another_request():
    assert PLAIN.hash("anthropic") != PLAIN.hash("openai")


def test_the_order_of_a_schema_s_keys_does_not_matter():
    one = replace(PLAIN, schema={"type": "object", "title": "x"})
    two = replace(PLAIN, schema={"title": "x", "type": "object"})
    assert one.hash("openai") == two.hash("openai")


def test_a_lone_surrogate_does_not_break_it():
    assert Request("m", "\ud800").hash("openai")


def test_tokens_grow_with_the_text():
    short, long = Request("m", "x" * 400), Request("m", "x" * 4000)
    assert 100 <= short.text_tokens <= 150
    assert long.text_tokens - short.text_tokens == 900


def test_text_of_other_scripts_has_more_tokens():
    assert Request("m", "a dog on the grass " * 40).text_tokens < 40 * 19 / 3
    assert Request("m", "\u72d7" * 100).text_tokens >= 100
