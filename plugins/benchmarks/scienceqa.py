"""ScienceQA (Lu et al. 2022, arXiv 2209.09513): the test questions that have an image."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from ig4.core.contracts.evaluation import Item
from ig4.core.files.reading import jsonstream
from ig4.core.files.reading.tables import require_file
from ig4.plugins.benchmarks.accuracy import AccuracyBenchmark, AccuracyOptions
from ig4.plugins.benchmarks.files import Row, Rows, check_distinct
from ig4.plugins.benchmarks.forms import Form


class ScienceQaOptions(AccuracyOptions):
    """Options of the benchmark `scienceqa`."""

    questions: Path = Field(
        description="problems.json of the data set, or test_anns.json as LVLM-eHub writes it."
    )
    split: str = Field("test", description="Which split of problems.json.")
    answers: Literal["texts", "letters"] = Field(
        "texts", description="What models answer: the texts of choices, or their letters."
    )


class ScienceQa(AccuracyBenchmark):
    """Questions with their choices, without letters and without the hint; categories: subjects."""

    version = "1"
    Options = ScienceQaOptions
    options: ScienceQaOptions
    forms: ClassVar[Mapping[Form, str]] = {"letters": "scienceqa.answers=letters"}
    later_options = ("answers",)

    @property
    def form(self) -> Form:
        """See `AccuracyBenchmark.form`."""
        return self.options.answers

    def items(self) -> list[Item]:
        """Read the questions in the file's order; the right answer is the text of the choice.

        Images of problems.json lie in SPLIT/ID/ below the folder of images.

        Raises:
            DatasetError: the file is not ScienceQA's.
        """
        path = self.options.questions
        require_file(path)
        if jsonstream.layout(path) == "object":
            return check_distinct(path, list(self._problems(path)))
        return check_distinct(
            path, [_prepared(number, row) for number, row in enumerate(Rows(path))]
        )

    def _problems(self, path: Path) -> Iterator[Item]:
        split = self.options.split
        for name, record in jsonstream.members(path):
            row = Row(f"{path}, problem {name[:80]!r}", record)
            if row.record.get("split") == split and row.record.get("image"):
                yield _problem(name, split, row)


def _problem(name: str, split: str, row: Row) -> Item:
    choices = row.texts("choices")
    prompt = f"Question: {row.text('question')}\nOptions: {' '.join(choices)}\n"
    truth = choices[row.number("answer", len(choices))]
    image = f"{split}/{name}/{row.text('image')}"
    subject = row.record.get("subject")
    record = {"question": row.text("question"), "choices": list(choices)}
    category = subject if isinstance(subject, str) else ""
    return Item(name, prompt, image, (truth,), category, record)


def _prepared(number: int, row: Row) -> Item:
    image, truth = row.text("image_path"), row.text("answer")
    choices = row.record.get("choices")
    record = {"choices": choices} if isinstance(choices, list) else {}
    return Item(str(number), row.text("question"), image, (truth,), record=record)
