"""Log-probabilities: asked for, kept with the reply, never paid for twice and never guessed."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

pytest.importorskip("openai")
pytest.importorskip("anthropic")

from ig4.core.calls.ledger import pack_reply, unpack_reply
from ig4.core.calls.request import Reply, Request, ServiceError
from ig4.core.calls.settings import CallSettings
from ig4.core.engine.ingesting.ingest import DatasetSource, ingest
from ig4.core.engine.scoring.plan import ScoreRequest
from ig4.core.engine.scoring.score import score
from ig4.core.engine.session import Session
from ig4.core.errors import Ig4Error
from ig4.core.host.host import Host
from ig4.core.records import Choice
from ig4.plugins.llm.anthropic import AnthropicProvider
from ig4.plugins.llm.digitprompts import question_template
from ig4.plugins.llm.logprobs import read_logprobs
from ig4.plugins.llm.openai import OpenAIProvider
from ig4.storage.store import Store

from ...llm_server.world import digits_of
from .conftest import run

ASKED = Request("m-1", "One digit from 1 to 6", max_tokens=1, temperature=1.0, logprobs=5)
PLACES = st.lists(
    st.lists(st.tuples(st.text(), st.floats(-50, 0)), max_size=4).map(tuple), max_size=3
).map(tuple)


@pytest.fixture
def session(tmp_path):
    with Store.open(tmp_path / "ig4.db") as store:
        yield Session(store, Host.discover())


@pytest.fixture
def dataset(session, tmp_path):
    rows = [{"image_id": f"c{n}", "caption": f"Caption {n}."} for n in range(3)]
    (tmp_path / "filter_cap.json").write_text(json.dumps({"annotations": rows}))
    return ingest(session, DatasetSource(tmp_path / "filter_cap.json", name="set")).dataset


def rate(session, dataset, scorer="digit-rating", retry_failed=False, settings=None, **options):
    settings = settings or CallSettings(concurrency=1)
    choices = [Choice("scorer", scorer, options)]
    request = ScoreRequest(choices, call_settings=settings, retry_failed=retry_failed)
    return score(session, dataset, request)


def column(session, sql):
    with session.store.reading() as connection:
        return list(connection.scalars(text(sql)))


def test_a_reply_has_the_likeliest_tokens_with_their_chances(llm_server):
    async def send(provider):
        return await provider.send(ASKED)

    reply = run(OpenAIProvider, send)
    wanted = sorted(digits_of(ASKED.prompt).items(), key=lambda item: -item[1])[:5]
    (place,) = reply.logprobs
    assert [token for token, _ in place] == [token for token, _ in wanted]
    assert [math.exp(value) for _, value in place] == pytest.approx([p for _, p in wanted])
    body = json.loads(llm_server.calls()[-1]["text"])
    assert (body["logprobs"], body["top_logprobs"], body["max_tokens"]) == (True, 5, 1)


def test_a_request_without_them_has_the_hash_it_always_had_and_with_them_another():
    plain = Request("m-1", "How good is this?", max_tokens=50, temperature=0.0)
    assert plain.hash("openai") == (
        "02267b2c24c7b5e258f6ffa22702e06c1f62e6257b7f1a75b860bc6251b365c5"
    )
    hashes = {Request("m-1", "x", logprobs=number).hash("openai") for number in (0, 5, 20)}
    assert len(hashes) == 3


@pytest.mark.parametrize(
    "choice",
    [
        {}, {"logprobs": None}, {"logprobs": {}}, {"logprobs": {"content": None}},
        {"logprobs": {"content": []}}, {"logprobs": {"content": [None]}}, {"logprobs": [1]},
        {"logprobs": {"content": [{"token": "a", "logprob": -1.0, "top_logprobs": 5}]}},
        {"logprobs": {"content": [{"top_logprobs": [7, {"token": "a", "logprob": 2.0}]}]}},
        {"logprobs": {"content": [{"top_logprobs": [{"token": "a", "logprob": "-1"}]}]}},
        {"logprobs": {"content": [{"token": "4", "logprob": -0.1, "top_logprobs": []}]}},
        {"logprobs": {"content": [{"top_logprobs": [{"token": "a", "logprob": math.nan}]}]}},
    ],
)  # fmt: skip
def test_what_is_no_log_probability_is_none(choice):
    assert read_logprobs(choice) is None


def test_a_token_that_was_drawn_and_is_not_listed_does_not_count():
    token = {"token": "7", "logprob": -9.0, "top_logprobs": [{"token": "4", "logprob": -0.1}]}
    assert read_logprobs({"logprobs": {"content": [token]}}) == ((("4", -0.1),),)


def test_minus_infinity_is_a_chance_of_nothing():
    token = {"token": "4", "logprob": 0.0, "top_logprobs": [{"token": "5", "logprob": -math.inf}]}
    assert dict(read_logprobs({"logprobs": {"content": [token]}})[0])["5"] == -math.inf


@given(st.text(), st.none() | PLACES)
def test_the_ledger_gives_back_what_it_was_given(words, places):
    reply = Reply(words, logprobs=places)
    assert unpack_reply(pack_reply(reply)) == (reply.text, reply.logprobs)


def test_a_reply_that_looks_like_a_kept_one_is_only_a_text():
    trick = pack_reply(Reply("4", logprobs=((("4", -0.1),),)))
    assert unpack_reply(pack_reply(Reply(trick))) == (trick, None)
    assert unpack_reply("ig4-logprobs: says an old reply") == (
        "ig4-logprobs: says an old reply", None,
    )  # fmt: skip


@pytest.mark.parametrize("settings", [None, CallSettings(batch=True, poll_seconds=0.01)])
def test_what_was_paid_for_is_read_again_at_no_cost(session, dataset, llm_server, settings):
    rate(session, dataset, settings=settings)
    first = column(session, "SELECT value FROM scores_long ORDER BY external_id")
    with session.store.writing() as connection:
        for table in ("score_details", "scores"):
            connection.execute(text(f"DELETE FROM {table}"))
    rate(session, dataset, settings=settings)
    assert column(session, "SELECT value FROM scores_long ORDER BY external_id") == first
    assert len(llm_server.calls()) == 3


def test_the_score_is_the_mean_over_the_digits_that_the_server_knows_of(
    session, dataset, llm_server
):
    rate(session, dataset)
    prompts = [call["prompt"] for call in llm_server.calls()]
    means = []
    for prompt in prompts:
        chances = digits_of(prompt)
        digits = {n: chances[str(n)] + chances[f" {n}"] for n in range(1, 7)}
        means.append(sum(n * p for n, p in digits.items()) / sum(digits.values()))
    values = column(session, "SELECT value FROM scores_long ORDER BY external_id")
    assert sorted(values) == pytest.approx(sorted(means))
    template = question_template("quality", 6)
    assert prompts[0].startswith(template.text[:80])


def test_a_server_that_tells_none_ends_the_run_with_its_first_reply(session, dataset, llm_server):
    llm_server.rule("no-logprobs")
    with pytest.raises(ServiceError, match="tells no log-probabilities of gpt-4o-mini"):
        rate(session, dataset)
    assert len(llm_server.calls()) == 1
    assert column(session, "SELECT error FROM scores_long") == []


def test_a_reply_without_them_among_others_is_asked_for_again_on_a_retry(
    session, dataset, llm_server
):
    llm_server.rule("no-logprobs", match="Caption 1")
    assert rate(session, dataset).failed == {"digit-rating": 1}
    (error,) = filter(None, column(session, "SELECT error FROM scores_long"))
    assert "told no log-probabilities" in error
    llm_server.configure(rules=[])
    assert rate(session, dataset, retry_failed=True).failed == {"digit-rating": 0}
    assert len(llm_server.calls()) == 4


def test_a_server_that_refuses_the_parameter_ends_the_run_and_says_what_to_try(
    session, dataset, llm_server
):
    llm_server.rule("400", message="top_logprobs must be at most 5")
    with pytest.raises(ServiceError, match=r"-o digit-rating\.top_logprobs=5"):
        rate(session, dataset)


def test_a_model_that_begins_with_words_gave_no_rating(session, dataset, llm_server):
    llm_server.configure(digit_mass=0.3)
    assert rate(session, dataset).failed == {"digit-rating": 3}
    error = column(session, "SELECT error FROM scores_long")[0]
    assert "with a chance of only 30.0 %; the likeliest beginning was 'The'" in error


def test_anthropics_interface_has_none(llm_server):
    async def send(provider):
        return await provider.send(ASKED)

    with pytest.raises(Ig4Error, match="gives no log-probabilities"):
        run(AnthropicProvider, send)
    assert llm_server.calls() == []
