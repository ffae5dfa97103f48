"""OK-VQA (Marino et al. 2019, arXiv 1906.00067): questions that need knowledge of the world."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from ig4.core.contracts.evaluation import Item
from ig4.plugins.benchmarks.accuracy import AccuracyBenchmark, AccuracyOptions
from ig4.plugins.benchmarks.files import Row, Rows, check_distinct


class OkvqaOptions(AccuracyOptions):
    """Options of the benchmark `okvqa`."""

    questions: Path = Field(description="OpenEnded_mscoco_val2014_questions.json.")
    annotations: Path = Field(
        description="mscoco_val2014_annotations.json, or a list of question_id, img_id and label."
    )
    images: Path | None = Field(
        None, description="The folder val2014 of COCO; by default that of the questions."
    )


class Okvqa(AccuracyBenchmark):
    """5,046 questions, each with the answers of several people, any of which is right."""

    version = "1"
    Options = OkvqaOptions
    options: OkvqaOptions

    def items(self) -> list[Item]:
        """Read the questions in the order of the annotations; ids are question ids.

        Raises:
            DatasetError: a file is not OK-VQA's, or an annotation has no question.
        """
        rows = Rows(self.options.questions, "questions")
        questions = {row.id("question_id"): row.text("question") for row in rows}
        answers = self.options.annotations
        return check_distinct(answers, [_item(row, questions) for row in Rows(answers)])


def _item(row: Row, questions: dict[str, str]) -> Item:
    number = row.id("question_id")
    question = questions.get(number)
    if question is None:
        row.fail(f"question {number[:80]!r} is not in the file of questions")
    return Item(number, question, _image(row), _truths(row))


def _image(row: Row) -> str:
    if "img_id" in row.record:
        return f"{row.id('img_id')}.jpg"
    number = row.number("image_id", 10**12)
    return f"COCO_val2014_{number:012d}.jpg"


def _truths(row: Row) -> tuple[str, ...]:
    """Return people's answers; a list of labels has each of them once, and may be empty."""
    label = row.record.get("label")
    if isinstance(label, dict):
        return tuple(label)
    people = row.record.get("answers")
    if not isinstance(people, list):
        row.fail("it needs a list under 'answers', or a 'label' with answers")
    return tuple(Row(row.where, one).text("answer") for one in people)
