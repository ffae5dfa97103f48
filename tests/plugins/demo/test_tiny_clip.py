"""The tiny CLIP model: small, an ordinary open_clip model, and good at its own scenes."""

from __future__ import annotations

import random

import numpy as np
import pytest

from ig4.core.contracts import Embedder, Scorer
from ig4.core.host.host import Host
from ig4.core.records import Choice, Image, Sample
from ig4.plugins import demo
from ig4.plugins.demo.scenes import draw_scene, render
from ig4.plugins.demo.words import conversation

pytestmark = pytest.mark.slow

pytest.importorskip("open_clip")

HELD_OUT = 3_000_000
"""A seed that neither the training (1,000,000 on) nor its evaluation (2,000,000 on) used."""


def test_the_weights_are_at_most_eight_megabytes():
    assert demo.tiny_clip_weights().stat().st_size <= 8_000_000


def test_open_clip_loads_it_as_it_loads_any_model():
    import open_clip

    open_clip.add_model_config(demo.tiny_clip_config())
    model, _, _ = open_clip.create_model_and_transforms(
        "ig4-tiny", pretrained=str(demo.tiny_clip_weights()), require_pretrained=True
    )
    assert model.visual.image_size == (96, 96)


@pytest.fixture(scope="module")
def scores():
    """Scores (n,) of true answers, and of the same answers moved to the next image."""
    host = Host.discover()
    options = {"model": "ig4-tiny", "precision": "fp32", "device": "cpu"}
    scorer = host.build(Choice("scorer", "clip", options))
    embedder = host.build(Choice("embedder", "clip", options))
    assert isinstance(scorer, Scorer)
    assert isinstance(embedder, Embedder)
    pictures, answers = [], []
    for n in range(80):
        rng = random.Random(HELD_OUT + n)
        scene = draw_scene(rng)
        pictures.append(render(scene, rng))
        answers.append(" ".join(answer for _, answer in conversation(scene, rng)))
    scorer.open()
    embedder.open()
    try:
        vectors = embedder.embed([embedder.prepare(picture) for picture in pictures])
        return [
            np.array([s.value for s in scorer.score(samples(vectors, told))])
            for told in (answers, answers[1:] + answers[:1])
        ]
    finally:
        embedder.close()
        scorer.close()


def samples(vectors, answers):
    return [
        Sample(str(n), "", answer, images=(Image(None, "0"),), embeddings=vectors[n : n + 1])
        for n, answer in enumerate(answers)
    ]


def test_it_tells_true_answers_from_swapped_ones_on_scenes_it_never_saw(scores):
    true, swapped = scores
    assert (true[:, None] > swapped[None, :]).mean() > 0.9
