"""Questions of your own: JSON, JSON lines, CSV or Parquet with columns for each part."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import Field, field_validator

from ig4.core.contracts.evaluation import Item
from ig4.plugins.benchmarks.accuracy import MatchedBenchmark, MatchedOptions
from ig4.plugins.benchmarks.files import Row, Rows, distinct

_QUESTION = ("question", "text", "prompt", "instruction")
_ANSWERS = ("answers", "answer", "label", "truth", "target")
_IDS = ("id", "question_id", "sample_id", "index")
_IMAGES = ("image", "image_path", "file", "file_name", "image_id")


class VqaOptions(MatchedOptions):
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
    category: str = Field("category", description="Column of categories, if there is one.")
    prompt: str = Field(
        "{question}", description="What the model is asked; {question} stands for the question."
    )

    @field_validator("prompt")
    @classmethod
    def _asks(cls, prompt: str) -> str:
        if "{question}" not in prompt:
            raise ValueError("the prompt lacks {question}")
        return prompt


class Vqa(MatchedBenchmark):
    """Scores answers to the user's own questions."""

    version = "1"
    Options = VqaOptions
    options: VqaOptions

    def items(self) -> list[Item]:
        """Read the questions, in the file's order.

        Raises:
            DatasetError: the file cannot be read, lacks a column, or an id comes twice.
        """
        path: Path = self.options.questions
        return distinct(path, [self._item(row, n) for n, row in enumerate(Rows(path))])

    def _item(self, row: Row, number: int) -> Item:
        said = self.options
        question = row.text(named(row, said.question, _QUESTION, "questions"))
        answers = named(row, said.answers, _ANSWERS, "right answers")
        own = optional(row, said.id, _IDS)
        image = optional(row, said.image, _IMAGES)
        category = row.record.get(said.category)
        unfold(row, answers)
        return Item(
            id=str(number) if own is None else row.id(own),
            question=said.prompt.replace("{question}", question),
            image=None if image is None or _empty(row, image) else row.id(image),
            truths=row.texts(answers),
            category=category if isinstance(category, str) else "",
            record=row.record,
        )


def named(row: Row, given: str | None, usual: tuple[str, ...], what: str) -> str:
    """Return the column `given`, or the first of the `usual` names that a row has.

    Raises:
        DatasetError: there is none.
    """
    found = optional(row, given, usual)
    if found is None:
        there = ", ".join(repr(name[:40]) for name in row.record)
        row.fail(f"no column holds the {what}; its columns are {there}: name it with an option")
    return found


def optional(row: Row, given: str | None, usual: tuple[str, ...]) -> str | None:
    """Return the column `given`, or the first of the `usual` names that says something.

    Raises:
        DatasetError: the one that is given is not there.
    """
    if given is not None:
        if given not in row.record:
            row.fail(f"there is no column {given!r}")
        return given
    return next((name for name in usual if row.record.get(name) not in (None, "")), None)


def _empty(row: Row, column: str) -> bool:
    return row.record[column] in (None, "")


def unfold(row: Row, column: str) -> None:
    """Read a cell of a table that holds a JSON list of texts as the list."""
    value = row.record[column]
    if isinstance(value, str) and value.startswith("["):
        try:
            read = json.loads(value)
        except (ValueError, RecursionError):
            return
        if isinstance(read, list) and all(isinstance(one, (str, int)) for one in read):
            row.record[column] = read
