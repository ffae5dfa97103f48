"""Checks on the components that a plugin declares: valid records, targets that import fast."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from collections.abc import Iterable

from ig4.core.contracts.kinds import contracts_of
from ig4.core.host.discovery import RefusedError, check_record
from ig4.core.records import Component
from ig4.core.testing.check import Check, checks_from, fail, require

HEAVY = (
    "torch", "open_clip", "transformers", "sklearn", "scipy", "pandas", "pyarrow", "datasets",
    "ray", "openai", "anthropic", "sqlalchemy", "matplotlib", "tensorflow", "jax",
)  # fmt: skip
"""Libraries that are slow to import: they belong inside `open()` or the methods."""

_PROBE = """
import importlib, json, sys
importlib.import_module(sys.argv[1])
print(json.dumps([name for name in sys.argv[2:] if name in sys.modules]))
"""


def declaration_checks(components: Iterable[Component]) -> list[Check]:
    """Return the checks of each declared component; their names start with kind and name."""
    return [
        Check(f"{component.kind}-{component.name}-{check.name}", check.run)
        for component in components
        for check in checks_from(
            check_record_is_valid,
            check_has_a_summary,
            check_target_keeps_its_contract,
            check_target_imports_lightly,
            given=(component,),
        )
    ]


def check_record_is_valid(component: Component) -> None:
    """The host accepts the record."""
    try:
        check_record(component)
    except RefusedError as refusal:
        fail(str(refusal))


def check_has_a_summary(component: Component) -> None:
    """`ig4 plugins` shows one line about it."""
    require(0 < len(component.summary) <= 80, "the summary is empty, or longer than 80 characters")
    require("\n" not in component.summary, "the summary has more than one line")


def check_target_keeps_its_contract(component: Component) -> None:
    """The target is a class that inherits from the contract of its kind."""
    module, _, name = component.target.partition(":")
    target = importlib.import_module(module)
    for part in name.split("."):
        target = getattr(target, part)
    contracts = contracts_of(component.kind)
    names = " or ".join(contract.__name__ for contract in contracts)
    require(
        isinstance(target, type) and issubclass(target, contracts),
        f"{component.target} does not inherit from {names}",
    )


def check_target_imports_lightly(component: Component) -> None:
    """Importing the target, in a fresh Python, loads no heavy library."""
    module = component.target.partition(":")[0]
    names = sorted({*HEAVY, *component.requires} - {module.partition(".")[0]})
    process = subprocess.run(  # noqa: S603 - our own Python
        [sys.executable, "-c", _PROBE, module, *names],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )
    require(process.returncode == 0, f"cannot import {module}:\n{process.stderr}")
    loaded = process.stdout.strip().splitlines()[-1]
    require(loaded == "[]", f"importing {module} loads {loaded}: import them in open()")
