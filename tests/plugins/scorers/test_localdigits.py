"""DEITA's and SelectIT's scores by a checkpoint: its own next-token chances, whatever the batch."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
tokenizers = pytest.importorskip("tokenizers")
pytest.importorskip("sentencepiece")

from ig4.core.errors import PrerequisiteError, UsageError  # noqa: E402 - skipped without torch
from ig4.core.host.fingerprint import sha256_of  # noqa: E402 - as above
from ig4.core.records import Failure, Sample, Turn  # noqa: E402 - as above
from ig4.plugins.llm.digits import sentence_score, token_score  # noqa: E402 - as above
from ig4.plugins.llm.exchanges import Exchange  # noqa: E402 - as above
from ig4.plugins.models.causal import DigitModel  # noqa: E402 - as above
from ig4.plugins.scorers.localdigits import (  # noqa: E402 - as above
    QUALITY_FORM,
    DeitaLocal,
    DeitaLocalOptions,
    SelectitLocal,
    SelectitLocalOptions,
    map_form,
)

from ...tiny_models import make_llama, seeded  # noqa: E402 - as above

pytestmark = pytest.mark.slow

TALK = Sample(
    "talk", "What? Which?", "A bus. Red.",
    (Turn("user", "What?"), Turn("assistant", "A bus."), Turn("user", "Which?"),
     Turn("assistant", "Red.")),
)  # fmt: skip
SAMPLES = [
    Sample("a", "What is shown?", "A dog."),
    TALK,
    Sample("b", "Describe it.", "The sky is blue with a few white clouds, and the sun is low."),
]


@pytest.fixture(scope="module")
def llama(tmp_path_factory):
    """A tiny Llama with its tokenizer, saved as the published scorers are."""
    return make_llama(tmp_path_factory.mktemp("models") / "llama")


@pytest.fixture
def opened():
    """Open a scorer; it is closed at the end."""
    made = []

    def _open(scorer):
        scorer.open()
        made.append(scorer)
        return scorer

    yield _open
    for scorer in made:
        scorer.close()


def deita(folder, other=None, **options):
    return DeitaLocal(
        DeitaLocalOptions(
            complexity_model=str(folder),
            quality_model=str(other or folder),
            device="cpu",
            **options,
        )
    )


def selectit(folder, **options):
    return SelectitLocal(SelectitLocalOptions(model=str(folder), device="cpu", **options))


def digits_after(folder, prompt, levels):
    """Return the chances of digits after a prompt, by transformers alone and without padding."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    with torch.inference_mode():
        logits = model(**tokenizer(prompt, return_tensors="pt")).logits[0, -1]
    ids = tokenizer.convert_tokens_to_ids([str(n) for n in range(1, levels + 1)])
    return torch.softmax(logits[ids].float(), 0), torch.softmax(logits.float(), 0)[ids]


def test_deita_is_the_softmax_over_the_six_digits_that_follow_the_published_inputs(llama, opened):
    complexity = (
        "You are a helpful assistant. Please identify the complexity score of the following user "
        "query. \n##Query: What is shown?  \n##Complexity: "
    )
    quality = (
        "You are a helpful assistant. Please identify the quality score of the Response "
        "corresponding to the Question. \n #Question#:\nWhat is shown?\n#Response#:\nA dog. "
        "\n##Quality: "
    )
    weights = torch.arange(1.0, 7.0)
    wanted = [float(digits_after(llama, text, 6)[0] @ weights) for text in (complexity, quality)]
    (score,) = opened(deita(llama)).score(SAMPLES[:1])
    assert score.outputs == pytest.approx(dict(zip(("complexity", "quality"), wanted, strict=True)))
    assert score.value == pytest.approx(wanted[0] * wanted[1])


def test_exchanges_are_rated_one_by_one(llama, opened):
    scorer = opened(deita(llama))
    whole, first, second = scorer.score(
        [TALK, Sample("1", "What?", "A bus."), Sample("2", "Which?", "Red.")]
    )
    assert whole.value == pytest.approx(first.value + second.value, rel=1e-5)


