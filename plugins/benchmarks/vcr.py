"""VCR-OC and VCR-MCI: how many there are of an object, and whether there is one (GVT-bench)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from ig4.core.contracts.evaluation import Item
from ig4.plugins.benchmarks.accuracy import AccuracyBenchmark, LabelOptions
from ig4.plugins.benchmarks.files import Rows, check_distinct
from ig4.plugins.benchmarks.forms import Form


class ObjectCounting(AccuracyBenchmark):
    """`vcr1_oc.json`: 10,000 questions whose right answer is a digit."""

    version = "1"

    def items(self) -> list[Item]:
        """Read the questions as they are; ids are row numbers from 0.

        Raises:
            DatasetError: the file is not GVT-bench's.
        """
        path = self.options.questions
        return check_distinct(
            path,
            [
                Item(str(number), row.text("text_in"), row.text("image_id"), row.texts("text_out"))
                for number, row in enumerate(Rows(path))
            ],
        )


class MultiClassIdentification(ObjectCounting):
    """`vcr1_mci.json`: 10,000 questions whose right answer is "Yes." or "No."."""

    version = "1"
    Options = LabelOptions
    options: LabelOptions
    forms: ClassVar[Mapping[Form, str]] = {"labels": "vcr-mci.answers=labels"}
    later_options = ("answers",)

    @property
    def form(self) -> Form:
        """See `AccuracyBenchmark.form`."""
        return self.options.answers
