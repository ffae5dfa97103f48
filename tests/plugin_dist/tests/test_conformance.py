"""The plugin keeps the contracts of ig4."""

import pytest
from ig4_vowels import ig4_components
from ig4_vowels.clusterer import Bands
from ig4_vowels.scorer import VowelOptions, Vowels

from ig4.core.contracts import Options
from ig4.core.testing import clusterer_checks, declaration_checks, scorer_checks


@pytest.mark.parametrize("check", scorer_checks(lambda: Vowels(VowelOptions())))
def test_vowels(check):
    check()


@pytest.mark.parametrize("check", clusterer_checks(lambda: Bands(Options())))
def test_bands(check):
    check()


@pytest.mark.parametrize("check", declaration_checks(ig4_components()))
def test_declarations(check):
    check()
