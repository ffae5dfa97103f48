"""What a rating depends on, and how several become one."""

from __future__ import annotations

import statistics

import pytest
from pydantic import ValidationError

from ig4.core.calls.request import RejectedError, Reply, UnreadableError
from ig4.core.errors import UsageError
from ig4.core.host.fingerprint import sha256_of
from ig4.core.host.options import fill_options
from ig4.core.records import Failure, Image, Sample
from ig4.plugins.llm.prompt import REMINDER
from ig4.plugins.llm.scorer import read_rating
from ig4.plugins.scorers.claude import Claude, ClaudeOptions
from ig4.plugins.scorers.gpt import Gpt, GptOptions

SAMPLE = Sample("a", "What is shown?", "A dog.")


def identity(**options):
    return Gpt(GptOptions(**options)).identity(sha256_of)


class Asked:
    """Answers requests from a list, and keeps them."""

    def __init__(self, *texts):
        self.texts = list(texts)
        self.requests = []

    async def __call__(self, request, read):
        self.requests.append(request)
        return read(Reply(self.texts.pop(0)))


def rate(asked, **options):
    import asyncio

    return asyncio.run(Gpt(GptOptions(**options)).rate(SAMPLE, asked))


def test_where_the_service_is_changes_no_score():
    assert identity(base_url="http://localhost:1/v1", timeout=3) == identity()


def test_an_address_with_a_password_is_refused_and_not_shown():
    with pytest.raises(UsageError, match="OPENAI_BASE_URL") as raised:
        fill_options(GptOptions, {"base_url": "http://me:hunter2@proxy/v1"}, "gpt")
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize(
    "other",
    [
        {"model": "gpt-4"},
        {"temperature": 0.5},
        {"max_tokens": 9},
        {"samples": 3},
        {"vision": True},
        {"vision": True, "max_side": 99},
        {"structured": False},
        {"extra": {"top_p": 0.5}},
    ],
)
def test_whatever_shapes_a_reply_is_part_of_a_score(other):
    assert identity(**other) != identity()


def test_so_is_the_prompt_by_what_it_says(tmp_path):
    one, two, other = (tmp_path / name for name in ("one", "two", "other"))
    one.write_text("{instruction} {answer}")
    two.write_text("{instruction} {answer}")
    other.write_text("{answer} {instruction}")
    assert identity(prompt=str(one)) == identity(prompt=str(two))
    assert identity(prompt=str(one)) != identity(prompt=str(other))
    assert identity(prompt=str(one)) != identity()


def test_one_rating_comes_with_its_explanation():
    score = rate(Asked("87\nClear."))
    assert (score.value, score.details) == (87.0, {"explanation": "Clear."})


def test_several_ratings_give_their_mean_and_spread():
    asked = Asked("80\nOne.", "90\nTwo.", "85\nThree.")
    score = rate(asked, samples=3)
    assert score.value == 85.0
    assert score.details["ratings"] == [80.0, 90.0, 85.0]
    assert score.details["spread"] == pytest.approx(statistics.stdev([80, 90, 85]))
    assert [request.repeat for request in asked.requests] == [0, 1, 2]
    assert {request.temperature for request in asked.requests} == {0.7}


def test_an_error_of_one_waits_for_the_replies_of_the_others():
    import asyncio

    arrived = []

    async def ask(request, read):
        if request.repeat == 0:
            raise RejectedError("not this one")
        await asyncio.sleep(0.01)
        arrived.append(request.repeat)
        return read(Reply("80"))

    with pytest.raises(RejectedError):
        rate(ask, samples=3)
    assert arrived == [1, 2]


def test_several_ratings_at_no_temperature_are_refused():
    with pytest.raises(ValidationError, match="are all the same"):
        GptOptions(samples=2, temperature=0)


def test_a_reply_without_a_rating_is_answered_with_a_reminder():
    asked = Asked("Nice!", "70")
    assert rate(asked).value == 70.0
    first, second = asked.requests
    assert first.history == ()
    assert second.history == (("assistant", "Nice!"), ("user", REMINDER))
    assert second.prompt == first.prompt


def test_after_that_it_is_an_error():
    with pytest.raises(UnreadableError, match="holds no rating; the reply was: 'Nicer!'"):
        rate(Asked("Nice!", "Nicer!"))


def test_what_a_refused_or_cut_reply_was_is_told():
    with pytest.raises(UnreadableError, match=r"refused to rate this: 'No\.'"):
        read_rating(Reply("No.", refused=True))
    with pytest.raises(UnreadableError, match=r"cut at max_tokens"):
        read_rating(Reply("This answer is", finish="length"))


def test_an_image_that_cannot_be_read_is_a_failure_where_it_is_to_be_seen():
    import asyncio

    broken = Sample("a", "What?", "A dog.", images=(Image(None, None, "a.jpg is missing"),))
    asked = Asked("87")
    assert asyncio.run(Gpt(GptOptions(vision=True)).rate(broken, asked)) == Failure(
        "a.jpg is missing"
    )
    assert asyncio.run(Gpt(GptOptions()).rate(broken, asked)).value == 87.0


def test_further_fields_can_be_given_on_the_command_line():
    assert GptOptions(extra='{"top_p": 0.5}').extra == {"top_p": 0.5}
    with pytest.raises(ValidationError):
        GptOptions(extra="{")


def test_claude_asks_the_same_of_another_model():
    claude = Claude(ClaudeOptions()).request(SAMPLE)
    gpt = Gpt(GptOptions()).request(SAMPLE)
    assert claude.prompt == gpt.prompt
    assert claude.model != gpt.model
