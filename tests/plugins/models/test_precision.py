"""Low precision goes where it is fast, and stays away from where it costs accuracy."""

import pytest

open_clip = pytest.importorskip("open_clip")
torch = pytest.importorskip("torch")

from ig4.plugins.models.precision import cast_model  # noqa: E402 - needs what is skipped without

pytestmark = pytest.mark.slow


@pytest.fixture
def model(checkpoint):
    """A fresh model of a kind, so that no other test sees it lowered."""

    def make(kind="plain"):
        given = checkpoint(kind)
        made = open_clip.create_model(given["model"], pretrained=given["pretrained"])
        return made.eval().requires_grad_(requires_grad=False)

    return make


def dtypes(modules):
    return {value.dtype for module in modules for value in module.parameters()}


def embedded(model, kind="plain"):
    generator = torch.Generator().manual_seed(0)
    pixels = torch.rand(4, 3, 32, 32, generator=generator)
    tokens = open_clip.get_tokenizer(f"ig4-test-{kind}")(["a dog", "a red bus on a road"])
    with torch.inference_mode():
        return model.encode_image(pixels).float(), model.encode_text(tokens).float()


def angles(one, two):
    return [float(1 - torch.cosine_similarity(a, b).min()) for a, b in zip(one, two, strict=True)]


@pytest.mark.parametrize("kind", ["plain", "custom", "coca"])
def test_the_products_of_the_blocks_are_lowered_and_nothing_around_them(model, kind):
    from open_clip.transformer import ResidualAttentionBlock

    lowered = model(kind)
    cast_model(lowered, "bf16")
    texts = lowered.transformer if kind == "plain" else lowered.text
    for tower in (lowered.visual, texts):
        blocks = [part for part in tower.modules() if type(part) is ResidualAttentionBlock]
        assert dtypes(part for block in blocks for part in (block.attn, block.mlp)) == {
            torch.bfloat16
        }
        assert dtypes(part for block in blocks for part in (block.ln_1, block.ln_2)) == {
            torch.float32
        }
    assert lowered.visual.conv1.weight.dtype == torch.bfloat16
    assert lowered.visual.positional_embedding.dtype == torch.float32


def test_what_runs_through_the_blocks_stays_in_full_precision(model):
    lowered = model()
    cast_model(lowered, "bf16")
    seen = set()
    for tower in (lowered.visual.transformer, lowered.transformer):
        for block in tower.resblocks:
            block.register_forward_hook(
                lambda _, given, out: seen.update((given[0].dtype, out.dtype))
            )
    embedded(lowered)
    assert seen == {torch.float32}


def test_that_is_closer_to_full_precision_than_casting_everything(model):
    exact, ours, everything = model(), model(), model().to(torch.bfloat16)
    cast_model(ours, "bf16")
    pixels = torch.rand(16, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        full = exact.encode_image(pixels)
        near = angles([full], [ours.encode_image(pixels).float()])
        far = angles([full], [everything.encode_image(pixels.bfloat16()).float()])
    assert near[0] < far[0] / 2


def test_batch_normalisation_is_not_rounded(model):
    exact, lowered = model("resnet"), model("resnet")
    cast_model(lowered, "fp16")
    statistics = [name for name in exact.state_dict() if "running_" in name]
    assert statistics
    for name in statistics:
        assert torch.equal(exact.state_dict()[name], lowered.state_dict()[name])


def test_full_precision_changes_nothing(model):
    exact, same = model(), model()
    cast_model(same, "fp32")
    assert angles(embedded(exact), embedded(same)) == pytest.approx([0, 0], abs=1e-6)
    assert dtypes([same]) == {torch.float32}
