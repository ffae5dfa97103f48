"""Captions of your own images: JSON, JSON lines, CSV or Parquet with an image and its captions."""

from __future__ import annotations

from pydantic import Field

from ig4.core.evaluation import Item
from ig4.plugins.benchmarks.captioned import CaptionedBenchmark, CaptionedOptions
from ig4.plugins.benchmarks.files import Rows, distinct
from ig4.plugins.benchmarks.vqa import named, optional, unfold

_IMAGES = ("image", "image_path", "file_name", "file", "filename", "image_id")
_CAPTIONS = ("captions", "caption", "references", "reference", "text", "sentences", "answers")
_IDS = ("id", "image_id", "sample_id", "index")


class CaptionOptions(CaptionedOptions):
    """Options of the benchmark `caption`."""

    id: str | None = Field(
        None, description="Column of ids; else the usual names, else the image's path."
    )
    image: str | None = Field(None, description="Column of image paths; else the usual names.")
    captions: str | None = Field(
        None, description="Column of captions (a text, or a list); else the usual names."
    )
    category: str = Field("category", description="Column of categories, if there is one.")


class Caption(CaptionedBenchmark):
    """Scores captions of the user's own images; rows of one id are captions of one image."""

    version = "1"
    Options = CaptionOptions
    options: CaptionOptions

    def items(self) -> list[Item]:
        """Read the images and captions, in the order that images first come in.

        Raises:
            DatasetError: the file cannot be read, lacks a column, or gives one id two images.
        """
        said = self.options
        images: dict[str, tuple[str, str]] = {}
        captions: dict[str, list[str]] = {}
        for row in Rows(said.questions):
            image = row.id(named(row, said.image, _IMAGES, "images"))
            column = named(row, said.captions, _CAPTIONS, "captions")
            unfold(row, column)
            own = optional(row, said.id, _IDS)
            name = image if own is None else row.id(own)
            category = row.record.get(said.category)
            known = images.setdefault(name, (image, category if isinstance(category, str) else ""))
            if known[0] != image:
                row.fail(f"the id {name[:80]!r} is of another image in an earlier row")
            captions.setdefault(name, []).extend(row.texts(column))
        return distinct(
            said.questions,
            [
                Item(name, said.prompt, image, tuple(captions[name]), category)
                for name, (image, category) in images.items()
            ],
        )
