"""Of a message only its answer is read: no field and no part of thoughts."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("openai")
pytest.importorskip("anthropic")

from ig4.plugins.llm.anthropic import AnthropicProvider
from ig4.plugins.llm.openai import OpenAIProvider

from .conftest import ASKED, STRICT, run


def openai_reply(llm_server, message, finish="stop", usage=None):
    choice = {"message": message, "finish_reason": finish}
    llm_server.rule("body", body=json.dumps({"choices": [choice], "usage": usage}))
    return run(OpenAIProvider, lambda provider: provider.send(ASKED))


def anthropic_reply(llm_server, content, finish="end_turn"):
    body = {"type": "message", "content": content, "stop_reason": finish}
    llm_server.rule("body", body=json.dumps(body))
    return run(AnthropicProvider, lambda provider: provider.send(STRICT))


THOUGHT = {"type": "thinking", "thinking": [{"type": "text", "text": "90"}]}


@pytest.mark.parametrize(
    "message",
    [
        {"content": "35", "reasoning_content": "90", "reasoning": "90"},
        {"content": [THOUGHT, {"type": "text", "text": "35"}]},
        {"content": [{"type": "text", "text": "90?"}, THOUGHT, {"type": "text", "text": "35"}]},
        {"content": [{"type": "reasoning", "text": "90"}, {"type": "output_text", "text": "35"}]},
        {"content": [{"type": "text", "thought": True, "text": "9"},
                     {"type": "text", "text": "35"}]},
    ],
)  # fmt: skip
def test_only_the_answer_of_a_message_is_read(llm_server, message):
    assert openai_reply(llm_server, message).text == "35"


@pytest.mark.parametrize("content", [None, "", [THOUGHT]])
def test_thoughts_are_never_read_in_place_of_an_answer(llm_server, content):
    message = {"content": content, "reasoning_content": "90", "reasoning": "90"}
    assert openai_reply(llm_server, message).text == ""


def test_thoughts_between_texts_end_what_is_no_answer(llm_server):
    content = [
        {"type": "text", "text": "90?"},
        {"type": "thinking", "thinking": "Too generous.", "signature": "x"},
        {"type": "text", "text": "35"},
    ]
    assert anthropic_reply(llm_server, content).text == "35"


def test_the_input_of_a_tool_that_was_cut_is_no_whole_object(llm_server):
    tool = {"type": "tool_use", "name": "rate", "input": {"score": 8}}
    assert json.loads(anthropic_reply(llm_server, [tool], "tool_use").text) == {"score": 8}
    cut = anthropic_reply(llm_server, [tool], "max_tokens")
    assert (cut.text, cut.at_limit) == ('{"score": 8', True)


def test_several_ratings_are_none(llm_server):
    tools = [{"type": "tool_use", "name": "rate", "input": {"score": n}} for n in (80, 90)]
    assert anthropic_reply(llm_server, tools, "tool_use").text.startswith("[")


@pytest.mark.parametrize(
    "finish", ["content_filter", "SAFETY", "refusal", "content_filter: SAFETY"]
)
def test_what_was_withheld_is_refused(llm_server, finish):
    assert openai_reply(llm_server, {"content": "8"}, finish).refused


def test_a_finish_that_is_an_object_has_its_type(llm_server):
    assert openai_reply(llm_server, {"content": "8"}, {"type": "length", "length": 9}).at_limit
    assert openai_reply(llm_server, {"content": "8"}, None).finish == ""
