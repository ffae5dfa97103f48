"""AlpaGasus' and MLM-Filter's ratings, through either service."""

from __future__ import annotations

import asyncio
import json

import numpy as np
import pytest
from pydantic import ValidationError

from ig4.core.calls.request import Reply, UnreadableError
from ig4.core.host.fingerprint import sha256_of
from ig4.core.records import Failure, Image, Sample
from ig4.core.testing import make_samples
from ig4.plugins.llm.rubrics import METRICS
from ig4.plugins.scorers.alpagasus import Alpagasus, AlpagasusOptions
from ig4.plugins.scorers.mlmfilter import MlmFilter, MlmFilterOptions

SAMPLE = make_samples()[0]


class Asked:
    """Answers with what a text in the prompt says, and keeps the requests."""

    def __init__(self, **answers):
        self.answers = answers
        self.requests = []

    async def __call__(self, request, read):
        self.requests.append(request)
        text = next(text for part, text in self.answers.items() if part in request.prompt)
        return read(Reply(text, "stop"))


def alpagasus(text, **options):
    return asyncio.run(Alpagasus(AlpagasusOptions(**options)).rate(SAMPLE, Asked(**{"": text})))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("4.5\nIt is right.", 4.5), ("Score: 3", 3), ("5/5", 5), ("4 out of 5", 4),
        ("Score (0-5): 2", 2), ('{"score": 4, "explanation": "x"}', 4), ("0", 0), ("4 points", 4),
        ('{"score": "4/5", "out_of": 5}', 4),
    ],
)  # fmt: skip
def test_a_rating_from_0_to_5_is_read_from_the_first_line(text, wanted):
    assert alpagasus(text).value == wanted


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("5.5", "5.5 is not between 0 and 5"), ("87", "87 is not between 0 and 5"),
        ("4/10", "another scale than 0 to 5"), ("80/100", "another scale"), ("4%", "no rating"),
        ("4 out of ten", "another scale"), ("between 3 and 4", "a range"),
        ("It is good.", "no rating"),
        ('{"score": 4, "max": 10}', "another scale"), ("4, on a 10-point scale", "another scale"),
    ],
)  # fmt: skip
def test_what_is_not_from_0_to_5_is_no_rating(text, told):
    with pytest.raises(UnreadableError, match=told):
        alpagasus(text)


def test_the_dimension_is_what_is_asked_for_and_part_of_a_score():
    asked = Asked(**{"how helpful": "3"})
    helpful = Alpagasus(AlpagasusOptions(dimension="helpfulness"))
    assert asyncio.run(helpful.rate(SAMPLE, asked)).value == 3
    assert helpful.identity(sha256_of) != Alpagasus(AlpagasusOptions()).identity(sha256_of)
    assert helpful.to_percent(np.array([4.5])).tolist() == [90]


def mlm(asked, sample=SAMPLE, **options):
    return asyncio.run(MlmFilter(MlmFilterOptions(**options)).rate(sample, asked))


FOUR = {
    "fits the image": "80", "details of the objects": "60", "good the text": "90",
    "beyond what meets": "10",
}  # fmt: skip


def test_each_metric_is_asked_for_by_itself_and_shown_the_image():
    asked = Asked(**FOUR)
    score = mlm(asked)
    assert score.outputs == {
        "image_text_matching": 80, "object_detail_fulfillment": 60,
        "caption_text_quality": 90, "semantic_understanding": 10,
    }  # fmt: skip
    assert score.value == 60
    assert len(asked.requests) == 4
    assert all(len(request.images) == 1 for request in asked.requests)


def test_fewer_metrics_cost_fewer_requests_and_are_another_scorer():
    asked = Asked(**FOUR)
    options = MlmFilterOptions(metrics="image_text_matching, object_detail_fulfillment")
    assert MlmFilter(options).outputs == ("image_text_matching", "object_detail_fulfillment")
    assert asyncio.run(MlmFilter(options).rate(SAMPLE, asked)).value == 70
    assert len(asked.requests) == 2
    assert MlmFilter(options).identity(sha256_of) != MlmFilter(MlmFilterOptions()).identity(
        sha256_of
    )


@pytest.mark.parametrize("metrics", ["beauty", "image_text_matching,image_text_matching", ""])
def test_there_are_no_other_metrics(metrics):
    with pytest.raises(ValidationError, match="choose from"):
        MlmFilterOptions(metrics=metrics)


def test_one_metric_that_cannot_be_read_fails_the_sample_after_all_were_answered():
    asked = Asked(**{**FOUR, "good the text": "fine"})
    with pytest.raises(UnreadableError, match="no rating"):
        mlm(asked)
    assert len(asked.requests) == 5  # four, and the reminder


def test_a_sample_without_image_or_with_a_broken_one_fails():
    assert isinstance(mlm(Asked(), Sample("a", "What?", "A dog.")), Failure)
    broken = Sample("a", "What?", "A dog.", images=(Image(None, problem="x.png is missing"),))
    assert mlm(Asked(), broken) == Failure("x.png is missing")


def test_the_schema_asks_for_the_same_scale():
    asked = Asked(**FOUR)
    mlm(asked)
    assert "0 to 100" in json.dumps(asked.requests[0].schema)
    assert set(METRICS) == set(MlmFilter(MlmFilterOptions()).outputs)


@pytest.mark.parametrize("service", ["openai", "anthropic"])
@pytest.mark.parametrize("name", ["alpagasus", "mlm-filter", "mmssr"])
def test_either_service_rates_and_a_key_that_is_missing_names_the_scorer(
    name, service, llm_server, monkeypatch
):
    pytest.importorskip("openai")
    pytest.importorskip("anthropic")
    from ig4.core.errors import PrerequisiteError
    from ig4.core.host.host import Host
    from ig4.core.records import Choice, Score

    scorer = Host.discover().build(Choice("scorer", name, {"service": service}))
    (result,) = scorer.score([SAMPLE])
    assert isinstance(result, Score), result
    assert set(result.outputs or {}) == set(scorer.outputs)
    for variable in ("OPENAI", "ANTHROPIC"):
        monkeypatch.delenv(f"{variable}_API_KEY", raising=False)
        monkeypatch.delenv(f"{variable}_BASE_URL", raising=False)
    with pytest.raises(PrerequisiteError, match=f"^{name} has no key"):
        scorer.score([SAMPLE])
