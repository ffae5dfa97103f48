"""mmSSR: fourteen ratings and the styles in one reply; what is unclear in it is an error."""

from __future__ import annotations

import asyncio
import json

import numpy as np
import pytest

from ig4.core.calls.request import Reply, UnreadableError
from ig4.core.host.fingerprint import sha256_of
from ig4.core.records import Failure, Image, Sample
from ig4.plugins.llm.rubrics import CAPABILITIES, STYLES
from ig4.plugins.scorers.mmssr import Mmssr, MmssrOptions, read_rich

SAMPLE = Sample("a", "What is shown?", "A dog.")
RATINGS = {name: n % 6 for n, name in enumerate(CAPABILITIES)}
GOOD = {**RATINGS, "styles": ["coordinate", "yes-no"]}


class Asked:
    """Answers requests from a list, and keeps them."""

    def __init__(self, *texts):
        self.texts = list(texts)
        self.requests = []

    async def __call__(self, request, read):
        self.requests.append(request)
        return read(Reply(self.texts.pop(0), "stop"))


def rate(asked, sample=SAMPLE, **options):
    return asyncio.run(Mmssr(MmssrOptions(**options)).rate(sample, asked))


def test_there_are_fourteen_capabilities_and_nine_styles():
    assert (len(set(CAPABILITIES)), len(set(STYLES))) == (14, 9)


def test_one_reply_gives_all_ratings_their_mean_and_the_styles():
    asked = Asked(json.dumps(GOOD))
    score = rate(asked)
    assert score.value == np.mean(list(RATINGS.values()))
    assert {name: score.outputs[name] for name in CAPABILITIES} == RATINGS
    styles = {name: value for name, value in score.outputs.items() if name.startswith("style-")}
    assert [name for name, value in styles.items() if value] == ["style-coordinate", "style-yes-no"]
    assert set(styles.values()) == {0.0, 1.0}
    assert set(score.outputs) == set(Mmssr(MmssrOptions()).outputs)
    assert score.details == {"styles": ["coordinate", "yes-no"]}
    (request,) = asked.requests
    assert set(request.schema["properties"]) == {*CAPABILITIES, "styles"}


TAKEN = {
    "as it is": json.dumps(GOOD),
    "in a fence": f"```json\n{json.dumps(GOOD)}\n```",
    "after thoughts": f"<think>Hm, 3?</think>\n{json.dumps(GOOD)}",
    "with words after it": json.dumps(GOOD) + "\nI hope that helps.",
    "other names": json.dumps({k.replace("-", " ").title(): value for k, value in GOOD.items()}),
    "as texts": json.dumps(
        {**{k: f"{v}/5" for k, v in RATINGS.items()}, "styles": "yes/no, coordinate"}
    ),
    "the paper's names": json.dumps({**GOOD, "styles": ["coordinate", "yes/no"]}),
}  # fmt: skip


@pytest.mark.parametrize("text", TAKEN.values(), ids=TAKEN)
def test_a_clear_reply_is_read_in_every_form(text):
    assert read_rich(Reply(text, "stop")) == (RATINGS, ["coordinate", "yes-no"])


def without(name):
    return {key: value for key, value in GOOD.items() if key != name}


REFUSED = {
    "a rating is missing": (without("humanities"), "no rating for humanities"),
    "a rating is null": ({**GOOD, "humanities": None}, "humanities cannot be read: it is no num"),
    "a rating is a truth value": ({**GOOD, "humanities": True}, "humanities cannot be read"),
    "a rating is a list": ({**GOOD, "humanities": [3]}, "humanities cannot be read"),
    "a rating is too high": ({**GOOD, "humanities": 6}, "6 is not between 0 and 5"),
    "a rating is negative": ({**GOOD, "humanities": -1}, "-1 is not between 0 and 5"),
    "another scale": ({**GOOD, "humanities": "4/10"}, "on another scale than 0 to 5"),
    "a range": ({**GOOD, "humanities": "3-4"}, "names a range"),
    "words": ({**GOOD, "humanities": "high"}, "holds no rating"),
    "no styles": (without("styles"), "no list of styles"),
    "an empty list of styles": ({**GOOD, "styles": []}, "names no style"),
    "an unknown style": ({**GOOD, "styles": ["limerick"]}, "or one that there is not"),
    "styles that are numbers": ({**GOOD, "styles": [1]}, "no list of styles"),
    "twice, in two spellings": ({**GOOD, "Humanities": 1}, "names a capability twice"),
    "a list": ([GOOD], "no JSON object"),
    "prose": ("All are high: 4.", "no JSON object"),
    "a refusal": ("I'm sorry, I cannot rate this.", "refused to rate"),
    "nothing": ("", "the reply is empty"),
    "cut": (json.dumps(GOOD)[:-20], "JSON that cannot be read"),
    "a key twice": (json.dumps(GOOD)[:-1] + ', "humanities": 1}', "cannot be read"),
}  # fmt: skip


@pytest.mark.parametrize(("reply", "told"), REFUSED.values(), ids=REFUSED)
def test_anything_else_is_an_error_and_never_a_guess(reply, told):
    text = reply if isinstance(reply, str) else json.dumps(reply)
    with pytest.raises(UnreadableError, match=told):
        read_rich(Reply(text, "stop"))


def test_an_incomplete_reply_is_asked_for_once_more_with_a_reminder():
    asked = Asked(json.dumps(without("humanities")), json.dumps(GOOD))
    assert rate(asked).outputs["humanities"] == RATINGS["humanities"]
    assert "could not be read, or was not complete" in asked.requests[1].history[-1][1]
    with pytest.raises(UnreadableError, match="no rating for humanities"):
        rate(Asked(*[json.dumps(without("humanities"))] * 2))


def test_without_a_schema_the_prompt_alone_says_what_the_reply_is():
    asked = Asked(json.dumps(GOOD))
    rate(asked, structured=False)
    assert asked.requests[0].schema is None
    assert '"humanities": …' in asked.requests[0].prompt


def test_a_sample_whose_image_cannot_be_read_fails():
    broken = Sample("a", "What?", "A dog.", images=(Image(None, problem="x.png is missing"),))
    assert rate(Asked(), broken) == Failure("x.png is missing")


@pytest.mark.parametrize(
    "other", [{"model": "m"}, {"service": "anthropic"}, {"vision": False}, {"max_side": 99},
              {"temperature": 0.5}, {"structured": False}, {"max_tokens": 9}],
)  # fmt: skip
def test_whatever_shapes_a_reply_is_part_of_a_score(other):
    plain = Mmssr(MmssrOptions()).identity(sha256_of)
    assert Mmssr(MmssrOptions(**other)).identity(sha256_of) != plain


def test_percents_of_a_rating_and_of_a_style():
    mmssr = Mmssr(MmssrOptions())
    assert mmssr.to_percent(np.array([0, 2.5, 5])).tolist() == [0, 50, 100]
    assert mmssr.output_to_percent("humanities", np.array([4.0])).tolist() == [80]
    assert mmssr.output_to_percent("style-yes-no", np.array([0.0, 1.0])).tolist() == [0, 100]
