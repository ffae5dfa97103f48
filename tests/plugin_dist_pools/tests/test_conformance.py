"""ig4's conformance kit on all components of this distribution."""

from __future__ import annotations

import pytest
from ig4_crowds import ig4_components
from ig4_crowds.aesthetic import Beauty, BeautyOptions
from ig4_crowds.density import Crowd, CrowdOptions
from ig4_crowds.grouper import FirstWord
from ig4_crowds.hdbscan import Hdbscan, HdbscanOptions
from ig4_crowds.kcenter import FarApart, FarApartOptions
from ig4_crowds.recipe import SpreadOut

from ig4.core.contracts import Options
from ig4.core.testing import (
    clusterer_checks,
    declaration_checks,
    grouper_checks,
    pool_scorer_checks,
    recipe_checks,
    scorer_checks,
    selector_checks,
)

CHECKS = [
    *pool_scorer_checks(lambda: Crowd(CrowdOptions()), tolerance=1e-4),
    *scorer_checks(lambda: Beauty(BeautyOptions(model="ig4-tiny"))),
    *clusterer_checks(lambda: Hdbscan(HdbscanOptions())),
    *selector_checks(lambda: FarApart(FarApartOptions()), by_score=False),
    *grouper_checks(lambda: FirstWord(Options())),
    *recipe_checks(lambda: SpreadOut(Options())),
    *declaration_checks(ig4_components()),
]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
def test_conformance(check):
    check()
