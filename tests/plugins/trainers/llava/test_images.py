"""Images of LLaVA: padded to a square, as long as that is no monster."""

from __future__ import annotations

import pytest
from PIL import Image

from ig4.core.contracts.training import TrainingError
from ig4.core.files.images.decode import ImageShapeError
from ig4.core.testing import make_samples

pytestmark = pytest.mark.slow

pytest.importorskip("torch")

from ig4.plugins.trainers.llava.images import pad_to_square  # noqa: E402
from ig4.plugins.training.batches import explain_sample_errors  # noqa: E402


def test_a_strip_is_refused_before_it_is_padded():
    with pytest.raises(ImageShapeError, match=r"too long: 2 x 200,000 pixels, padded to a square"):
        pad_to_square(Image.new("RGB", (2, 200_000)))
    assert pad_to_square(Image.new("RGB", (20, 2000))).size == (2000, 2000)


def test_a_training_names_the_sample_that_shows_it():
    sample = make_samples(1)[0]
    told = pytest.raises(TrainingError, match=rf"sample '{sample.id}': the image is too long")
    with told, explain_sample_errors(sample):
        pad_to_square(Image.new("RGB", (2, 200_000)))
