"""Vision encoders of several families: the vectors that the model itself gives."""

from __future__ import annotations

import numpy as np
import pytest

from ig4.core.errors import UsageError
from ig4.core.host.host import Host
from ig4.core.records import Choice
from ig4.core.testing import make_picture

from ...tiny_encoders import make_convnext, make_dinov2, make_siglip, make_vit

pytestmark = pytest.mark.slow

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

PICTURES = [make_picture(n, 60, 40) for n in range(3)]


def built(folder, **options):
    given = {"model": str(folder), "device": "cpu", **options}
    return Host.discover().build(Choice("embedder", "vision", given))


def embedded(folder, **options):
    embedder = built(folder, **options)
    embedder.open()
    try:
        return embedder.embed([embedder.prepare(picture) for picture in PICTURES])
    finally:
        embedder.close()


def own(folder, tower=lambda model: model):
    """What the model gives for the pictures, through transformers alone."""
    processor = transformers.AutoImageProcessor.from_pretrained(folder)
    model = tower(transformers.AutoModel.from_pretrained(folder)).eval()
    with torch.inference_mode():
        return model(**processor(images=PICTURES, return_tensors="pt"))


def test_dinov2_is_pooled_by_its_first_token(tmp_path):
    folder = make_dinov2(tmp_path)
    expected = own(folder)
    np.testing.assert_allclose(embedded(folder), expected.pooler_output.numpy(), atol=1e-5)
    np.testing.assert_allclose(
        embedded(folder, pooling="mean"),
        expected.last_hidden_state[:, 1:].mean(dim=1).numpy(),
        atol=1e-5,
    )


def test_of_siglip_the_tower_of_images_is_taken(tmp_path):
    folder = make_siglip(tmp_path)
    expected = own(folder, lambda model: model.vision_model).pooler_output.numpy()
    np.testing.assert_allclose(embedded(folder), expected, atol=1e-5)
    with pytest.raises(UsageError, match="no first token"):
        embedded(folder, pooling="cls")


def test_a_pooler_that_was_never_trained_is_not_used(tmp_path):
    folder = make_vit(tmp_path, pooler=False)
    first = own(folder).last_hidden_state[:, 0].numpy()
    np.testing.assert_allclose(embedded(folder), first, atol=1e-5)
    np.testing.assert_array_equal(embedded(folder), embedded(folder))
    with pytest.raises(UsageError, match="no trained pooler"):
        embedded(folder, pooling="pooler")


def test_a_trained_pooler_is_used(tmp_path):
    folder = make_vit(tmp_path)
    np.testing.assert_allclose(embedded(folder), own(folder).pooler_output.numpy(), atol=1e-5)


def test_a_network_without_tokens_is_averaged(tmp_path):
    folder = make_convnext(tmp_path)
    expected = own(folder).last_hidden_state.flatten(2).mean(dim=2).numpy()
    np.testing.assert_allclose(embedded(folder), expected, atol=1e-5)
