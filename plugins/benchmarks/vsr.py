"""Visual Spatial Reasoning (Liu et al. 2022, arXiv 2205.00363): is the caption right?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from ig4.core.contracts.evaluation import Item
from ig4.plugins.benchmarks.accuracy import AccuracyBenchmark, LabelOptions
from ig4.plugins.benchmarks.files import Row, Rows, check_distinct
from ig4.plugins.benchmarks.forms import Form

CHOICES = ("No", "Yes")
"""What a label of 0 or 1 means, in the order that the model is told."""


class VisualSpatialReasoning(AccuracyBenchmark):
    """`all_vsr_validated_data.jsonl`, or any other split; categories are the relations."""

    version = "1"
    Options = LabelOptions
    options: LabelOptions
    forms: ClassVar[Mapping[Form, str]] = {"labels": "vsr.answers=labels"}
    later_options = ("answers",)

    @property
    def form(self) -> Form:
        """See `AccuracyBenchmark.form`."""
        return self.options.answers

    def items(self) -> list[Item]:
        """Read the captions and ask about them as LVLM-eHub does; ids are row numbers from 0.

        Raises:
            DatasetError: the file is not VSR's.
        """
        path = self.options.questions
        return check_distinct(path, [_item(number, row) for number, row in enumerate(Rows(path))])


def _item(number: int, row: Row) -> Item:
    caption = row.text("caption")
    prompt = f"Question: Is the following caption right? {caption}\nOptions: {' '.join(CHOICES)}\n"
    return Item(
        str(number), prompt, row.text("image"), (CHOICES[row.number("label", 2)],),
        str(row.record.get("relation") or ""), row.record,
    )  # fmt: skip
