"""Options that several formats share."""

from __future__ import annotations

from pydantic import Field

from ig4.core.contracts import Options

INSTRUCTION = "Describe this image in detail."
"""The instruction of records that carry none."""


class FormatOptions(Options):
    """What every format may be told."""

    instruction: str = Field(INSTRUCTION, description="The instruction of records without one.")


class TextOptions(FormatOptions):
    """What formats in text files may be told."""

    encoding: str = Field("utf-8", description="The encoding of the files, such as gb18030.")


class ColumnOptions(FormatOptions):
    """Which columns hold what; those not named are looked for by their usual names."""

    id_column: str | None = Field(None, description="The column of the sample's id.")
    image_column: str | None = Field(None, description="The column of the image or images.")
    instruction_column: str | None = Field(None, description="The column of the instruction.")
    answer_column: str | None = Field(None, description="The column of the answer.")
    messages_column: str | None = Field(
        None, description="The column of the conversation; goes before instruction and answer."
    )
    image_path: str | None = Field(
        None,
        description="Path of the image of records that name none, with {id}: images/{id}.jpg",
    )


class TextColumnOptions(ColumnOptions, TextOptions):
    """What formats in text files with columns may be told."""
