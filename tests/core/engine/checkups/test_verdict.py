"""What makes a column noise, what makes one careful, and in which words."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ig4.core.engine.checkups.findings import ColumnCheckup, GroupDependence, Separation
from ig4.core.engine.checkups.verdict import verdict
from ig4.core.statistics.saturation import saturation
from ig4.core.statistics.topshare import TopStability

GOOD = ColumnCheckup(
    name="clip", verdict="", reasons=(), samples=500, values=500, failures=0,
    separation=Separation(500, 0.8, 0.77, 0.83, "pair"), saturation=saturation(np.arange(500.0)),
    groups={"turns": GroupDependence(3, 500, 0.1, 0.1)}, length=0.2, agreement={"gpt": 0.4},
    stability=TopStability(500, 30, 0.9, 0.8, 1), falls=False, pool_dependent=False,
    wanted=500, seed=42, paid=False, grouped="",
)  # fmt: skip


def separated(area, low, high, sees="pair"):
    return {"separation": Separation(500, area, low, high, sees)}


def test_what_tells_pairs_apart_and_has_no_fault_is_trusted():
    judged, (reason,) = verdict(GOOD)
    assert judged == "trust"
    assert reason == (
        "it tells a sample's own answer from another's: area under the ROC 0.80 (0.77 to 0.83) of "
        "500 pairs"
    )


@pytest.mark.parametrize(
    ("changed", "judged", "reason"),
    [
        (separated(0.52, 0.48, 0.56), "noise", "cannot tell a sample's own answer"),
        (separated(0.60, 0.55, 0.65), "noise", "hardly tells a sample's own answer"),
        (separated(0.50, 0.46, 0.54), "noise", "cannot tell a sample's own answer"),
        (separated(0.40, 0.35, 0.45), "noise", "hardly tells a sample's own answer"),
        (
            separated(0.40, 0.36, 0.44),
            "careful",
            "it is reversed: it weakly prefers the answers of",
        ),
        (separated(0.00, 0.00, 0.02), "careful", "it is reversed: it prefers the answers of other"),
        (separated(0.40, 0.28, 0.52), "careful", "too few pairs to say"),
        (separated(0.60, 0.48, 0.72), "careful", "too few pairs to say"),
        (separated(0.61, 0.56, 0.66), "careful", "only weakly"),
        (separated(0.50, 0.48, 0.52, "answer"), "careful", "beside another image or question"),
        (separated(0.50, 0.50, 0.50, "context"), "careful", "another answer has the same value"),
        ({"separation": Separation(why="its values were imported")}, "careful", "were imported"),
        ({"saturation": saturation(np.ones(500))}, "noise", "all 500 values are equal"),
        (
            {"saturation": saturation(np.r_[np.zeros(100), np.ones(400)])},
            "careful",
            "80% of its values are equal: it can reject samples, but hardly rank them",
        ),
        ({"values": 0, "saturation": None}, "careful", "no sample has a value"),
        ({"values": 450, "failures": 50}, "careful", "50 of 500 samples failed"),
        ({"values": 100}, "careful", "only 100 of 500 samples have a value"),
        (
            {"groups": {"form": GroupDependence(9, 500, 0.44, 0.43)}},
            "careful",
            "44% of its variance lies between the 9 groups of form",
        ),
        ({"length": -0.8}, "careful", "follows the length of the answer (rank correlation -0.80)"),
        ({"agreement": {"gpt": 0.97}}, "careful", "it orders samples as gpt does"),
        (
            {"stability": TopStability(500, 30, 0.4, 0.2, 200)},
            "careful",
            "only 40% of its best 30 stay when the pool is drawn anew: 200 are tied",
        ),
    ],
)
def test_each_fault_is_said(changed, judged, reason):
    found, reasons = verdict(replace(GOOD, **changed))
    assert found == judged
    assert reason in reasons[0]


def test_doubts_are_told_behind_what_makes_noise():
    found, reasons = verdict(replace(GOOD, length=0.9, **separated(0.5, 0.47, 0.53)))
    assert found == "noise"
    assert len(reasons) == 2


def test_many_small_groups_are_no_dependence_by_their_number():
    many = {"question": GroupDependence(50, 100, 0.5, 0.01)}
    assert verdict(replace(GOOD, groups=many))[0] == "trust"


def test_what_was_found_is_the_same_after_it_was_stored():
    assert ColumnCheckup.from_dict(GOOD.to_dict()) == GOOD
