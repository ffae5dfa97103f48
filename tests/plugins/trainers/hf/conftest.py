"""Tiny models of every family, with their processors."""

from __future__ import annotations

import pytest

from ig4.plugins.trainers.hf.build import load_processor
from ig4.plugins.trainers.hf.options import HuggingFaceOptions

from ....tiny_families import FAMILIES


@pytest.fixture(scope="session")
def families(tmp_path_factory):
    """A folder of a tiny model for each family."""
    folder = tmp_path_factory.mktemp("families")
    return {name: make(folder / name) for name, make in FAMILIES.items()}


@pytest.fixture(scope="session")
def processors(families):
    return {
        name: load_processor(HuggingFaceOptions(model=str(place)))
        for name, place in families.items()
    }
