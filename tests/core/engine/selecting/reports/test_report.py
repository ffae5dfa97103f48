"""The notice on the mix of a selection: which groups it names, and what it advises."""

from __future__ import annotations

from ig4.core.engine.selecting.reports.composition import Composition, GroupShare
from ig4.core.engine.selecting.reports.duplicates import Duplicates
from ig4.core.engine.selecting.reports.report import SelectionReport


def about_mix(*groups, tv, random_tv, missing=()):
    """The notice on groups given as (name, samples, selected)."""
    pool, chosen = (sum(one[n] for one in groups) for n in (1, 2))
    shares = tuple(
        GroupShare(name, n, taken, n / pool, taken / chosen, n) for name, n, taken in groups
    )
    mix = Composition("form", shares, tv, random_tv, tuple(missing))
    (text,) = SelectionReport(mix, {}, Duplicates(0, 0, (), True, True)).notices(balanced=False)
    return text


def test_groups_that_hardly_moved_are_not_named():
    text = about_mix(("how many", 24, 1), ("what", 73, 9), ("rest", 3, 0), tv=0.17, random_tv=0.1)
    assert "how many 24% -> 10%, what 73% -> 90%" in text
    assert "rest" not in text  # 0.3 of a sample
    text = about_mix(("a", 500, 650), ("b", 496, 350), ("c", 4, 0), tv=0.17, random_tv=0.01)
    assert "c" not in text.partition("; ")[2].partition(".")[0]  # 0.4 percent


def test_a_draw_as_far_from_the_data_as_chance_brings_it_is_not_sent_to_balanced():
    groups = (("how many", 50, 3), ("what", 50, 7))
    assert "keeps the mix" not in about_mix(*groups, tv=0.15, random_tv=0.151)
    assert "differ by 15%" in about_mix(*groups, tv=0.15, random_tv=0.151)
    assert "`--recipe balanced` keeps the mix" in about_mix(*groups, tv=0.2, random_tv=0.15)
    lacking = about_mix(*groups, tv=0.15, random_tv=0.151, missing=["which"])
    assert "`--recipe balanced` keeps the mix" in lacking
