"""Captions of your own images: a table of images and captions, or a JSON object of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pydantic import Field

from ig4.core.contracts.evaluation import Item
from ig4.core.files.reading import jsonstream
from ig4.core.files.reading.tables import is_parquet, require_file
from ig4.plugins.benchmarks.captioning import CaptioningBenchmark, CaptioningOptions
from ig4.plugins.benchmarks.files import Row, Rows, check_distinct
from ig4.plugins.benchmarks.vqa import find_column, parse_list_cell, require_column

_IMAGES = ("image", "image_path", "file_name", "file", "filename", "image_id")
_CAPTIONS = ("captions", "caption", "references", "reference", "text", "sentences", "answers")
_IDS = ("id", "image_id", "sample_id", "index")


class CaptionOptions(CaptioningOptions):
    """Options of the benchmark `caption`."""

    id: str | None = Field(
        None, description="Column of ids; else the usual names, else the image's path."
    )
    image: str | None = Field(None, description="Column of image paths; else the usual names.")
    captions: str | None = Field(
        None, description="Column of captions (a text, or a list); else the usual names."
    )
    category: str = Field("category", description="Column of categories, if there is one.")


class Caption(CaptioningBenchmark):
    """Scores captions of the user's own images; rows of one id are captions of one image."""

    version = "1"
    Options = CaptionOptions
    options: CaptionOptions

    def items(self) -> list[Item]:
        """Read the images and captions, in the order that images first come in.

        Raises:
            DatasetError: the file cannot be read, lacks a column, or gives one id two images.
        """
        options = self.options
        if _is_object_of_captions(options.questions):
            return check_distinct(options.questions, list(self._from_object(options.questions)))
        images: dict[str, tuple[str, str]] = {}
        captions: dict[str, list[str]] = {}
        for row in Rows(options.questions):
            image = row.id(require_column(row, options.image, _IMAGES, "images"))
            column = require_column(row, options.captions, _CAPTIONS, "captions")
            parse_list_cell(row, column)
            own = find_column(row, options.id, _IDS)
            name = image if own is None else row.id(own)
            category = row.record.get(options.category)
            known = images.setdefault(name, (image, category if isinstance(category, str) else ""))
            if known[0] != image:
                row.fail(f"the id {name[:80]!r} is of another image in an earlier row")
            captions.setdefault(name, []).extend(row.texts(column))
        return check_distinct(
            options.questions,
            [
                Item(name, options.prompt, image, tuple(captions[name]), category)
                for name, (image, category) in images.items()
            ],
        )

    def _from_object(self, path: Path) -> Iterator[Item]:
        for image, captions in jsonstream.members(path):
            row = Row(f"{path}, image {image[:80]!r}", {"captions": captions})
            yield Item(image, self.options.prompt, image, row.texts("captions"))


def _is_object_of_captions(path: Path) -> bool:
    """Return whether a file is `{"a.jpg": ["a dog", …], …}`, not an object with a table."""
    require_file(path)
    if is_parquet(path) or jsonstream.layout(path) != "object":
        return False
    firsts = jsonstream.first_items(path)
    return not any(isinstance(first, dict) for first in firsts.values())
