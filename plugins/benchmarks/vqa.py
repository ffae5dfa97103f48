"""Questions of your own: JSON, JSON lines, CSV or Parquet with columns for each part."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from pydantic import Field, field_validator

from ig4.core.contracts.evaluation import Item
from ig4.plugins.benchmarks.accuracy import AccuracyBenchmark, AccuracyOptions
from ig4.plugins.benchmarks.files import Row, Rows, check_distinct
from ig4.plugins.benchmarks.forms import Form, choices_of

_QUESTION = ("question", "text", "prompt", "instruction")
_ANSWERS = ("answers", "answer", "label", "truth", "target")
_IDS = ("id", "question_id", "sample_id", "index")
_IMAGES = ("image", "image_path", "file", "file_name", "image_id")


class VqaOptions(AccuracyOptions):
    """Options of the benchmark `vqa`."""

    id: str | None = Field(
        None, description="Column of ids; else the usual names, else the row's number from 0."
    )
    question: str | None = Field(None, description="Column of questions; else the usual names.")
    answers: str | None = Field(
        None, description="Column of right answers (a text, or a list); else the usual names."
    )
    image: str | None = Field(
        None, description="Column of image paths; else the usual names, if there is one."
    )
    choices: str | None = Field(
        None,
        description="Column of choices (a list); else the usual names, or columns A, B, C, …",
    )
    answer_form: Form = Field(
        "texts",
        description="What models answer: texts, letters of choices, or labels (true, false, yes, "
        "no, 1, 0).",
    )
    category: str = Field("category", description="Column of categories, if there is one.")
    prompt: str = Field(
        "{question}", description="Prompt for the model; {question} becomes the question."
    )

    @field_validator("prompt")
    @classmethod
    def _has_question(cls, prompt: str) -> str:
        if "{question}" not in prompt:
            raise ValueError("the prompt lacks {question}")
        return prompt


class Vqa(AccuracyBenchmark):
    """Scores answers to the user's own questions."""

    version = "1"
    Options = VqaOptions
    options: VqaOptions
    forms: ClassVar[Mapping[Form, str]] = {
        "letters": "vqa.answer_form=letters",
        "labels": "vqa.answer_form=labels",
    }
    later_options = ("choices", "answer_form")

    @property
    def form(self) -> Form:
        """See `AccuracyBenchmark.form`."""
        return self.options.answer_form

    def choices(self, item: Item) -> tuple[str, ...]:
        """See `AccuracyBenchmark.choices`."""
        return choices_of(item, self.options.choices)

    def items(self) -> list[Item]:
        """Read the questions, in the file's order.

        Raises:
            DatasetError: the file cannot be read, lacks a column, or an id comes twice.
        """
        path: Path = self.options.questions
        return check_distinct(path, [self._item(row, n) for n, row in enumerate(Rows(path))])

    def _item(self, row: Row, number: int) -> Item:
        options = self.options
        question = row.text(require_column(row, options.question, _QUESTION, "questions"))
        answers = require_column(row, options.answers, _ANSWERS, "right answers")
        own = find_column(row, options.id, _IDS)
        image = find_column(row, options.image, _IMAGES)
        category = row.record.get(options.category)
        parse_list_cell(row, answers)
        choices = find_column(row, options.choices, ("choices", "options"))
        if choices is not None:
            parse_list_cell(row, choices)
        return Item(
            id=str(number) if own is None else row.id(own),
            question=options.prompt.replace("{question}", question),
            image=None if image is None or _is_empty(row, image) else row.id(image),
            truths=row.texts(answers),
            category=category if isinstance(category, str) else "",
            record=row.record,
        )


def require_column(row: Row, given: str | None, usual: tuple[str, ...], what: str) -> str:
    """Return the column `given`, or the first of the `usual` names that a row has.

    Raises:
        DatasetError: there is none.
    """
    column = find_column(row, given, usual)
    if column is None:
        columns = ", ".join(repr(name[:40]) for name in row.record)
        row.fail(f"no column holds the {what}; its columns are {columns}: name it with an option")
    return column


def find_column(row: Row, given: str | None, usual: tuple[str, ...]) -> str | None:
    """Return the column `given`, or the first of the `usual` names with a value.

    Raises:
        DatasetError: there is no column `given`.
    """
    if given is not None:
        if given not in row.record:
            row.fail(f"there is no column {given!r}")
        return given
    return next((name for name in usual if row.record.get(name) not in (None, "")), None)


def _is_empty(row: Row, column: str) -> bool:
    return row.record[column] in (None, "")


def parse_list_cell(row: Row, column: str) -> None:
    """Replace the text of a JSON list in a cell by the list."""
    value = row.record[column]
    if isinstance(value, str) and value.startswith("["):
        try:
            read = json.loads(value)
        except (ValueError, RecursionError):
            return
        if isinstance(read, list) and all(isinstance(one, (str, int)) for one in read):
            row.record[column] = read
