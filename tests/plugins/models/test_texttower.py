"""Text is cut after its end token where that changes nothing, and nowhere else."""

import pytest

from ig4.plugins.models import clipoptions, openclip
from ig4.plugins.models.texttower import find_truncated

pytestmark = pytest.mark.slow

TEXTS = [
    "a dog",
    "a red bus stands at the corner of a long street, seen from behind",
    "!",
    "word " * 100,
]


@pytest.fixture
def load(checkpoint):
    held = []

    def _load(kind, **options):
        held.append(clipoptions.ClipModelOptions(**{**checkpoint(kind), **options}))
        return openclip.acquire(held[-1])

    yield _load
    for options in held:
        openclip.release(options)


def whole_context(model, tokens):
    """What the tower itself says of all positions, normalised."""
    import torch

    with torch.inference_mode():
        features = model.encode_text(tokens).float()
    return features / features.norm(dim=-1, keepdim=True)


def widths(clip, monkeypatch, tokens):
    """How many positions each text is run on."""
    seen = []
    encode = clip.model.encode_text
    monkeypatch.setattr(
        clip.model, "encode_text", lambda t: (seen.append(t.shape[1]), encode(t))[1]
    )
    clip.encode_texts(tokens)
    return seen


@pytest.mark.parametrize("kind", ["plain", "custom", "end-token", "resnet"])
def test_a_causal_tower_read_at_its_end_token_runs_on_the_longest_text(load, monkeypatch, kind):
    clip = load(kind)
    tokens = clip.tokenizer(["a dog", "a small dog"])
    assert widths(clip, monkeypatch, tokens) == [5]  # start, three words, end


@pytest.mark.parametrize("kind", ["two-ways", "pooled-last", "coca"])
def test_any_other_tower_gets_its_whole_context(load, monkeypatch, kind):
    clip = load(kind)
    tokens = clip.tokenizer(["a dog", "a small dog"])
    assert widths(clip, monkeypatch, tokens) == [tokens.shape[1]]


def test_a_tower_that_is_not_open_clips_own_gets_its_whole_context():
    import torch

    from ig4.plugins.models.texttower import text_tower

    class Foreign(torch.nn.Module):
        def encode_text(self, tokens):
            return tokens.float()

    tokens = torch.tensor([[1, 9, 0, 0]])
    assert text_tower(Foreign()).encode(tokens).shape == (1, 4)


@pytest.mark.parametrize("kind", ["plain", "custom", "end-token"])
def test_a_cut_text_has_the_embedding_of_the_whole_context(load, kind):
    clip = load(kind)
    for texts in (TEXTS[:1], TEXTS[:3], TEXTS):
        tokens = clip.tokenizer(texts)
        assert (clip.encode_texts(tokens) - whole_context(clip.model, tokens)).abs().max() <= 1e-5


def test_a_tower_that_sees_later_positions_would_give_something_else_if_it_were_cut(load):
    """The reason for the rule: without it the numbers change."""
    clip = load("two-ways")
    tokens = clip.tokenizer(["a dog"])
    cut = whole_context(clip.model, tokens).clone()
    clip.model.text.positional_embedding.data[10:] *= -50.0  # only places after the end token
    assert (whole_context(clip.model, tokens) - cut).abs().max() > 1e-3


def test_only_texts_that_lost_something_count_as_truncated(load):
    tokenizer = load("plain").tokenizer
    texts = ["short", "word " * 75, "word " * 76, "!" * 3, "a ! " * 37, ""]
    assert find_truncated(tokenizer, texts, tokenizer(texts)) == [
        False, False, True, False, False, False,
    ]  # fmt: skip


@pytest.mark.parametrize(
    "kind", ["plain", "custom", "end-token", "two-ways", "pooled-last", "coca", "resnet"]
)
def test_texts_are_what_open_clip_makes_of_them_by_itself(checkpoint, load, kind):
    import open_clip
    import torch

    clip = load(kind)
    name, weights = checkpoint(kind)["model"], checkpoint(kind)["pretrained"]
    own = open_clip.create_model(name, pretrained=weights).eval()
    tokens = clip.tokenizer(TEXTS)
    expected = whole_context(own, tokens)
    assert torch.allclose(clip.encode_texts(tokens), expected, atol=1e-5)
