# ruff: noqa: RUF001 - odd characters are what this is about
"""Characters that belong to no text."""

import json
import re

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from ig4.core.host.host import Host
from ig4.core.records import Choice, Failure, Sample
from ig4.plugins.scorers.hygiene.characters import odd_characters

FINE = [
    "A red bus.\n\tIt waits.\r\n", "Café, naïve, Ünsal, ¿qué?", "“quoted” – it’s 5 €…",
    "日本語の説明。",
    "हिन्दी में", "مرحبا", "می‌خواهم", "👩‍👩‍👧 🏳️‍🌈 ❤️ 5️⃣", "x² ≤ y → z", "Ελλάδα",
    "naïve Ã", "São Paulo", "LÂCHE",
    "AT&T & co", "C:\\temp\\new", "if a < b", "<image>", "<b>bold</b>", "résumé", "Đặng Thị",
    "ﬁ", "\ufb01",
]  # fmt: skip
ODD = [
    ("caf\ufffd", 1), ("cafÃ©", 2), ("itâ€™s", 3), ("itâ€\x9d", 3), ("Â£5", 2), ("ï»¿The", 3),
    ("ï¿½", 3),
    ("a\x00b\x07", 2), ("a\x93b\x94", 2), ("\ue000", 1), ("\U000f1234", 1), ("a\u200bb", 1),
    ("\ufeffA", 1),
    ("a \u202eb", 1), ("Tom &amp; Anna", 5), ("&#39;", 5), ("&#x27;s", 6), ("caf\\u00e9", 6),
    ("end.</s>", 4), ("<unk>", 5), ("<|endoftext|>", 13), ("\ud800", 1),
    ("ä¸€åª".replace("ª", "\u00aa") + "\u008b", 6),
    ("z" + "\u0301" * 6, 6),
]  # fmt: skip


@pytest.mark.parametrize("answer", FINE)
def test_texts_of_all_scripts_have_none(answer):
    assert odd_characters(answer) == 0


@pytest.mark.parametrize(("answer", "count"), ODD)
def test_what_belongs_to_no_text_is_counted(answer, count):
    assert odd_characters(answer) == count


def is_broken_itself(text):
    """Whether a part of a text is also the bytes of a character in UTF-8."""
    lead = r"(?:[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3})"
    return re.search(lead, text.encode("cp1252").decode("latin-1")) is not None


@given(st.text(alphabet="äöüéèñçßøå€’“–", min_size=1, max_size=10))
@example("éa")
def test_utf_8_that_was_read_as_windows_1252_is_found(text):
    # Some texts are also what one character becomes: nobody can tell which it was.
    assume(not is_broken_itself(text))
    broken = text.encode().decode("cp1252", errors="replace")
    assert odd_characters(text) == 0
    assert odd_characters(broken) >= len(text)


SCORER = Host.discover().build(Choice("scorer", "ig4/odd-characters"))


def score(answer):
    return SCORER.score([Sample("x", "", answer)])[0]


def test_the_value_is_the_share():
    assert score("caf\ufffd").value == 0.25
    assert isinstance(score("  "), Failure)


@given(st.text(min_size=1))
def test_the_share_is_never_above_1(answer):
    if not answer.isspace():
        assert 0 <= score(answer).value <= 1


@pytest.mark.shared
def test_one_of_the_papers_captions_has_one(shared):
    file = shared / "data" / "cc_sbu_align" / "filter_cap.json"
    captions = [a["caption"] for a in json.loads(file.read_text(encoding="utf-8"))["annotations"]]
    odd = [text for text in captions if odd_characters(text)]
    assert len(odd) < 20
    assert any("\u200b" in text for text in odd)
