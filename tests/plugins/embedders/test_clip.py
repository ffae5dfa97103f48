"""CLIP image embeddings: what open_clip itself would give, raw."""

import numpy as np
import pytest
from PIL import Image

from ig4.core.files.images.decode import ImageShapeError
from ig4.core.host.host import Host
from ig4.core.records import Choice
from ig4.core.testing import embedder_checks, make_picture
from ig4.plugins.models.openclip import shorter_side

pytestmark = pytest.mark.slow

torch = pytest.importorskip("torch")
open_clip = pytest.importorskip("open_clip")


@pytest.fixture
def embedder(checkpoint):
    made = Host.discover().build(Choice("embedder", "clip", checkpoint()))
    made.open()
    yield made
    made.close()


def test_vectors_are_those_of_open_clip_not_normalised(embedder, checkpoint):
    given = checkpoint()
    model, _, preprocess = open_clip.create_model_and_transforms(
        given["model"], pretrained=given["pretrained"]
    )
    pictures = [make_picture(n, 60, 40) for n in range(3)]
    with torch.inference_mode():
        expected = model.eval().encode_image(torch.stack([preprocess(p) for p in pictures]))
    vectors = embedder.embed([embedder.prepare(picture) for picture in pictures])
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors, expected.numpy(), atol=1e-5)
    assert np.abs(np.linalg.norm(vectors, axis=1) - 1).min() > 1e-3


def test_the_batch_size_is_no_part_of_the_identity(checkpoint):
    def identity(**options):
        choice = Choice("embedder", "clip", {**checkpoint(), **options})
        return Host.discover().build(choice).identity(lambda path: "digest")

    assert identity(batch_size=1) == identity()
    assert identity(precision="bf16") != identity()


@pytest.mark.parametrize("size", [(2, 200_000), (200_000, 2)])
def test_a_strip_is_refused_before_it_becomes_enormous(embedder, size):
    with pytest.raises(ImageShapeError, match=r"too narrow: .* resized to a shorter side of"):
        embedder.prepare(Image.new("RGB", size))


@pytest.mark.parametrize(
    ("cfg", "side"),
    [
        ({"size": 224}, 224),
        ({"size": (336, 224)}, 336),
        ({"size": 224, "resize_mode": "longest"}, None),
        ({"size": 224, "resize_mode": "squash"}, None),
    ],
)
def test_the_shorter_side_is_known_of_each_way_to_resize(cfg, side):
    prepared = open_clip.transform.image_transform_v2(
        open_clip.transform.PreprocessCfg(**cfg), is_train=False
    )
    assert shorter_side(prepared) == side


def texts_embedder(checkpoint, **options):
    given = {**checkpoint(), "reads": "answer", **options}
    return Host.discover().build(Choice("embedder", "clip", given))


def embedded(embedder, texts):
    embedder.open()
    try:
        return embedder.embed(texts)
    finally:
        embedder.close()


def test_texts_are_read_as_the_scorer_reads_answers(checkpoint):
    from dataclasses import replace

    from ig4.core.testing.samples import sample_of

    answers = ["A red bus. It waits by the river. ", "Two children", "One. Two. Three. " * 9]
    texts = embedded(texts_embedder(checkpoint), answers)
    image = np.random.default_rng(0).normal(size=(1, texts.shape[1])).astype(np.float32)
    scorer = Host.discover().build(Choice("scorer", "clip", checkpoint()))
    scorer.open()
    scores = scorer.score([replace(sample_of(one), embeddings=image) for one in answers])
    scorer.close()
    unit = (image / np.linalg.norm(image))[0]
    np.testing.assert_allclose(100 * texts @ unit, [one.value for one in scores], atol=1e-4)


def test_a_whole_text_is_the_normalised_vector_of_open_clip(checkpoint):
    given = checkpoint()
    model, _, _ = open_clip.create_model_and_transforms(
        given["model"], pretrained=given["pretrained"]
    )
    texts = ["what is this? it is red.", "a boat"]
    with torch.inference_mode():
        tokens = open_clip.get_tokenizer(given["model"])(texts)
        expected = torch.nn.functional.normalize(model.eval().encode_text(tokens), dim=-1)
    found = embedded(texts_embedder(checkpoint, text="whole"), texts)
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-5)


def test_what_is_read_is_a_part_of_the_identity_of_texts_alone(checkpoint):
    def identity(**options):
        choice = Choice("embedder", "clip", {**checkpoint(), **options})
        return Host.discover().build(choice).identity(lambda path: "digest")

    assert "reads" not in identity()  # as before there were texts: stored images stay valid
    assert identity(max_sentences=3) == identity()
    assert identity(reads="answer") != identity(reads="instruction")
    assert identity(reads="answer", max_sentences=3) != identity(reads="answer")


def test_the_text_embedder_passes_the_conformance_kit(checkpoint):
    for check in embedder_checks(lambda: texts_embedder(checkpoint)):
        check()


def test_a_text_without_a_sentence_is_refused(checkpoint):
    with pytest.raises(ValueError, match="no sentence"):
        embedded(texts_embedder(checkpoint), ["..."])
