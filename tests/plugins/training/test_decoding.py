"""Answers: drawn from the right distribution, each by its own seed."""

from __future__ import annotations

import pytest
import torch

from ig4.core.contracts.training import Decoding, Prompt, TrainingError
from ig4.core.errors import UsageError
from ig4.core.files.images.decode import ImageError
from ig4.core.records import Failure, Turn
from ig4.plugins.training.decoding import Sampling, SeededSampling, generate_answers

pytestmark = pytest.mark.slow

LOGITS = torch.tensor([2.0, 1.0, 0.0, -1.0])


def drawn(sampling: Sampling, count: int = 4000, seed: int = 0) -> torch.Tensor:
    """Return how often each token is drawn, as shares."""
    names = [f"prompt-{number}" for number in range(count)]
    scores = SeededSampling(sampling, names, seed)(None, LOGITS.expand(count, -1).clone())
    return torch.bincount(scores.argmax(dim=-1), minlength=4) / count


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_tokens_are_drawn_by_their_probability(temperature):
    expected = torch.softmax(LOGITS / temperature, dim=-1)
    assert torch.allclose(drawn(Sampling(temperature=temperature)), expected, atol=0.03)


def test_top_p_leaves_the_improbable_out():
    shares = drawn(Sampling(temperature=1.0, top_p=0.7))
    assert shares[2] == shares[3] == 0
    kept = torch.softmax(LOGITS[:2], dim=-1)
    assert torch.allclose(shares[:2], kept, atol=0.03)


def test_a_draw_depends_on_seed_and_name_and_not_on_its_place():
    sampling = Sampling(temperature=1.0)
    names = ["a", "b", "c"]
    one = SeededSampling(sampling, names, 0)(None, LOGITS.expand(3, -1).clone())
    other = SeededSampling(sampling, ["c", "x", "a"], 0)(None, LOGITS.expand(3, -1).clone())
    assert torch.equal(one[0], other[2])
    assert torch.equal(one[2], other[0])
    reseeded = SeededSampling(sampling, names, 1)(None, LOGITS.expand(3, -1).clone())
    assert not torch.equal(one, reseeded)


def test_what_the_user_says_goes_over_the_published_values():
    usual = Sampling(max_new_tokens=300, temperature=1.0, top_p=0.9)
    assert usual.with_overrides(Decoding()) == usual
    both = usual.with_overrides(Decoding(max_new_tokens=5, temperature=0.0))
    assert (both.max_new_tokens, both.temperature, both.top_p) == (5, 0.0, 0.9)


def test_beams_mean_search():
    assert Sampling(temperature=1.0).with_overrides(Decoding(num_beams=3)).temperature == 0
    with pytest.raises(UsageError, match="beams search"):
        Sampling().with_overrides(Decoding(num_beams=3, temperature=0.7))


@pytest.mark.parametrize("wrong", [{"top_p": 0.0}, {"repetition_penalty": 0.0}])
def test_values_that_make_no_sense_are_refused(wrong):
    with pytest.raises(UsageError, match="decoding"):
        Sampling().with_overrides(Decoding(**wrong))


def prompt(name: str) -> Prompt:
    return Prompt(name, (Turn("user", name),))


def prepare(one: Prompt) -> str:
    if one.id == "bad":
        raise ImageError("bad.jpg: the image file is missing")
    return one.id.upper()


def test_one_bad_prompt_is_a_failure_in_its_place():
    asked = [prompt(name) for name in ("a", "bad", "b", "c")]
    given = list(generate_answers(asked, 2, prepare, lambda prompts, ready: list(ready)))
    assert given == ["A", Failure("bad.jpg: the image file is missing"), "B", "C"]


def test_a_batch_of_bad_prompts_asks_nobody():
    def refuse(prompts, ready):
        raise AssertionError("nothing to answer")

    assert len(list(generate_answers([prompt("bad")], 2, prepare, refuse))) == 1


def test_running_out_of_memory_says_which_knob():
    def explode(prompts, ready):
        raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(TrainingError, match="--batch-size"):
        list(generate_answers([prompt("a")], 2, prepare, explode))
