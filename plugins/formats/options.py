"""Options that several formats share."""

from __future__ import annotations

from pydantic import Field

from ig4.core.contracts import Options

INSTRUCTION = "Describe this image in detail."
"""The instruction of records without one."""


class FormatOptions(Options):
    """Options of every format."""

    instruction: str = Field(INSTRUCTION, description="The instruction of records without one.")


class TextOptions(FormatOptions):
    """Options of formats in text files."""

    encoding: str = Field("utf-8", description="The encoding of the files, such as gb18030.")


class ColumnOptions(FormatOptions):
    """The names of the columns; those not set are found by their usual names."""

    id_column: str | None = Field(None, description="The column of the sample's id.")
    image_column: str | None = Field(None, description="The column of the image or images.")
    instruction_column: str | None = Field(None, description="The column of the instruction.")
    answer_column: str | None = Field(None, description="The column of the answer.")
    messages_column: str | None = Field(
        None, description="The column of the conversation; goes before instruction and answer."
    )
    input_column: str | None = Field(
        None, description="The column of what the instruction is about, as in Alpaca."
    )
    system_column: str | None = Field(None, description="The column of the system prompt.")
    history_column: str | None = Field(
        None, description="The column of earlier pairs of question and answer."
    )
    source_column: str | None = Field(
        None, description="The column that names where the sample is from; else source and others."
    )
    task_column: str | None = Field(
        None, description="The column that names its kind of task; else task, category and others."
    )
    image_path: str | None = Field(
        None,
        description="Image path of records without one, with {id}: images/{id}.jpg",
    )


class SplitOptions(FormatOptions):
    """Options of data sets that may have several splits."""

    split: str | None = Field(
        None, description="The split to read, as in train, where there are several; all: every one."
    )


class JsonOptions(TextOptions, SplitOptions):
    """Options of formats in JSON files."""

    key: str | None = Field(
        None, description="The key of the list of records in a JSON object; default: the only one."
    )


class TextColumnOptions(ColumnOptions, TextOptions):
    """Options of formats in text files with columns."""
