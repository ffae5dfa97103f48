"""Before a training the model's own processor says which samples it refuses, and which it cuts."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import pytest
from PIL import Image as Pillow

from ig4.core.contracts.training import NO_ANSWER_LEFT, REFUSED, UNREADABLE
from ig4.core.errors import PrerequisiteError
from ig4.core.records import Image, Turn
from ig4.core.testing import make_samples
from ig4.core.testing.samples import sample_with_unreadable_image, sample_without_image
from ig4.plugins.trainers.hf.options import HuggingFaceOptions
from ig4.plugins.trainers.hf.trainer import HuggingFaceTrainer

from ....tiny_families import FAMILIES

pytestmark = pytest.mark.slow


def checked(place, samples, **options):
    options = HuggingFaceOptions(model=str(place), device="cpu", **options)
    return list(HuggingFaceTrainer(options).check_samples(samples))


@pytest.fixture
def strip(tmp_path):
    """A sample whose image Qwen-VL refuses: it takes up to 200:1."""
    Pillow.new("RGB", (900, 2)).save(tmp_path / "strip.png")
    return replace(make_samples(1)[0], id="strip", images=(Image(tmp_path / "strip.png"),))


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_takes_good_samples_and_refuses_images_that_cannot_be_read(families, name):
    marks = replace(make_samples(1)[0], turns=(Turn("user", "<image><image> What?"),
                                               Turn("assistant", "A <image> boat.")))  # fmt: skip
    samples = [*make_samples(6), sample_with_unreadable_image(), sample_without_image(), marks]
    checks = checked(families[name], samples)
    assert [check.problem is None for check in checks] == [*[True] * 6, False, True, True]
    assert checks[6].reason == UNREADABLE
    assert all(check.cut == 0 for check in checks)


def test_an_image_that_the_processor_refuses_is_found(families, strip):
    first, second = make_samples(2)
    checks = checked(families["qwen2.5-vl"], [first, strip, second])
    assert [check.problem is None for check in checks] == [True, False, True]
    assert "aspect ratio" in checks[1].problem
    assert checks[1].reason == REFUSED


def test_a_conversation_that_the_template_refuses_is_found(families):
    turns = (Turn("system", "Be kind."), Turn("user", "Hm?"), Turn("assistant", "Yes."))
    (check,) = checked(families["gemma3"], [replace(make_samples(1)[0], turns=turns)])
    assert "chat template" in check.problem
    assert check.reason == REFUSED


def test_what_max_length_cuts_is_counted_and_refused_only_if_no_answer_is_left(families):
    turns = (Turn("user", "Hm?"), Turn("assistant", "A boat. " * 60))
    long = replace(make_samples(1)[0], turns=turns)
    place = families["qwen2.5-vl"]
    (whole,), (cut,), (lost,) = (
        checked(place, [long], max_length=length) for length in (4096, 60, 5)
    )
    assert (whole.problem, whole.cut) == (None, 0)
    assert cut.problem is None
    assert cut.cut > 0
    assert cut.limit == "hf.max_length"
    assert lost.reason == NO_ANSWER_LEFT
    assert "raise hf.max_length" in lost.problem


def test_an_answer_without_tokens_is_refused(families, tmp_path):
    place = tmp_path / "model"
    shutil.copytree(families["llava"], place)
    file = place / "tokenizer.json"
    tokenizer = json.loads(file.read_text())
    strip = {"type": "Replace", "pattern": {"String": "\u200b"}, "content": ""}
    usual = tokenizer.get("normalizer")
    both = {"type": "Sequence", "normalizers": [strip, *([usual] if usual else [])]}
    file.write_text(json.dumps({**tokenizer, "normalizer": both}))
    turns = (Turn("user", "Hm?"), Turn("assistant", "\u200b\u200b"))
    (check,) = checked(place, [replace(make_samples(1)[0], turns=turns)])
    assert check.reason in (NO_ANSWER_LEFT, REFUSED)
    assert check.problem


def test_a_model_without_a_chat_template_is_no_samples_fault(families, tmp_path):
    place = tmp_path / "model"
    shutil.copytree(families["llava"], place)
    for file in place.glob("*chat_template*"):
        file.unlink()
    settings = place / "tokenizer_config.json"
    kept = json.loads(settings.read_text())
    kept.pop("chat_template", None)
    settings.write_text(json.dumps(kept))
    with pytest.raises(PrerequisiteError, match="no chat template"):
        checked(place, make_samples(1))
