# ruff: noqa: RUF001 - marks of many scripts are what this is about
"""Whether an answer stays in one script, that of its question."""

import numpy as np
import pytest

from ig4.core.host.host import Host
from ig4.core.records import Choice, Failure, Sample
from ig4.plugins.scorers.hygiene.texts import script_of, word_count, words


def language():
    return Host.discover().build(Choice("scorer", "ig4/language"))


@pytest.mark.parametrize(
    ("instruction", "answer", "main", "agreement"),
    [
        ("What is this?", "A red bus.", 1, 1),
        ("What is this?", "Ein alter Kahn am Fluß.", 1, 1),  # scripts only
        ("How many?", "3", 1, 1),
        ("", "日本語の説明。", 1, 1),
        ("これは何ですか", "犬です。カメラ", 1, 1),  # kana and Chinese characters are one
        ("What is this?", "一只狗", 1, 0),
        ("这是什么?", "a dog", 1, 0),
        ("What is this?", "собака dog", 2 / 3, 1 / 3),
        ("Что такое «dog»?", "собака dog", 2 / 3, 1),
        ("What is 狗 in this picture, and where does it run to?", "狗", 1, 0),  # quoted, not spoken
        ("यह क्या है?", "कुत्ता", 1, 1),
        ("이것은 무엇입니까?", "개", 1, 1),
        ("ما هذا؟", "كلب", 1, 1),
    ],
)
def test_the_lesser_part_counts(instruction, answer, main, agreement):
    (score,) = language().score([Sample("x", instruction, answer)])
    assert score.value == pytest.approx(min(main, agreement))
    assert score.outputs == pytest.approx({"main": main, "agreement": agreement})


def test_a_blank_answer_has_no_value():
    assert isinstance(language().score([Sample("x", "?", " ")])[0], Failure)


def test_percent_is_100_times_the_share():
    assert language().to_percent(np.array([0.0, 0.25, 1.0])).tolist() == [0, 25, 100]


@pytest.mark.parametrize(
    ("letter", "script"),
    [("a", "Latin"), ("ß", "Latin"), ("Ω", "Greek"), ("я", "Cyrillic"),
     ("狗", "Chinese or Japanese"), ("の", "Chinese or Japanese"), ("개", "Korean"),
     ("م", "Arabic"), ("ﻡ", "Arabic"), ("ת", "Hebrew"), ("क", "Devanagari"),
     ("ก", "Thai"), ("1", None), ("!", None), ("🎉", None), ("Ａ", "Latin")],
)  # fmt: skip
def test_a_letter_has_a_script(letter, script):
    assert script_of(letter) == script


def test_words_are_without_case_and_punctuation():
    assert words("The Bus's door, isn't it?") == ["the", "bus's", "door", "isn't", "it"]
    assert words("„Straße“ – nein!") == ["strasse", "nein"]
    assert words("一只dog。") == ["一", "只", "dog"]


def test_two_characters_of_a_script_without_spaces_are_one_word():
    assert (word_count("a red bus"), word_count("一只狗在跑"), word_count("a 一只")) == (3, 2.5, 2)
