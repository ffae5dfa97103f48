"""The reward score is the model's own logit, whatever goes through the model beside a text."""

from __future__ import annotations

import json

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from ig4.core.errors import PrerequisiteError, UsageError  # noqa: E402 - skipped without torch
from ig4.core.host.fingerprint import sha256_of  # noqa: E402 - as above
from ig4.core.records import Failure, Sample, Score, Turn  # noqa: E402 - as above
from ig4.plugins.scorers.reward import Reward, RewardOptions  # noqa: E402 - as above

from ...tiny_reward import make_deberta, make_llama  # noqa: E402 - as above

pytestmark = pytest.mark.slow


@pytest.fixture(scope="session")
def deberta(tmp_path_factory):
    """A tiny DeBERTa-v2 reward model with random weights, in a folder."""
    return make_deberta(tmp_path_factory.mktemp("deberta"))


@pytest.fixture(scope="session")
def llama(tmp_path_factory):
    """A tiny decoder reward model with a chat template and no padding token."""
    return make_llama(tmp_path_factory.mktemp("llama"))


@pytest.fixture
def opened():
    """Make and open a scorer; it is closed at the end."""
    made = []

    def make(folder, **options):
        scorer = Reward(RewardOptions(model=str(folder), device="cpu", **options))
        scorer.open()
        made.append(scorer)
        return scorer

    yield make
    for scorer in made:
        scorer.close()


def samples(*answers, instruction="what is shown"):
    return [Sample(str(n), instruction, answer) for n, answer in enumerate(answers)]


MIXED = samples(
    "the dog runs",
    "a cat",
    "the big old house with the red grass and the blue sky is old and big",
    "dog",
    "the sky is blue and the grass is red and the dog sits on the grass",
)


def values(scorer, batch):
    given = scorer.score(batch)
    assert all(isinstance(one, Score) for one in given), given
    return [one.value for one in given]


def by_hand(folder, sample, kind):
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForSequenceClassification.from_pretrained(folder).eval()
    if kind == "pair":
        inputs = tokenizer(sample.instruction, sample.answer, return_tensors="pt")
    else:
        turns = [
            {"role": "user", "content": sample.instruction},
            {"role": "assistant", "content": sample.answer},
        ]
        text = tokenizer.apply_chat_template(turns, tokenize=False)
        inputs = tokenizer(text, return_tensors="pt", add_special_tokens=False)
        inputs.pop("token_type_ids", None)  # older tokenizers give what no decoder takes
    with torch.no_grad():
        return float(model(**inputs).logits[0, 0])


@pytest.mark.parametrize("kind", ["pair", "chat"])
def test_the_score_is_what_the_model_says_when_called_by_hand(opened, deberta, llama, kind):
    folder = deberta if kind == "pair" else llama
    expected = [by_hand(folder, sample, kind) for sample in MIXED]
    assert values(opened(folder), MIXED) == pytest.approx(expected, abs=1e-5)
    assert len({round(value, 3) for value in expected}) == len(MIXED)


@pytest.mark.parametrize("kind", ["deberta", "llama"])
@pytest.mark.parametrize("size", [1, 2, 3, 16])
def test_batch_size_and_order_change_nothing(opened, request, kind, size):
    folder = request.getfixturevalue(kind)
    alone = values(opened(folder, forward_batch_size=1), MIXED)
    scorer = opened(folder, forward_batch_size=size)
    assert values(scorer, MIXED) == pytest.approx(alone, abs=1e-5)
    assert values(scorer, MIXED[::-1]) == pytest.approx(alone[::-1], abs=1e-5)


def test_texts_of_like_length_go_through_the_model_together(opened, deberta):
    scorer = opened(deberta, forward_batch_size=2)
    widths = []
    scorer._model.register_forward_pre_hook(
        lambda _, __, given: widths.append(given["input_ids"].shape[1]), with_kwargs=True
    )
    scorer.score(MIXED)
    assert widths == sorted(widths, reverse=True)
    assert widths[-1] < widths[0] / 2


def test_what_is_cut_is_told(opened, deberta):
    long = samples("dog " * 100, "the dog runs")
    cut, whole = opened(deberta).score(long)
    # Instruction 3, answer 100, three special tokens; the model takes 48.
    assert cut.details == {"truncated_tokens": 106 - 48}
    assert whole.details is None


