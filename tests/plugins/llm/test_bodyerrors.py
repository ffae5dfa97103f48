"""Errors that services put into replies with the status 200 count as those of their own status."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("openai")
pytest.importorskip("anthropic")

from ig4.core.calls.request import (
    CallError,
    NotFoundError,
    RejectedError,
    ServiceError,
    TransientError,
)
from ig4.plugins.llm.anthropic import AnthropicProvider
from ig4.plugins.llm.openai import OpenAIProvider

from .conftest import ASKED, run

CANARY = "canary-openai-0123456789"

END = [  # these end the run at once
    {"error": {"message": "no", "code": 401}},
    {"error": {"message": "no", "code": "invalid_api_key", "type": "invalid_request_error"}},
    {"type": "error", "error": {"type": "authentication_error", "message": "no"}},
    {"detail": "Not authenticated"},
    {"error": {"message": "no", "code": 402, "metadata": {"provider_name": "x"}}},
    {"error": {"message": "no", "code": "insufficient_quota", "type": "insufficient_quota"}},
    {"error": {"message": "You exceeded your current quota", "code": 429}},
    {"error": {"message": "no", "type": "billing_error"}},
    {"error": {"message": "Your credit balance is too low", "type": "invalid_request_error"}},
    {"error": "insufficient balance"},
    {"base_resp": {"status_code": 1008, "status_msg": "insufficient balance"}, "choices": None},
    {"error": {"message": "no", "code": 403}},
    {"error": {"message": "no", "type": "permission_error"}},
    {"error": {"message": "no", "code": "model_not_found"}},
    {"choices": [{"error": {"code": 402, "message": "no"}, "message": {"content": "85"}}]},
]
AGAIN = [  # these may pass
    {"error": {"message": "wait", "code": 429}},
    {"error": {"message": "wait", "code": "429"}},
    {"error": {"message": "wait", "code": "rate_limit_exceeded", "type": "tokens"}},
    {"type": "error", "error": {"type": "overloaded_error", "message": "wait"}},
    {"error": {"message": "wait", "code": 502, "metadata": {"raw": "upstream is away"}}},
    {"error": {"message": "wait", "type": "server_error"}, "choices": []},
    {"error": {"message": "wait"}, "choices": None},
    {"error": "something else"},
    {"errors": [{"message": "wait", "code": 500}]},
    {"object": "error", "message": "wait", "code": 503},
    [{"error": {"code": 429, "message": "wait", "status": "RESOURCE_EXHAUSTED"}}],
    {"error": True, "message": "rate limit"},
    {"choices": [{"finish_reason": "error", "message": {"content": "85\nIt is"}}]},
    {"choices": [{"error": {"code": 502, "message": "wait"}, "message": {"content": "8"}}]},
    {"choices": None, "usage": {"prompt_tokens": 5}},
    {"choices": [{"message": None, "finish_reason": "stop"}]},
    {"content": [{"type": "text", "text": "85"}], "stop_reason": "error"},
]
ALONE = [  # these concern one request
    {"error": {"message": "odd", "code": 400}},
    {"error": {"message": "odd", "code": "context_length_exceeded"}},
    {"error": {"message": "odd", "type": "invalid_request_error", "code": None}},
    {"detail": [{"loc": ["body"], "msg": "odd"}]},
    {"object": "error", "message": "odd", "type": "BadRequestError", "code": 400},
    {"error": {"message": "odd", "code": 403, "metadata": {"reasons": ["violence"]}}},
]


@pytest.fixture(params=[OpenAIProvider, AnthropicProvider], ids=["openai", "anthropic"])
def sent(request, llm_server):
    """Send one request after another, each answered by a body; return what is raised."""

    def _sent(bodies):
        async def use(provider):
            raised = []
            for body in bodies:
                llm_server.rule("body", body=json.dumps(body))
                try:
                    raised.append(await provider.send(ASKED))
                except CallError as error:
                    raised.append(error)
            return raised

        return run(request.param, use)

    return _sent


@pytest.mark.parametrize(
    ("bodies", "kind"), [(END, ServiceError), (AGAIN, TransientError), (ALONE, RejectedError)]
)
def test_each_counts_as_its_status_does(sent, bodies, kind):
    for body, error in zip(bodies, sent(bodies), strict=True):
        assert type(error) in (kind, NotFoundError if kind is ServiceError else kind), body


def test_the_service_s_words_are_shown_and_no_key(sent):
    shown = f"slow\x1b[2J down {CANARY} sk-proj-0123456789 " + "x" * 1000
    (error,) = sent([{"error": {"message": shown, "code": 429}}])
    assert "slow [2J down" in str(error).replace("\ufffd", " ")
    assert "\x1b" not in str(error)
    assert CANARY not in str(error)
    assert "sk-proj" not in str(error)
    assert len(str(error)) < 400
    (error,) = sent([{"error": {"code": 502, "message": "bad", "metadata": {"raw": "no GPU"}}}])
    assert "no GPU" in str(error)


def test_a_limit_of_speed_concerns_all_requests(sent):
    (error,) = sent([{"error": {"message": "wait", "code": "rate_limit_exceeded"}}])
    assert error.limited


def test_a_reply_beside_an_empty_error_is_a_reply(llm_server):
    reply = {"choices": [{"message": {"content": "85"}, "finish_reason": "stop"}], "error": None}
    llm_server.rule("body", body=json.dumps(reply))
    assert run(OpenAIProvider, lambda provider: provider.send(ASKED)).text == "85"


# Lines of batches


def outcome(make, llm_server, **line):
    llm_server.rule("line", **line)

    async def use(provider):
        remote = await provider.submit("key", {"a" * 64: ASKED})
        (found,) = [one async for _, one in provider.results(remote)]
        return found

    return run(make, use)


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ({"response": {"status_code": 200, "body": END[0]}}, ServiceError),
        ({"response": {"status_code": 200, "body": ALONE[0]}}, RejectedError),
        ({"response": {"status_code": 200, "body": {"choices": None}}}, TransientError),
        ({"response": {"status_code": 402, "body": {"error": {"message": "no"}}}}, ServiceError),
        ({"response": {"status_code": 429, "body": END[5]}}, ServiceError),
        ({"response": {"status_code": 429, "body": AGAIN[0]}}, TransientError),
        ({"response": {"status_code": 401, "body": "no"}}, ServiceError),
        ({"response": {"status_code": 503, "body": None}}, TransientError),
        ({"response": None, "error": {"code": "insufficient_quota"}}, ServiceError),
        ({"response": None, "error": {"code": "batch_expired", "message": "x"}}, TransientError),
        ({"response": None, "error": "odd"}, TransientError),
    ],
)
def test_a_line_of_openai_s_counts_as_its_status_does(llm_server, line, kind):
    assert isinstance(outcome(OpenAIProvider, llm_server, line=line), kind)


@pytest.mark.parametrize(
    ("result", "kind"),
    [
        ("invalid_request_error", RejectedError),
        ("authentication_error", ServiceError),
        ("permission_error", ServiceError),
        ("billing_error", ServiceError),
        ("rate_limit_error", TransientError),
        ("overloaded_error", TransientError),
        ("api_error", TransientError),
        ({"type": "expired"}, TransientError),
        ({"type": "canceled"}, TransientError),
        ({"type": "succeeded", "message": None}, TransientError),
    ],
)
def test_a_line_of_anthropic_s_counts_as_its_type_does(llm_server, result, kind):
    if isinstance(result, str):
        error = {"type": "error", "error": {"type": result, "message": "no"}}
        result = {"type": "errored", "error": error}
    assert isinstance(outcome(AnthropicProvider, llm_server, result=result), kind)
