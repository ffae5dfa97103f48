"""Both vendors' own clients against a server that speaks their interfaces, faults and all."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from PIL import Image

pytest.importorskip("openai")
pytest.importorskip("anthropic")

from ig4.core.calls.provider import BatchLimitError, NotSubmittedError
from ig4.core.calls.request import (
    CallError,
    NotFoundError,
    RejectedError,
    Request,
    ServiceError,
    TransientError,
)
from ig4.core.errors import PrerequisiteError, UsageError
from ig4.plugins.llm.anthropic import AnthropicProvider
from ig4.plugins.llm.openai import OpenAIProvider
from ig4.plugins.llm.ratings import parse

from ...llm_server.world import rating_of
from .conftest import ASKED, STRICT, run

CANARIES = ("canary-openai-0123456789", "canary-anthropic-0123456789")


@pytest.fixture(params=[OpenAIProvider, AnthropicProvider], ids=["openai", "anthropic"])
def make(request):
    return request.param


def test_a_plain_reply_has_the_rating_on_its_first_line(send):
    reply = send(ASKED)
    assert reply.text.splitlines()[0] == str(rating_of(ASKED.prompt))
    assert parse(reply.text).score == rating_of(ASKED.prompt)
    assert not reply.refused


def test_a_schema_is_kept_where_the_service_can(send, llm_server):
    told = json.loads(send(STRICT).text)
    assert set(told) == {"score", "explanation"}
    assert told["score"] == rating_of(STRICT.prompt)
    assert llm_server.calls()[-1]["structured"]


def test_a_service_that_knows_no_schema_is_asked_plainly_from_then_on(send, llm_server):
    llm_server.rule("no-schema")
    reply = send(STRICT, STRICT, STRICT)
    assert reply.text.splitlines()[0] == str(rating_of(STRICT.prompt))
    assert [call["structured"] for call in llm_server.calls()] == [True, False, False, False]


def test_it_is_an_error_where_a_schema_is_a_must(send, llm_server):
    llm_server.rule("no-schema")
    with pytest.raises(RejectedError, match="not supported"):
        send(STRICT, structured=True)


def test_no_schema_is_sent_where_none_is_wanted(send, llm_server):
    send(STRICT, structured=False)
    assert not llm_server.calls()[-1]["structured"]


def test_images_system_and_history_are_sent(send, llm_server):
    full = replace(
        ASKED,
        images=(b"\xff\xd8one", b"\xff\xd8two"),
        system="Be strict.",
        history=(("assistant", "Hm."), ("user", "A number!")),
        extra={"top_p": 0.5},
    )
    send(full)
    (call,) = llm_server.calls()
    assert call["prompt"] == ASKED.prompt
    assert "top_p" in call["keys"]
    assert call["text"].count("/9hvbmU=") == 1
    assert call["text"].count("/9h0d28=") == 1
    for part in ("Be strict.", "Hm.", "A number!"):
        assert part in call["text"]


def test_tokens_are_counted(send, make):
    reply = send(ASKED)
    cached = 8 if make is AnthropicProvider else 0
    assert reply.input_tokens == len(ASKED.prompt) // 4 + cached
    assert reply.cached_tokens == cached
    assert reply.output_tokens == len(reply.text) // 4


def test_a_refusal_is_told(send, llm_server):
    llm_server.rule("refusal")
    assert send(ASKED).refused


def test_a_reply_that_was_cut_says_so(send, llm_server):
    llm_server.rule("truncated")
    assert send(ASKED).finish in ("length", "max_tokens")


# Faults


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["408", "409", "429", "500", "503", "529"])
def test_what_may_pass_is_worth_another_try(send, llm_server, fault):
    llm_server.rule(fault)
    with pytest.raises(TransientError, match=fault) as caught:
        send(ASKED)
    assert caught.value.retry_after is None
    assert caught.value.limited == (fault in ("429", "529"))
    assert len(llm_server.calls()) == 1


@pytest.mark.parametrize("fault", ["reset", "cut", "broken-json"])
def test_so_is_a_broken_reply(send, llm_server, fault):
    llm_server.rule(fault)
    with pytest.raises(TransientError):
        send(ASKED)


def test_an_empty_reply_is_no_rating(send, llm_server, make):
    llm_server.rule("empty-choice")
    if make is OpenAIProvider:
        with pytest.raises(TransientError, match="no choice"):
            send(ASKED)
    else:
        assert send(ASKED).text == ""


@pytest.mark.slow
@pytest.mark.parametrize(
    "body",
    [
        "null",
        "[]",
        '"text"',
        "[" * 100_000,
        '{"choices": null, "content": null}',
        '{"choices": {"0": 1}, "content": "text"}',
        '{"choices": [null], "content": [null]}',
        '{"choices": [{"message": null}], "content": [7]}',
        '{"choices": [{"message": "85"}], "content": {"type": "text"}}',
    ],
)
def test_a_body_that_is_not_built_as_it_should_is_worth_another_try(send, llm_server, body):
    llm_server.rule("body", body=body)
    with pytest.raises(TransientError, match="the server's reply"):
        send(ASKED)


USAGE = '{"input_tokens": %s, "output_tokens": %s, "prompt_tokens": %s, "completion_tokens": %s}'
PARTS = '[{"type": "text", "text": "85"}, {"type": "text", "text": "\\nGood."}]'


@pytest.mark.slow
@pytest.mark.parametrize("tokens", ["null", '"many"', "-5", "1e400", "9" * 400])
def test_a_reply_is_read_whatever_its_tokens_are_said_to_be(send, llm_server, tokens):
    usage = USAGE % ((tokens,) * 4)
    message = f'{{"message": {{"content": {PARTS}}}}}'
    llm_server.rule(
        "body", body=f'{{"choices": [{message}], "content": {PARTS}, "usage": {usage}}}'
    )
    reply = send(ASKED)
    assert reply.text == "85\nGood."
    assert 0 <= reply.input_tokens <= 10**9


def test_what_no_database_takes_is_replaced_in_a_reply(send, llm_server):
    llm_server.rule("text", text="85\n\ud800 and \x00")
    assert send(ASKED).text == "85\n\ufffd and \ufffd"


def test_a_slow_service_is_given_up_in_time(send, llm_server):
    llm_server.rule("slow", seconds=5)
    with pytest.raises(TransientError, match="cannot be reached"):
        send(ASKED, timeout=0.2)


def test_a_reply_with_a_raised_limit_may_take_as_much_longer(send, llm_server):
    llm_server.rule("slow", seconds=0.6)
    longer = replace(ASKED, max_tokens=50 * 100, raised_from=50)
    assert send(longer, timeout=0.2).text


def test_a_service_that_is_not_there_may_come_back(make, llm_server):
    async def use(provider):
        return await provider.send(ASKED)

    with pytest.raises(TransientError, match="cannot be reached"):
        run(make, use, base_url="http://127.0.0.1:9/v1")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0.25"}, 0.25),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "1e999"}, None),
        ({"retry-after": "Sun, 06 Nov 1994 08:49:37 GMT"}, None),  # by which clock?
        (
            {
                "date": "Sun, 06 Nov 1994 08:49:38 GMT",
                "retry-after": "Sun, 06 Nov 1994 08:49:37 -0000",
            },
            0.0,
        ),
        ({"retry-after": "Fri, 99 Nov 1994 08:49:37 GMT"}, None),
        (  # the service's clock is years behind ours
            {
                "date": "Sun, 06 Nov 1994 08:49:37 GMT",
                "retry-after": "Sun, 06 Nov 1994 08:50:00 GMT",
            },
            23.0,
        ),
    ],
)
def test_the_wait_that_a_service_asks_for_is_told(send, llm_server, headers, seconds):
    llm_server.rule("429", headers=headers)
    with pytest.raises(TransientError) as caught:
        send(ASKED)
    assert caught.value.retry_after == seconds
    assert caught.value.limited


def test_a_date_to_wait_for_is_understood(send, llm_server):
    now = datetime.now(UTC) + timedelta(days=3)  # by the service's clock
    form = "%a, %d %b %Y %H:%M:%S GMT"
    then = now + timedelta(seconds=30)
    llm_server.rule("503", headers={"date": f"{now:{form}}", "retry-after": f"{then:{form}}"})
    with pytest.raises(TransientError) as caught:
        send(ASKED)
    assert caught.value.retry_after == 30


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("401", "does not accept the key"),
        ("403", "refuses access"),
        ("404", "no such model"),
        ("insufficient-quota", "no credit is left"),
        ("credit", "no credit is left"),
    ],
)
def test_what_no_other_try_can_mend_stops_everything(send, llm_server, fault, told):
    llm_server.rule(fault)
    with pytest.raises(ServiceError, match=told):
        send(ASKED)


RATE_LIMIT = (
    "Rate limit reached for gpt-4o-mini on requests per min (RPM): Limit 3, Used 3, Requested 1. "
    "Please try again in 20s. You can increase your rate limit by adding a payment method to your "
    "account at https://platform.openai.com/account/billing."
)


@pytest.mark.parametrize(
    ("fault", "message", "kind"),
    [
        ("429", RATE_LIMIT, TransientError),
        ("503", "the billing service is away", TransientError),
        ("422", "your text 'I exceeded your current quota' is not taken", RejectedError),
    ],
)
def test_not_every_word_of_money_means_that_there_is_none(send, llm_server, fault, message, kind):
    llm_server.rule(fault, message=message)
    with pytest.raises(kind):
        send(ASKED)


@pytest.mark.parametrize("fault", ["400", "422"])
def test_what_is_wrong_with_one_request_concerns_it_alone(send, llm_server, fault):
    llm_server.rule(fault, message="content policy")
    with pytest.raises(RejectedError, match="content policy"):
        send(ASKED)


# Keys


def test_the_key_of_the_environment_is_sent(send, llm_server, make):
    llm_server.configure(require_key=CANARIES[make is AnthropicProvider])
    assert send(ASKED)


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["401", "403", "400", "500", "reset", "cut", "broken-json"])
def test_no_error_ever_shows_a_key(send, llm_server, fault):
    told = f"bad key {CANARIES[0]} {CANARIES[1]} Bearer abc.def sk-proj-abcdefghijk"
    llm_server.rule(fault, message=told)
    with pytest.raises(CallError) as caught:
        send(ASKED)
    error: BaseException | None = caught.value
    while error is not None:
        for secret in (*CANARIES, "abc.def", "sk-proj-abcdefghijk"):
            assert secret not in str(error)
        error = error.__cause__


def test_without_a_key_the_variable_is_named(make, monkeypatch, llm_server):
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "OPENAI_BASE_URL", "ANTHROPIC_BASE_URL"):
        monkeypatch.delenv(name)
    variable = "ANTHROPIC_API_KEY" if make is AnthropicProvider else "OPENAI_API_KEY"
    with pytest.raises(PrerequisiteError, match=variable):
        run(make, lambda provider: provider.send(ASKED))


@pytest.mark.parametrize("key", ["canary-0123456789\n", "canary\u20260123456789", "canary\r\nx: y"])
def test_a_key_that_no_header_takes_is_told_and_not_shown(make, monkeypatch, llm_server, key):
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY"):
        monkeypatch.setenv(name, key)
    with pytest.raises(PrerequisiteError, match="set it again") as caught:
        run(make, lambda provider: provider.send(ASKED))
    assert "canary" not in str(caught.value)
    assert llm_server.calls() == []


@pytest.mark.parametrize("address", ["localhost:8000/v1", "127.0.0.1", "ftp://here", "http://"])
def test_an_address_that_is_none_is_told(make, address):
    with pytest.raises(UsageError, match="is not valid"):
        run(make, lambda provider: provider.send(ASKED), base_url=address)


def test_a_local_server_needs_no_key(monkeypatch, llm_server):
    monkeypatch.delenv("OPENAI_API_KEY")
    assert run(OpenAIProvider, lambda provider: provider.send(ASKED)).text


def test_azure_is_asked_where_only_azure_is_named(monkeypatch, llm_server):
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", "https://example.openai.azure.com")
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", "azure-canary-0123")
    monkeypatch.setenv("OPENAI_API_VERSION", "2024-10-21")

    async def use(provider):
        return str(provider._client.base_url)

    assert "example.openai.azure.com" in run(OpenAIProvider, use)


# What servers want


def test_a_server_that_wants_the_newer_name_of_max_tokens_gets_it(monkeypatch, llm_server):
    llm_server.rule("renamed")

    async def use(provider):
        return [await provider.send(ASKED) for _ in range(2)]

    assert len(run(OpenAIProvider, use)) == 2
    used = [("max_tokens" in c["keys"], "max_completion_tokens" in c["keys"])
            for c in llm_server.calls()]  # fmt: skip
    assert used == [(True, False), (False, True), (False, True)]


def test_a_server_that_takes_no_temperature_gets_none(send, llm_server):
    llm_server.rule("400", times=1, message="`temperature` is not supported with this model")
    assert send(ASKED).text
    assert ["temperature" in call["keys"] for call in llm_server.calls()] == [True, False]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["temperature", "max_tokens", "response_format", "tools"])
def test_what_the_user_insists_on_is_refused_once_and_not_asked_for_ever(send, llm_server, name):
    llm_server.rule("400", message=f"`{name}` is not taken, max_completion_tokens is")
    asked = replace(
        ASKED, extra={"temperature": 9, "max_tokens": 1, "response_format": 1, "tools": 1}
    )
    with pytest.raises(RejectedError, match="not taken"):
        send(asked)
    assert len(llm_server.calls()) <= 3


@pytest.mark.parametrize(
    ("model", "reasons"), [("gpt-5-mini", True), ("o3", True), ("gpt-4o", False), ("olmo", False)]
)
def test_the_vendor_s_reasoning_models_get_what_they_take(llm_server, model, reasons):
    async def use(provider):
        return provider.body(Request(model, "x", temperature=0.5))

    body = run(OpenAIProvider, use, base_url="https://api.openai.com/v1")
    assert ("max_completion_tokens" in body) == reasons
    assert ("temperature" in body) != reasons
    assert "max_tokens" in run(OpenAIProvider, use)


def jpeg(width, height):
    stream = io.BytesIO()
    Image.new("RGB", (width, height)).save(stream, "JPEG")
    return stream.getvalue()


@pytest.mark.parametrize(
    ("size", "tokens"), [((512, 512), 8500), ((768, 768), 25501), ((2000, 1000), 36835)]
)
def test_images_are_estimated_at_what_small_models_count_them(size, tokens):
    request = Request("gpt-4o-mini", "x", images=(jpeg(*size),))
    plain = replace(request, images=())
    provider = OpenAIProvider()
    assert provider.tokens(request) - provider.tokens(plain) == tokens
    other = replace(request, model="gpt-4o")
    assert provider.tokens(other) - provider.tokens(replace(plain, model="gpt-4o")) == 800


# Batches

MANY = {f"{n:064x}": replace(STRICT, prompt=f"prompt {n}") for n in range(5)}
LONG_AGO = datetime.now(UTC) - timedelta(days=1)


def batched(make, look, key="key-1", requests=MANY):
    async def use(provider):
        remote = await provider.submit(key, requests)
        return await look(provider, remote)

    return run(make, use)


async def outcomes(provider, remote):
    return {known: came async for known, came in provider.results(remote)}


def test_a_batch_brings_every_reply_whatever_its_order(make, llm_server):
    async def look(provider, remote):
        return await provider.batch(remote), await outcomes(provider, remote)

    state, came = batched(make, look)
    assert state.state == "ended"
    ratings = {known: parse(reply.text).score for known, reply in came.items()}
    assert ratings == {known: rating_of(request.prompt) for known, request in MANY.items()}
    assert all(reply.input_tokens > 0 for reply in came.values())


@pytest.mark.parametrize("fault", ["cut", "broken-json", "500"])
def test_results_that_cannot_be_read_to_the_end_may_be_read_later(make, llm_server, fault):
    path = "/content" if make is OpenAIProvider else "/results"
    llm_server.configure(rules=[{"fault": fault, "path": path, "times": 1}])

    async def look(provider, remote):
        with pytest.raises(TransientError):
            await outcomes(provider, remote)
        return await outcomes(provider, remote)

    assert len(batched(make, look)) == 5


@pytest.mark.parametrize("days", [-3, 3])
def test_a_batch_is_found_although_a_clock_is_days_wrong(make, llm_server, days):
    async def look(provider, remote):
        since = datetime.now(UTC) + timedelta(days=days)
        return remote, await provider.find("key-1", set(MANY), since)

    remote, found = batched(make, look)
    assert found == remote


def test_a_batch_at_work_says_so(make, llm_server):
    llm_server.configure(batch_seconds=60)
    state = batched(make, lambda provider, remote: provider.batch(remote))
    assert (state.state, state.total) == ("running", 5)


def test_failed_lines_are_told_apart(make, llm_server):
    llm_server.configure(
        rules=[
            {"fault": "400", "match": "prompt 1", "times": None},
            {"fault": "500", "match": "prompt 2", "times": None},
            {"fault": "expired", "match": "prompt 3", "times": None},
        ]
    )
    came = batched(make, outcomes)
    kinds = [type(came[known]).__name__ for known in MANY]
    assert kinds == ["Reply", "RejectedError", "TransientError", "TransientError", "Reply"]


def test_a_batch_can_be_cancelled(make, llm_server):
    llm_server.configure(batch_seconds=60)

    async def look(provider, remote):
        await provider.cancel(remote)
        return await provider.batch(remote)

    assert batched(make, look).state == "cancelled"


def test_a_batch_whose_id_was_lost_is_found_again(make, llm_server):
    async def look(provider, remote):
        others = {"f" * 64: ASKED}
        await provider.submit("key-2", others)
        return remote, await provider.find("key-1", set(MANY), LONG_AGO)

    remote, found = batched(make, look)
    assert found == remote


def test_one_that_never_arrived_is_not(make, llm_server):
    async def look(provider, remote):
        return await provider.find("key-9", {"e" * 64}, LONG_AGO)

    assert batched(make, look) is None


@pytest.mark.slow
def test_one_among_many_pages_is_found(make, llm_server):
    async def look(provider, remote):
        for n in range(120):
            await provider.submit(f"other-{n}", {f"{n + 1000:064x}": ASKED})
        return remote, await provider.find("key-1", set(MANY), LONG_AGO)

    remote, found = batched(make, look)
    assert found == remote


def test_anthropic_cannot_tell_while_a_batch_is_at_work(llm_server):
    llm_server.configure(batch_seconds=60)

    async def look(provider, remote):
        return await provider.find("key-1", set(MANY), LONG_AGO)

    with pytest.raises(TransientError, match="may be the one whose id was lost"):
        batched(AnthropicProvider, look)


def test_a_batch_that_is_not_there_is_an_error(make, llm_server):
    with pytest.raises(ServiceError, match="404"):
        run(make, lambda provider: provider.batch("batch_999"))


def path_of(make, openai, anthropic):
    return openai if make is OpenAIProvider else anthropic


@pytest.mark.parametrize("refusal", [400, 429, 0])
def test_a_batch_that_is_more_than_the_service_takes_is_told_from_other_failures(
    make, llm_server, refusal
):
    llm_server.configure(batch_room=4, batch_refusal=refusal)
    if make is OpenAIProvider and not refusal:  # it takes the batch, and then fails it
        state = batched(make, lambda provider, remote: provider.batch(remote))
        error = state.error
        assert (state.state, state.replies) == ("failed", 0)
    else:
        with pytest.raises(BatchLimitError) as caught:
            batched(make, outcomes)
        error = caught.value
    assert isinstance(error, BatchLimitError)
    assert (error.tokens, error.alone) == (path_of(make, 90_000, None), False)


def test_a_batch_of_too_many_bytes_is_to_be_split(make, llm_server):
    llm_server.rule("413", path=path_of(make, "/v1/files", "/v1/messages/batches"))
    with pytest.raises(BatchLimitError) as caught:
        batched(make, outcomes)
    assert caught.value.alone


@pytest.mark.parametrize(
    ("status", "message"),
    [
        ("400", "Cannot find file file-1, or organization org-1 does not have access to it."),
        ("404", "No such File object: file-1"),
    ],
)
def test_a_file_that_was_just_uploaded_may_not_be_there_yet(llm_server, status, message):
    llm_server.rule(status, path="/v1/batches", times=2, message=message)
    assert len(batched(OpenAIProvider, outcomes)) == 5


@pytest.mark.parametrize("fault", ["429", "500", "reset"])
def test_a_batch_that_cannot_have_been_made_is_told_from_one_that_may(make, llm_server, fault):
    llm_server.rule(fault, path=path_of(make, "/v1/batches", "/v1/messages/batches"))
    with pytest.raises(TransientError) as caught:
        batched(make, outcomes)
    assert isinstance(caught.value, NotSubmittedError) == (fault == "429")


def test_a_file_that_could_not_be_uploaded_makes_no_batch(llm_server):
    llm_server.rule("reset", path="/v1/files")
    with pytest.raises(NotSubmittedError):
        batched(OpenAIProvider, outcomes)


def test_results_that_are_not_there_are_told_from_a_service_that_is_down(make, llm_server):
    llm_server.rule("404", path=path_of(make, "/content", "/results"), times=1)

    async def look(provider, remote):
        with pytest.raises(NotFoundError):
            await outcomes(provider, remote)
        return await outcomes(provider, remote)

    assert len(batched(make, look)) == 5


def test_the_replies_that_a_batch_has_are_counted(make, llm_server):
    llm_server.rule("400", match="prompt 1", times=None)
    state = batched(make, lambda provider, remote: provider.batch(remote))
    assert state.replies == 4


def test_a_batch_takes_as_many_requests_and_tokens_as_the_user_says(make):
    provider = make(batch_requests=7, batch_tokens=900)
    assert (provider.batch_requests, provider.batch_tokens) == (7, 900)
    assert (
        make(batch_requests=10**9).batch_requests
        == make().batch_requests
        == path_of(make, 50_000, 100_000)
    )
