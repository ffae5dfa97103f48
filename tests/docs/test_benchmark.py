"""The benchmark that docs/plugins.md shows keeps its contract; docs/evaluation.md names what is."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from pydantic import Field

from ig4.core.contracts import Benchmark, Options
from ig4.core.contracts.evaluation import BenchmarkResult, Item
from ig4.core.testing import benchmark_checks
from ig4.plugins.builtin import COMPONENTS
from ig4.plugins.metrics.matching import RULES

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = (DOCS / "evaluation.md").read_text(encoding="utf-8")
SHOWN = re.search(
    r"```python\n(class Colours.*?)```",
    (DOCS / "plugins.md").read_text(encoding="utf-8"),
    re.DOTALL,
)


class ColoursOptions(Options):
    questions: Path = Field(description="File of questions.")


def made():
    names = {"Benchmark": Benchmark, "Item": Item, "BenchmarkResult": BenchmarkResult,
             "json": json, "ColoursOptions": ColoursOptions, "__name__": __name__}  # fmt: skip
    exec(SHOWN[1], names)
    return names["Colours"]


Colours = made()
Colours.__module__, Colours.__qualname__ = __name__, "Colours"  # where pickle looks for it


def test_the_benchmark_shown_passes_the_kit(tmp_path):
    path = tmp_path / "q.json"
    path.write_text(json.dumps([
        {"id": "1", "question": "What colour is the bus?", "image": "a.jpg", "colour": "red"},
        {"id": "2", "question": "What colour is the sea?", "image": "b.jpg", "colour": "blue"},
    ]))  # fmt: skip
    checks = benchmark_checks(lambda: Colours(ColoursOptions(questions=path)))
    for check in checks:
        check()
    assert len(checks) == 20


@pytest.mark.parametrize(
    "name", [*RULES, *(one.name for one in COMPONENTS if one.kind == "benchmark")]
)
def test_every_benchmark_and_rule_is_explained(name):
    assert f"`{name}`" in PAGE