def test_a_chat_is_cut_at_its_beginning(opened, llama):
    scorer = opened(llama, max_length=16)
    end = " ".join(["cat"] * 30)
    one, two = scorer.score(samples("dog " + end, "house " + end))
    assert one.value == pytest.approx(two.value, abs=1e-6)
    assert one.details["truncated_tokens"] > 0


def test_a_conversation_is_shown_turn_by_turn(opened, llama):
    turns = (Turn("user", "what"), Turn("assistant", "a dog"), Turn("user", "is the sky blue"),
             Turn("assistant", "the sky is blue"))  # fmt: skip
    talk = Sample("s", "what\nis the sky blue", "a dog\nthe sky is blue", turns)
    plain = Sample("s", talk.instruction, talk.answer)
    one, two = values(opened(llama), [talk, plain])
    assert one != pytest.approx(two, abs=1e-4)


def test_a_template_can_be_left_out_or_asked_for(opened, llama, deberta):
    assert values(opened(llama, chat_template="never"), MIXED) != pytest.approx(
        values(opened(llama), MIXED), abs=1e-3
    )
    with pytest.raises(UsageError, match="has no chat template"):
        opened(deberta, chat_template="always")


def test_percents_are_ten_times_the_logit():
    import numpy as np

    scorer = Reward(RewardOptions())
    assert scorer.to_percent(np.array([-1.0, 4.25])).tolist() == [-10.0, 42.5]


# What scores depend on


def identity(**options):
    return Reward(RewardOptions(device="cpu", **options)).identity(sha256_of)


def test_a_folder_is_known_by_what_it_holds(deberta, llama, tmp_path):
    import shutil

    copy = tmp_path / "elsewhere"
    shutil.copytree(deberta, copy)
    assert identity(model=str(copy)) == identity(model=str(deberta))
    assert identity(model=str(llama)) != identity(model=str(deberta))


def test_how_much_goes_through_the_model_at_a_time_is_not_part_of_a_score():
    assert identity(batch_size=3, forward_batch_size=2, cache_dir="/tmp") == identity()


@pytest.mark.parametrize(
    "other",
    [
        {"model": "somebody/else"},
        {"revision": "v2"},
        {"max_length": 64},
        {"precision": "bf16"},
        {"chat_template": "never"},
    ],
)
def test_what_changes_a_score_is_part_of_it(other):
    assert identity(**other) != identity()


def test_a_processor_takes_full_precision_unless_told_otherwise():
    assert identity()["precision"] == "fp32"


# Refusals


def test_a_model_that_gives_several_numbers_is_refused(opened, deberta, tmp_path):
    config = transformers.AutoConfig.from_pretrained(deberta, num_labels=3)
    transformers.DebertaV2ForSequenceClassification(config).save_pretrained(tmp_path)
    transformers.AutoTokenizer.from_pretrained(deberta).save_pretrained(tmp_path)
    with pytest.raises(UsageError, match="gives 3 numbers"):
        opened(tmp_path)


def test_weights_that_are_not_there_tell_three_ways_to_get_them(opened, monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(PrerequisiteError, match="Three ways to get them"):
        opened("nobody/no-such-reward-model", cache_dir=str(tmp_path))


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UsageError, match="there is no such folder"):
        identity(model=str(tmp_path / "nowhere"))


@pytest.mark.parametrize("content", [None, {"model_type": "nonsense"}])
def test_a_folder_without_a_model_is_refused(opened, tmp_path, content):
    if content is not None:
        (tmp_path / "config.json").write_text(json.dumps(content))
    with pytest.raises(PrerequisiteError, match="holds no reward model"):
        opened(tmp_path)


def test_loading_and_scoring_print_nothing(opened, deberta, capfd):
    opened(deberta).score(MIXED)
    assert capfd.readouterr() == ("", "")


def test_a_text_without_words_costs_the_others_nothing(opened, deberta):
    given = opened(deberta).score(samples("the dog", "", "\ud83d\ude00 \x00", "a cat"))
    assert [isinstance(one, (Score, Failure)) for one in given] == [True] * 4
    (alone,) = opened(deberta).score(samples("the dog"))
    assert given[0].value == pytest.approx(alone.value, abs=1e-5)
