"""CIDEr-D, ROUGE-L and BLEU give the numbers of the code that papers use."""

from __future__ import annotations

import json
import os
import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ig4.core.errors import MissingExtraError, PrerequisiteError
from ig4.plugins.metrics import ptb
from ig4.plugins.metrics.captions import bleu_4, cider_d, rouge_l
from ig4.plugins.metrics.ngrams import longest_common_subsequence

from ...conftest import ROOT

SAID = ["a man rides a horse", "two dogs play with a ball in grass", "a plate", ""]
KNOWN = [
    ["a man is riding a horse .", "someone rides a horse by the sea"],
    ["two dogs are playing", "dogs run after a ball in the grass", "a pair of dogs"],
    ["a plate of rice and beans"],
    ["a train", "a long train stands there"],
]

needs_coco = pytest.mark.skipif(find_spec("pycocoevalcap") is None, reason="needs pycocoevalcap")
needs_java = pytest.mark.skipif(shutil.which("java") is None, reason="needs a Java runtime")


@pytest.mark.parity
def test_cider_of_every_golden_case_is_the_originals():
    shared = Path(os.environ.get("IG4_SHARED", ROOT.parent / "shared"))
    usual = shared / "fixtures" / "minigpt4-tiny"
    file = Path(os.environ.get("IG4_PARITY_FIXTURE", usual)) / "golden_eval.json"
    if not file.is_file():
        pytest.skip(f"no parity fixture at {file}")
    cases = json.loads(file.read_text(encoding="utf-8"))["cider"]
    assert cases
    for case in cases:
        found = cider_d(case["hypotheses"], case["references"])
        assert found == pytest.approx(case["per_image"], abs=1e-12)
        assert sum(found) / len(found) == pytest.approx(case["mean"], abs=1e-12)


@pytest.mark.slow
@pytest.mark.shared
@needs_coco
@needs_java
def test_cider_of_the_published_example_with_cocos_tokenizer(shared):
    folder = shared / "data" / "formats" / "clipscore-example"
    references = json.loads((folder / "refs.json").read_text())
    for name, published in (("good", 0.5637), ("bad", 0.2790)):
        said = json.loads((folder / f"{name}_captions.json").read_text())
        found = cider_d(
            ptb.tokenise([said[image] for image in references]),
            [ptb.tokenise(each) for each in references.values()],
        )
        assert sum(found) / len(found) == pytest.approx(published, abs=5e-5)


@needs_coco
def test_cider_and_rouge_are_those_of_cocos_evaluation():
    from pycocoevalcap.cider.cider import Cider
    from pycocoevalcap.rouge.rouge import Rouge

    truths, said = dict(enumerate(KNOWN)), {n: [one] for n, one in enumerate(SAID)}
    assert cider_d(SAID, KNOWN) == pytest.approx(Cider().compute_score(truths, said)[1], abs=1e-12)
    spoken = [n for n, one in enumerate(SAID) if one]  # the original divides by no words
    found = Rouge().compute_score({n: truths[n] for n in spoken}, {n: said[n] for n in spoken})[1]
    assert rouge_l(SAID, KNOWN)[:3] == pytest.approx(found, abs=1e-12)
    assert rouge_l(SAID, KNOWN)[3] == 0


@needs_coco
def test_bleu_is_that_of_cocos_evaluation():
    pytest.importorskip("sacrebleu")
    from pycocoevalcap.bleu.bleu import Bleu

    said = ["a man is riding a horse by the sea", "two dogs are playing in the grass"]
    truths = dict(enumerate(KNOWN[:2]))
    found = Bleu(4).compute_score(truths, {n: [s] for n, s in enumerate(said)}, verbose=0)[0][3]
    assert bleu_4(said, KNOWN[:2]) == pytest.approx(found, abs=1e-6)
    assert found > 0.2


def test_bleu_of_nothing_in_common_is_nothing():
    pytest.importorskip("sacrebleu")
    assert bleu_4(["x y", ""], [["a b c d e"], ["f"]]) == 0
    assert bleu_4(["a b c d e"], [["a b c d e"]]) == pytest.approx(1)


@needs_coco
@needs_java
def test_cocos_tokenizer_keeps_lines_apart():
    said = ["Naïve café — it's (here)!", "", "a\u2028b\n c\r\nd", "  ", "日本語 text.", "."]
    assert ptb.tokenise(said) == [
        "naïve café it 's -lrb- here -rrb-", "", "a b c d", "", "日本語 text", "",
    ]  # fmt: skip


@needs_coco
def test_without_java_the_remedy_is_told(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PrerequisiteError, match=r"install a Java runtime.*words=whitespace"):
        ptb.find_tokenizer()


def test_without_pycocoevalcap_the_extra_is_told(monkeypatch):
    monkeypatch.setattr(ptb, "find_spec", lambda _: None)  # as where it is not installed
    with pytest.raises(MissingExtraError, match=r"ig4\[ptb\].*words=whitespace"):
        ptb.find_tokenizer()


def test_white_space_alone_parts_words_and_case_counts():
    same = cider_d(["a dog runs fast", "the big red boat"], [["a dog runs fast"], ["The boat ."]])
    assert same[0] == pytest.approx(10)
    assert same[1] < 1


def test_with_one_image_nothing_is_rare_and_cider_is_nothing():
    assert cider_d(["a dog"], [["a dog"]]) == [0.0]


CAPTION = st.lists(st.sampled_from("abcde"), max_size=7).map(" ".join)
PAIRS = st.lists(st.tuples(CAPTION, st.lists(CAPTION, min_size=1, max_size=3)), min_size=1,
                 max_size=6)  # fmt: skip


@pytest.mark.slow
@given(PAIRS)
def test_captions_are_measured_on_their_scales(pairs):
    said, known = [one for one, _ in pairs], [each for _, each in pairs]
    assert all(-1e-9 <= value <= 10 + 1e-9 for value in cider_d(said, known))
    assert all(0 <= value <= 1 + 1e-9 for value in rouge_l(said, known))


@pytest.mark.slow
@given(PAIRS, st.randoms())
def test_the_order_of_images_and_references_changes_nothing(pairs, shuffle):
    said, known = [one for one, _ in pairs], [each for _, each in pairs]
    turned = [each[::-1] for each in known][::-1]
    there, back = cider_d(said, known), cider_d(said[::-1], turned)
    assert there == pytest.approx(back[::-1], abs=1e-9)


@given(st.text("abc", max_size=8), st.text("abc", max_size=8))
def test_the_longest_common_subsequence_is_symmetric_and_bounded(first, second):
    found = longest_common_subsequence(first, second)
    assert found == longest_common_subsequence(second, first) <= min(len(first), len(second))
    assert longest_common_subsequence(first, first + second) == len(first)
