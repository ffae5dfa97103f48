"""Where plugins import contracts and plain values from, and what that loads."""

from __future__ import annotations

import subprocess
import sys

import pytest

import ig4
from ig4.core import contracts, evaluation, hookspecs, records, training
from ig4.core.contracts.kinds import CONTRACTS
from ig4.core.host.discovery import KINDS


@pytest.mark.parametrize("name", contracts.__all__)
def test_every_contract_is_found_in_the_package(name):
    assert getattr(contracts, name) is not None
    assert name in dir(contracts)


def test_a_name_that_is_no_contract_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'Scorers'"):
        contracts.Scorers  # noqa: B018 - that it raises is what is tested


def test_there_is_a_contract_for_each_kind():
    assert set(CONTRACTS) == set(KINDS)
    for kind, contract in CONTRACTS.items():
        assert contract.__name__.lower() == kind
        assert contract.__module__ == f"ig4.core.contracts.{kind}"


@pytest.mark.parametrize("name", sorted(set(ig4.__all__) - {"__version__"}))
def test_every_public_name_is_found(name):
    assert getattr(ig4, name) is not None


def test_addresses_that_plugins_know_go_on_working():
    assert hookspecs.hookimpl is ig4.hookimpl
    assert records.Component is ig4.Component
    assert evaluation.Measured is evaluation.BenchmarkResult is ig4.Measured
    assert (evaluation.Pair, evaluation.Verdict) == (ig4.Pair, ig4.Verdict)
    assert (training.Checkpoint, training.Decoding) == (ig4.Checkpoint, ig4.Decoding)
    assert isinstance(training.MANIFEST, str)


@pytest.mark.parametrize(
    "module",
    [
        "ig4.core.contracts",
        "ig4.core.contracts.training",
        "ig4.core.contracts.evaluation",
        "ig4.core.evaluation",
        "ig4.core.training",
        "ig4.core.records",
        "ig4.core.hookspecs",
    ],
)
def test_plain_values_load_no_library(module):
    code = f"import sys, {module}; print({{'pydantic', 'numpy', 'sqlalchemy'}} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert done.stdout.strip() == "set()"
