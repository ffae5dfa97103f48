"""The base of benchmarks in files: options that name the files, and checked rows."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, NoReturn

from pydantic import Field

from ig4.core import contracts
from ig4.core.contracts import Benchmark, Digest
from ig4.core.contracts.evaluation import Item
from ig4.core.errors import DatasetError
from ig4.core.files.reading.tables import read_rows, text_id
from ig4.core.records import JSON


class FileOptions(contracts.Options):
    """Options of benchmarks with a file of questions and a folder of images."""

    questions: Path = Field(description="File of the questions.")
    images: Path | None = Field(
        None, description="Folder of the images; by default that of the questions."
    )


class FileBenchmark(Benchmark):
    """A benchmark in files: results depend on their content, not on their location."""

    Options: ClassVar[type[contracts.Options]] = FileOptions
    options: Any

    def identity(self, digest: Digest) -> Mapping[str, JSON]:
        """Return the options with files by sha256, and without the folder of images."""
        identity = self.options.model_dump(mode="json")
        del identity["images"]
        for name in type(self.options).model_fields:
            value = getattr(self.options, name)
            if name != "images" and isinstance(value, Path):
                identity[name] = digest(value)
        return dict(identity)

    @property
    def image_root(self) -> Path:
        """The folder in the option `images`, else that of the questions."""
        folder: Path | None = self.options.images
        return folder or self.options.questions.parent


class Rows:
    """The rows of a file, with errors that name the wrong row."""

    def __init__(self, path: Path, key: str | None = None) -> None:
        self.path = path
        self.key = key
        """The key of the list, in a file with several lists."""

    def __iter__(self) -> Iterator[Row]:
        for number, row in enumerate(read_rows(self.path, key=self.key), 1):
            yield Row(f"{self.path}, row {number:,}", row)


class Row:
    """One record of a benchmark's file, whose methods check the fields.

    Raises:
        DatasetError: a field is missing, or not valid.
    """

    def __init__(self, where: str, record: JSON) -> None:
        self.where = where
        if not isinstance(record, dict):
            self.fail("it is not a JSON object")
        self.record: dict[str, JSON] = record

    def fail(self, what: str) -> NoReturn:
        """Raise DatasetError: what is wrong with this row."""
        raise DatasetError(f"{self.where}: {what}")

    def text(self, name: str) -> str:
        """Return a text that is not empty."""
        value = self.record.get(name)
        if not isinstance(value, str) or not value.strip():
            self.fail(f"it needs a text under {name!r}")
        return value

    def id(self, name: str) -> str:
        """Return an id: text, or a whole number as text."""
        value = _as_text(self.record.get(name))
        if value is None:
            self.fail(f"it needs an id under {name!r}")
        return value

    def number(self, name: str, below: int) -> int:
        """Return a whole number from 0; tables may have it as text, or with a decimal point."""
        value = self.record.get(name)
        text = _as_text(value) or ""
        whole = text.isascii() and text.isdigit() and len(text) <= len(str(below))
        if not whole or int(text) >= below:
            self.fail(f"{name!r} must be a whole number from 0 to {below - 1}, not {value!r:.80}")
        return int(text)

    def texts(self, name: str) -> tuple[str, ...]:
        """Return a list of texts, or one text, as texts; numbers count as texts."""
        value = self.record.get(name)
        found = [_as_text(one) for one in (value if isinstance(value, list) else [value])]
        if not found or any(one is None for one in found):
            self.fail(f"it needs a text, or a list of texts, under {name!r}")
        return tuple(one for one in found if one is not None)


def _as_text(value: JSON) -> str | None:
    """Return a text, or a number as text; None for NaN and whatever else JSON can hold."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return text_id(value)


def check_distinct(path: Path, items: Sequence[Item]) -> list[Item]:
    """Return the items, after checking that there are some and that their ids differ.

    Raises:
        DatasetError: there are none, or an id comes twice.
    """
    if not items:
        raise DatasetError(f"{path} holds no questions")
    seen: set[str] = set()
    for item in items:
        if item.id in seen:
            raise DatasetError(f"{path}: the id {item.id[:80]!r} comes twice")
        seen.add(item.id)
    return list(items)
