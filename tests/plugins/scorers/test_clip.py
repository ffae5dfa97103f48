"""The CLIP score: the authors' rule, for each batch alike whatever was scored before."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ig4.core.host.host import Host
from ig4.core.records import Choice, Failure, Sample
from ig4.core.testing import make_picture
from ig4.plugins.models import clipoptions, openclip

pytestmark = pytest.mark.slow

torch = pytest.importorskip("torch")
pytest.importorskip("open_clip")

ANSWERS = [
    "A red bus. It waits at the corner of a street, seen from behind. People get in.",
    "Two dogs run over wet sand",
    "A red bus. Nobody is there.",
    "One. Two. Three. Four. Five. Six. Seven. Eight. Nine. Ten. Eleven. Twelve.",
    "An old man . . . with a hat...",
]


@pytest.fixture
def opened(checkpoint):
    """Open scorers of the small random model; they are closed at the end."""
    held = []

    def _open(**options):
        scorer = Host.discover().build(Choice("scorer", "clip", {**checkpoint(), **options}))
        scorer.open()
        held.append(scorer)
        return scorer

    yield _open
    for scorer in held:
        scorer.close()


@pytest.fixture
def samples(checkpoint):
    """A sample for each of ANSWERS, with the embedding of a picture of its own."""
    clip = openclip.acquire(clipoptions.ClipModelOptions(**checkpoint()))
    vectors = clip.encode_images([clip.preprocess(make_picture(n)) for n in range(len(ANSWERS))])
    openclip.release(clipoptions.ClipModelOptions(**checkpoint()))
    return [
        Sample(str(n), "", answer, embeddings=vectors[n : n + 1].numpy())
        for n, answer in enumerate(ANSWERS)
    ]


def by_hand(scorer, sentences, vectors):
    """100 x the mean cosine of sentences and images, by the model's own encode_text."""
    clip = scorer._clip
    with torch.inference_mode():
        texts = clip.model.encode_text(clip.tokenizer(sentences)).double()
    images = torch.from_numpy(vectors).double()
    return 100 * torch.cosine_similarity(texts[:, None], images[None], dim=-1).mean().item()


def counting(scorer, monkeypatch):
    """The number of texts in each pass of the text tower from now on."""
    seen = []
    encode = scorer._clip.model.encode_text

    def counted(tokens):
        seen.append(len(tokens))
        return encode(tokens)

    monkeypatch.setattr(scorer._clip.model, "encode_text", counted)
    return seen


def values(results):
    return np.array([result.value for result in results])


def test_the_score_is_the_mean_cosine_of_the_sentences_times_100(opened, samples):
    scorer = opened()
    sentences = [
        "A red bus",
        "It waits at the corner of a street, seen from behind",
        "People get in",
    ]
    [score] = scorer.score(samples[:1])
    assert score.value == pytest.approx(by_hand(scorer, sentences, samples[0].embeddings), abs=1e-4)
    assert score.details == {"sentences": 3}


def test_that_is_the_cosine_with_the_averaged_sentence_not_normalised_again(opened, samples):
    scorer = opened()
    clip = scorer._clip
    with torch.inference_mode():
        texts = clip.model.encode_text(clip.tokenizer(["A red bus", "Nobody is there"]))
        mean = torch.nn.functional.normalize(texts, dim=-1).mean(dim=0)
    image = samples[2].embeddings[0]
    expected = 100 * float(mean.numpy() @ (image / np.linalg.norm(image)))
    assert scorer.score(samples[2:3])[0].value == pytest.approx(expected, abs=1e-4)


def test_only_the_first_ten_sentences_count(opened, samples):
    ten = ANSWERS[3].replace(".", "").split()[:10]
    scorer = opened()
    [score] = scorer.score(samples[3:4])
    assert score.details == {"sentences": 10}
    assert score.value == pytest.approx(by_hand(scorer, ten, samples[3].embeddings), abs=1e-4)
    assert opened(max_sentences=2).score(samples[3:4])[0].details == {"sentences": 2}


def test_sentences_without_text_do_not_count(opened, samples):
    scorer = opened()
    expected = by_hand(scorer, ["An old man", "with a hat"], samples[4].embeddings)
    assert scorer.score(samples[4:])[0].value == pytest.approx(expected, abs=1e-4)


