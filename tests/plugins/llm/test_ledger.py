"""Nothing is bought twice, whatever limit of tokens a run has: the ledger knows what serves it."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import text

pytest.importorskip("openai")
pytest.importorskip("anthropic")

from ig4.core.calls.request import ServiceError
from ig4.core.calls.settings import CallSettings
from ig4.core.engine.ingesting.ingest import DatasetSource, ingest
from ig4.core.engine.scoring.estimate import estimate
from ig4.core.engine.scoring.plan import ScoreRequest
from ig4.core.engine.scoring.score import score
from ig4.core.engine.session import Session
from ig4.core.events import Notice
from ig4.core.host.host import Host
from ig4.core.records import Choice
from ig4.storage.store import Store

DIRECT = CallSettings(concurrency=4)
BATCH = CallSettings(batch=True, poll_seconds=0.01)
LEAVE = CallSettings(batch=True, wait=False)


@pytest.fixture
def events():
    return []


@pytest.fixture
def session(tmp_path, events):
    with Store.open(tmp_path / "ig4.db") as store:
        yield Session(store, Host.discover(), [events.append])


@pytest.fixture
def dataset(session, tmp_path):
    rows = [{"image_id": f"c{n}", "caption": f"Caption {n}."} for n in range(4)]
    (tmp_path / "filter_cap.json").write_text(json.dumps({"annotations": rows}))
    return ingest(session, DatasetSource(tmp_path / "filter_cap.json", name="set")).dataset


@pytest.fixture(params=["gpt", pytest.param("claude", marks=pytest.mark.slow)])
def scorer(request):
    return request.param


def rate(session, dataset, scorer="gpt", settings=DIRECT, retry_failed=False, **options):
    choices = [Choice("scorer", scorer, options)]
    request = ScoreRequest(choices, call_settings=settings, retry_failed=retry_failed)
    return score(session, dataset, request)


def column(session, sql):
    with session.store.reading() as connection:
        return list(connection.scalars(text(sql)))


def errors(session):
    return column(session, "SELECT error FROM scores_long WHERE error IS NOT NULL")


def limits(llm_server):
    bodies = [json.loads(call["text"]) for call in llm_server.calls()]
    return sorted(body["max_tokens"] for body in bodies)


@pytest.mark.parametrize("settings", [DIRECT, BATCH], ids=["one by one", "batches"])
def test_a_reply_that_ended_is_the_reply_at_any_other_limit(
    session, dataset, scorer, settings, llm_server
):
    rate(session, dataset, scorer, settings)
    for limit in (2048, 64):
        request = ScoreRequest([Choice("scorer", scorer, {"max_tokens": limit})])
        told = estimate(session, dataset, request).asking[scorer]
        assert (told.requests, told.in_ledger) == (4, 4)
        done = rate(session, dataset, scorer, settings, max_tokens=limit)
        assert (done.done, done.failed) == ({scorer: 4}, {scorer: 0})
    assert len(llm_server.calls()) == 4


@pytest.mark.parametrize("settings", [DIRECT, BATCH], ids=["one by one", "batches"])
def test_a_reply_that_thoughts_ate_is_bought_once_more_with_more(
    session, dataset, scorer, settings, llm_server, events
):
    llm_server.rule("thinks", tokens=1000)
    done = rate(session, dataset, scorer, settings)
    assert done.failed == {scorer: 0}
    assert set(limits(llm_server)) == {512, 4096}
    assert limits(llm_server).count(512) <= 4
    assert limits(llm_server).count(4096) == 4
    notices = [one.text for one in events if isinstance(one, Notice) and "cut at" in one.text]
    assert notices == [notices[0]]
    assert "512 tokens" in notices[0]
    assert "4,096" in notices[0]


def test_what_was_cut_is_not_bought_again_at_the_same_limit(session, dataset, scorer, llm_server):
    llm_server.rule("thinks", tokens=10_000)
    assert rate(session, dataset, scorer).failed == {scorer: 4}
    assert set(errors(session)) == {
        f"all 4,096 tokens went into thoughts: raise `-o {scorer}.max_tokens`"
    }
    bought = len(llm_server.calls())
    assert bought == 8
    for options in ({}, {"max_tokens": 1024}, {"max_tokens": 100}):
        rate(session, dataset, scorer, retry_failed=True, **options)
    new = limits(llm_server)[:]
    for limit in (512, 4096):
        assert new.count(limit) == 4
    assert rate(session, dataset, scorer, max_tokens=12_000).failed == {scorer: 0}


def test_a_raised_limit_is_not_paid_for_again_when_the_run_is_repeated(
    session, dataset, scorer, llm_server
):
    llm_server.rule("thinks", tokens=1000)
    rate(session, dataset, scorer)
    with session.store.writing() as connection:
        connection.execute(text("DELETE FROM scores"))
    bought = len(llm_server.calls())
    assert rate(session, dataset, scorer).failed == {scorer: 0}
    assert rate(session, dataset, scorer, max_tokens=2000).failed == {scorer: 0}
    assert len(llm_server.calls()) == bought


def test_a_reply_that_was_cut_in_its_explanation_is_kept(session, dataset, llm_server):
    llm_server.rule("text", text="85\nIt is cle", finish="length")
    rate(session, dataset)
    rate(session, dataset, max_tokens=2048)
    assert len(llm_server.calls()) == 4
    assert column(session, "SELECT DISTINCT value FROM scores_long") == [85.0]


def test_a_number_that_an_earlier_ig4_took_from_a_cut_reply_is_read_anew(
    session, dataset, llm_server
):
    llm_server.rule("text", text="85\nFine")
    rate(session, dataset)
    with session.store.writing() as connection:
        connection.execute(text("UPDATE llm_calls SET reply = '8', finish = 'length'"))
        connection.execute(text("DELETE FROM scores"))
    rate(session, dataset)
    assert column(session, "SELECT DISTINCT value FROM scores_long") == [85.0]
    assert limits(llm_server) == [512] * 4 + [4096] * 4


@pytest.mark.parametrize("make", ["gpt", "claude"])
def test_a_batch_that_was_made_with_another_limit_is_collected(session, dataset, make, llm_server):
    llm_server.configure(batch_seconds=0.0)
    rate(session, dataset, make, LEAVE)
    for settings in (DIRECT, BATCH):
        rate(session, dataset, make, settings, max_tokens=700)
    assert len(column(session, "SELECT value FROM scores_long WHERE value IS NOT NULL")) == 4
    assert len(llm_server.calls()) == 4


def test_an_exhausted_account_ends_the_run_although_it_says_so_in_a_reply(
    session, dataset, llm_server
):
    body = json.dumps({"error": {"message": "Insufficient credits", "code": 402}})
    llm_server.rule("body", body=body)
    with pytest.raises(ServiceError, match=r"no credit is left .*Insufficient credits"):
        rate(session, dataset)
    assert len(llm_server.calls()) <= DIRECT.concurrency
    assert column(session, "SELECT state FROM llm_calls") == []


def test_an_exhausted_account_ends_the_run_although_a_line_of_a_batch_says_so(
    session, dataset, llm_server
):
    failed = {"response": {"status_code": 200, "body": {"error": {"code": "insufficient_quota"}}}}
    rules = [{"fault": "line", "line": failed, "match": "Caption 2", "times": 1}]
    llm_server.configure(rules=rules)
    with pytest.raises(ServiceError, match="no credit is left"):
        rate(session, dataset, settings=BATCH)
    assert sorted(column(session, "SELECT state FROM llm_calls")) == ["done"] * 3 + ["failed"]
    assert rate(session, dataset, settings=BATCH).failed == {"gpt": 0}
    assert len(llm_server.calls()) == 5
