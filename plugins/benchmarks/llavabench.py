"""LLaVA-Bench in the wild: 60 questions on 24 images, whose answers a judge compares."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from ig4.core.contracts.evaluation import BenchmarkResult, Item
from ig4.plugins.benchmarks.files import FileBenchmark, FileOptions, Row, Rows, check_distinct


class LlavaBenchOptions(FileOptions):
    """Options of the benchmark `llava-bench`."""

    questions: Path = Field(description="questions.jsonl: question_id, image, text, category.")
    context: Path | None = Field(
        None,
        description="context.jsonl: descriptions of the images, for judges that do not see them.",
    )


class LlavaBench(FileBenchmark):
    """Collects answers for a judge to compare (`ig4 judge`)."""

    version = "1"
    Options = LlavaBenchOptions
    options: LlavaBenchOptions
    max_new_tokens: ClassVar[int] = 1024
    judged: ClassVar[bool] = True

    def items(self) -> list[Item]:
        """Read the questions; the description of the image is in the record, as `context`.

        Raises:
            DatasetError: a file is not LLaVA-Bench's, or an image has no description.
        """
        contexts = self._contexts()
        path = self.options.questions
        return check_distinct(path, [_item(row, contexts) for row in Rows(path)])

    def score(self, items: Sequence[Item], answers: Sequence[str | None]) -> BenchmarkResult:
        """Return the share of questions with an answer, whatever its quality."""
        there = [float(bool(answer and answer.strip())) for answer in answers]
        return BenchmarkResult({"answered": sum(there) / len(items)}, "answered", there)

    def _contexts(self) -> dict[str, str] | None:
        if self.options.context is None:
            return None
        return {row.id("image"): row.text("caption") for row in Rows(self.options.context)}


def _item(row: Row, contexts: dict[str, str] | None) -> Item:
    image, category = row.text("image"), row.record.get("category")
    record = dict(row.record)
    if contexts is not None:
        if image not in contexts:
            row.fail(f"there is no description of the image {image[:80]!r}")
        record["context"] = contexts[image]
    return Item(
        row.id("question_id"), row.text("text"), image, (),
        category if isinstance(category, str) else "", record,
    )  # fmt: skip