def test_the_whole_text_may_be_compared_and_says_when_it_was_cut(opened, samples):
    scorer = opened(text="whole")
    long = Sample("long", "", "word " * 200, embeddings=samples[0].embeddings)
    short, cut = scorer.score([samples[0], long])
    assert short.value == pytest.approx(
        by_hand(scorer, [ANSWERS[0]], samples[0].embeddings), abs=1e-4
    )
    assert short.details == {"sentences": 1}
    assert cut.details == {"sentences": 1, "truncated": 1}


def test_several_images_count_alike(opened, samples):
    both = np.concatenate([samples[0].embeddings, samples[1].embeddings])
    scorer = opened()
    [score] = scorer.score([Sample("two", "", "A red bus", embeddings=both)])
    assert score.value == pytest.approx(by_hand(scorer, ["A red bus"], both), abs=1e-4)


@pytest.mark.parametrize("vectors", [None, np.empty((0, 32), np.float32)], ids=["none", "empty"])
def test_a_sample_without_image_is_a_failure_and_costs_no_pass(
    opened, samples, monkeypatch, vectors
):
    scorer = opened()
    seen = counting(scorer, monkeypatch)
    [result] = scorer.score([Sample("blind", "", "Text.", embeddings=vectors)])
    assert isinstance(result, Failure)
    assert "no image" in result.reason
    assert seen == []


def test_an_answer_of_dots_is_a_failure(opened, samples):
    [result] = opened().score([Sample("dots", "", " . .. ", embeddings=samples[0].embeddings)])
    assert isinstance(result, Failure)
    assert "no sentence" in result.reason


def test_each_distinct_sentence_of_a_batch_is_encoded_once(opened, samples, monkeypatch):
    scorer = opened()
    seen = counting(scorer, monkeypatch)
    scorer.score([*samples[:3], *samples[:3]])
    assert sum(seen) == 5  # "A red bus" stands in two answers


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_what_was_scored_before_changes_no_bit_of_a_score(opened, samples, precision):
    before, fresh = opened(precision=precision), opened(precision=precision)
    for first in (samples[:1], samples[2:3], samples):
        before.score(first)
        assert values(before.score(samples)).tolist() == values(fresh.score(samples)).tolist()


def test_texts_go_through_the_model_in_batches(opened, samples, monkeypatch):
    scorer = opened(text_batch_size=4)
    seen = counting(scorer, monkeypatch)
    scorer.score(samples[3:4])
    assert seen == [4, 4, 2]


@pytest.fixture(scope="module")
def kept(checkpoint):
    """One open scorer for many examples, and one image."""
    scorer = Host.discover().build(Choice("scorer", "clip", {**checkpoint(), "text_batch_size": 3}))
    scorer.open()
    yield scorer, np.random.default_rng(0).normal(size=(1, 32)).astype(np.float32)
    scorer.close()


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.permutations(range(len(ANSWERS))), st.integers(1, 5))
def test_neither_order_nor_batch_changes_a_score(kept, order, size):
    scorer, vector = kept
    made = [Sample(str(n), "", answer, embeddings=vector) for n, answer in enumerate(ANSWERS)]
    together = values(scorer.score(made))
    mixed = [made[n] for n in order]
    apart = np.concatenate(
        [values(scorer.score(mixed[at : at + size])) for at in range(0, len(mixed), size)]
    )
    np.testing.assert_allclose(apart, together[list(order)], atol=1e-3)


def test_the_embedder_has_the_scorers_model_and_is_loaded_once(opened, checkpoint):
    scorer = opened(image_batch_size=5)
    choice = scorer.embedder()
    embedder = Host.discover().build(choice)
    embedder.open()
    assert embedder._clip is scorer._clip
    assert embedder.batch_size == 5
    embedder.close()


def test_only_what_changes_scores_changes_the_identity(checkpoint):
    def identity(**options):
        scorer = Host.discover().build(Choice("scorer", "clip", {**checkpoint(), **options}))
        return scorer.identity(lambda path: "digest")

    plain = identity()
    assert identity(batch_size=1, text_batch_size=1, image_batch_size=1) == plain
    assert identity(max_sentences=3) != plain
    assert identity(text="whole") != plain
    assert identity(text="whole", max_sentences=3) == identity(text="whole")
    assert identity(precision="bf16") != plain
