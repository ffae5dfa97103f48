"""Checks for embedders."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np

from ig4.core.contracts import Embedder
from ig4.core.testing.check import Check, checks_from, opened, require, untouched_random_state
from ig4.core.testing.component import component_checks
from ig4.core.testing.samples import make_picture

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image as Picture

Make = Callable[[], Embedder]
Inputs = Sequence[Any]
"""RGB pictures, or texts."""

TOLERANCE = 1e-3
"""How far, relative to its length, batching may move a vector (float32 models)."""


TEXTS = (
    "What is this?",
    "A red bus waits by the river.",
    "Two children stand under a tree. One of them holds a kite, and it is raining. " * 6,
    "Ein alter Kahn am Flu\u00df: \u8239.",
    "yes",
)
"""Texts of very different lengths."""


def embedder_checks(
    make: Make, images: Sequence[Picture] | None = None, texts: Sequence[str] = TEXTS
) -> list[Check]:
    """Return the checks of an embedder of images, or of texts, as its `reads` says.

    `images` are at least three different RGB pictures; by default generated ones. `texts` are at
    least three different ones.
    """
    if make().reads != "image":
        return component_checks(make) + checks_from(
            check_gives_float32_rows,
            check_different_inputs_differ,
            check_order_is_kept,
            check_is_deterministic,
            check_does_not_depend_on_the_batch,
            check_embeds_the_same_after_pickling,
            check_leaves_global_random_state_alone,
            check_reads_only_one_thing,
            check_takes_texts_of_any_kind,
            given=(make, tuple(texts)),
        )
    pictures = tuple(images or [make_picture(seed) for seed in range(5)])
    return component_checks(make) + checks_from(
        check_gives_float32_rows,
        check_different_inputs_differ,
        check_order_is_kept,
        check_is_deterministic,
        check_does_not_depend_on_the_batch,
        check_embeds_the_same_after_pickling,
        check_prepares_in_threads,
        check_leaves_images_alone,
        check_leaves_global_random_state_alone,
        check_takes_images_of_any_size,
        given=(make, pictures),
    )


def check_gives_float32_rows(make: Make, images: Inputs) -> None:
    """`embed` returns (n, d) float32 without NaN or infinity."""
    vectors = _embed(make, images)
    require(isinstance(vectors, np.ndarray), f"embed gave a {type(vectors).__name__}")
    require(vectors.ndim == 2 and len(vectors) == len(images), f"the shape is {vectors.shape}")
    require(vectors.dtype == np.float32, f"the dtype is {vectors.dtype}, not float32")
    require(bool(np.isfinite(vectors).all()), "some values are not finite")


def check_different_inputs_differ(make: Make, images: Inputs) -> None:
    """Different inputs get different vectors."""
    vectors = _embed(make, images)
    require(len(np.unique(vectors, axis=0)) > 1, "all inputs get the same vector")


def check_order_is_kept(make: Make, images: Inputs) -> None:
    """Inputs in reverse give vectors in reverse."""
    _require_near(
        _embed(make, images),
        _embed(make, images[::-1])[::-1],
        "the order of inputs changed vectors",
    )


def check_is_deterministic(make: Make, images: Inputs) -> None:
    """Equal inputs give equal vectors, from another instance too."""
    first, second = _embed(make, images), _embed(make, images)
    require(np.array_equal(first, second), "a second instance gave other vectors")


def check_does_not_depend_on_the_batch(make: Make, images: Inputs) -> None:
    """An input gets the same vector alone and among others, however long these are."""
    with opened(make) as embedder:
        prepared = _prepared(embedder, images)
        together = embedder.embed(prepared)
        alone = np.concatenate([embedder.embed([one]) for one in prepared])
    _require_near(together, alone, "an input alone gets another vector")


def check_embeds_the_same_after_pickling(make: Make, images: Inputs) -> None:
    """An embedder that was sent to another process before `open` gives equal vectors."""
    pickled = pickle.dumps(make())
    again = _embed(lambda: pickle.loads(pickled), images)  # noqa: S301 - our own bytes
    require(np.array_equal(_embed(make, images), again), "pickling changed the vectors")


def check_prepares_in_threads(make: Make, images: Inputs) -> None:
    """`prepare` is called from several threads at once."""
    with opened(make) as embedder, ThreadPoolExecutor(4) as pool:
        in_threads = embedder.embed(list(pool.map(embedder.prepare, images)))
        in_sequence = embedder.embed([embedder.prepare(image) for image in images])
    require(np.array_equal(in_threads, in_sequence), "prepare gave other results in threads")


def check_leaves_images_alone(make: Make, images: Inputs) -> None:
    """Pixels are shared with other components and must not change."""
    before = [image.tobytes() for image in images]
    _embed(make, images)
    require(before == [image.tobytes() for image in images], "the images were changed")


def check_leaves_global_random_state_alone(make: Make, images: Inputs) -> None:
    """Random numbers, if needed, come from the embedder's own generator."""
    with opened(make) as embedder, untouched_random_state():
        embedder.embed(_prepared(embedder, images))


def check_takes_images_of_any_size(make: Make, images: Inputs) -> None:
    """Images of one pixel, and thin and tall ones, get finite vectors."""
    odd = [make_picture(1, *size) for size in ((1, 1), (300, 2), (2, 300), (500, 400))]
    vectors = _embed(make, [images[0], *odd])
    require(bool(np.isfinite(vectors).all()), "some values are not finite")


def check_reads_only_one_thing(make: Make, texts: Inputs) -> None:
    """What is read of a sample depends on the options alone, and is no part of a model."""
    first, second = make().reads, make().reads
    require(first == second, "equal options read different things")
    require(first in ("instruction", "answer", "text"), f"reads is {first!r}")


def check_takes_texts_of_any_kind(make: Make, texts: Inputs) -> None:
    """Marks, other scripts, line breaks and a very long text get finite vectors."""
    odd = ["!", "\U0001f68c", "\u4ed6\u5728\u6cb3\u8fb9", "a\nb\tc", "word " * 3000]
    vectors = _embed(make, [texts[0], *odd])
    require(bool(np.isfinite(vectors).all()), "some values are not finite")


def _embed(make: Make, images: Inputs) -> NDArray[np.float32]:
    with opened(make) as embedder:
        return embedder.embed(_prepared(embedder, images))


def _prepared(embedder: Embedder, inputs: Inputs) -> list[Any]:
    """Return inputs as the engine hands them over: texts as they are."""
    return [one if isinstance(one, str) else embedder.prepare(one) for one in inputs]


def _require_near(first: NDArray[np.float32], second: NDArray[np.float32], message: str) -> None:
    gap = np.linalg.norm(first - second, axis=1)
    allowed = TOLERANCE * np.linalg.norm(first, axis=1)
    require(bool((gap <= allowed).all()), f"{message}: off by up to {gap.max():.3g}")