def test_two_models_rate_each_their_own(llama, tmp_path, opened):
    other = tmp_path / "other"
    other.mkdir()
    for file in llama.iterdir():
        (other / file.name).write_bytes(file.read_bytes())
    with torch.random.fork_rng():
        torch.manual_seed(7)
        config = transformers.AutoConfig.from_pretrained(llama)
        model = transformers.LlamaForCausalLM(config)
        for value in model.parameters():
            torch.nn.init.normal_(value, std=0.3)
    model.save_pretrained(other)
    (same,), (mixed,) = (
        opened(deita(llama)).score(SAMPLES[:1]),
        opened(deita(llama, other)).score(SAMPLES[:1]),
    )
    assert mixed.outputs["complexity"] == pytest.approx(same.outputs["complexity"])
    assert mixed.outputs["quality"] != pytest.approx(same.outputs["quality"], rel=1e-3)


def test_selectit_follows_from_the_chances_after_each_of_its_prompts(llama, opened):
    scorer = opened(selectit(llama, prompts=3))
    (score,) = scorer.score(SAMPLES[:1])
    tokens, masses = [], []
    for template in scorer._templates:
        prompt = template.render("What is shown?", "A dog.") + "\nThe rating is:\n"
        among, of_all = digits_after(llama, prompt, 5)
        tokens.append(token_score(among.tolist()))
        masses.append(float(of_all.sum()))
    assert score.details["token_scores"] == pytest.approx(tokens, rel=1e-4)
    assert score.details["mass"] == pytest.approx(masses, rel=1e-4)
    assert score.value == pytest.approx(sentence_score(tokens, 0.2), rel=1e-4)


@pytest.mark.parametrize("make", [deita, selectit])
def test_neither_batches_nor_padding_move_a_value(llama, opened, make):
    together = opened(make(llama, forward_batch_size=16)).score(SAMPLES)
    for n, sample in enumerate(SAMPLES):
        (alone,) = opened(make(llama, forward_batch_size=1)).score([sample])
        assert alone.value == pytest.approx(together[n].value, rel=1e-5)


@pytest.mark.parametrize("make", [deita, selectit])
def test_a_prompt_that_is_too_long_is_an_error_and_nothing_is_cut_off_it(llama, opened, make):
    long = Sample("long", "Describe it.", "word " * 2000)
    results = opened(make(llama)).score([SAMPLES[0], long])
    assert not isinstance(results[0], Failure)
    assert isinstance(results[1], Failure)
    assert "tokens, and" in results[1].reason
    assert "reads 1,024" in results[1].reason


def test_braces_in_a_sample_mean_nothing():
    given = Exchange("{output} of {instruction}", "{instruction}")
    (made,) = map_form(QUALITY_FORM, [given])
    assert made.count("{output} of {instruction}") == 1
    assert made.endswith("#Response#:\n{instruction} \n##Quality: ")


def test_what_is_not_there_is_told_before_anything_is_computed(tmp_path):
    missing = tmp_path / "missing"
    for make in (deita, selectit):
        with pytest.raises(PrerequisiteError, match="there is no such folder"):
            make(missing).identity(sha256_of)
    (tmp_path / "empty").mkdir()
    with pytest.raises(PrerequisiteError, match="holds no causal language model"):
        selectit(tmp_path / "empty").open()


def test_another_architecture_is_not_filled_with_random_weights(llama, tmp_path):
    folder = tmp_path / "torn"
    folder.mkdir()
    for file in llama.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    config = transformers.AutoConfig.from_pretrained(llama)
    seeded(lambda: transformers.LlamaModel(config)).save_pretrained(folder)
    with pytest.raises(PrerequisiteError, match="not complete: 1 weights"):
        selectit(folder).open()


def test_a_tokenizer_without_digits_is_refused(llama):
    words = tokenizers.Tokenizer(tokenizers.models.WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=words, unk_token="[UNK]")
    model = transformers.AutoModelForCausalLM.from_pretrained(llama)
    options = SelectitLocalOptions(model=str(llama), device="cpu")
    with pytest.raises(UsageError, match="of words has no token for the digit 1"):
        DigitModel(model, tokenizer, options, "words").digit_logprobs(["x"], 5)


def test_the_fingerprint_knows_a_folder_by_its_content(llama, tmp_path):
    copy = tmp_path / "copy"
    copy.mkdir()
    for file in llama.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    assert selectit(copy).identity(sha256_of) == selectit(llama).identity(sha256_of)
    (copy / "config.json").write_text((copy / "config.json").read_text() + "\n")
    assert selectit(copy).identity(sha256_of) != selectit(llama).identity(sha256_of)
    for options in ({"prompts": 2}, {"alpha": 0.3}, {"flatten": False}, {"max_length": 99}):
        assert selectit(llama, **options).identity(sha256_of) != selectit(llama).identity(sha256_of)
