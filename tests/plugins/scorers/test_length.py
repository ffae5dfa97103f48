"""The length of an answer, in one of three units."""

import numpy as np
import pytest

from ig4.core.errors import UsageError
from ig4.core.host.host import Host
from ig4.core.records import Choice, Sample

ANSWER = "Ein alter Kahn\nam Fluß."


def lengths(*answers, **options):
    scorer = Host.discover().build(Choice("scorer", "length", options))
    scorer.open()
    try:
        return [score.value for score in scorer.score([Sample("x", "", a) for a in answers])]
    finally:
        scorer.close()


def test_characters_are_counted_unless_told_otherwise():
    assert lengths(ANSWER, "船", "") == [23, 1, 0]


def test_words_are_what_stands_between_blanks():
    assert lengths(ANSWER, " one  two ", unit="words") == [5, 2]


@pytest.mark.slow
def test_tokens_are_those_of_clip_without_its_marks():
    pytest.importorskip("open_clip")
    assert lengths("a red bus.", "", unit="tokens") == [4, 0]


def test_any_other_unit_is_refused():
    with pytest.raises(UsageError, match=r"length\.unit"):
        lengths("a", unit="lines")


def test_percent_is_the_share_of_the_longest():
    scorer = Host.discover().build(Choice("scorer", "length"))
    assert scorer.to_percent(np.array([0.0, 250.0, 1000.0])).tolist() == [0, 25, 100]
