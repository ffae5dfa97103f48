"""Captions of Flickr30k (Young et al. 2014): LVLM-eHub's 1,000 random images of 31,783."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pydantic import Field

from ig4.core.contracts.evaluation import Item
from ig4.core.errors import DatasetError
from ig4.core.files.reading import jsonstream
from ig4.core.files.reading.encodings import open_text
from ig4.core.files.reading.tables import require_file
from ig4.plugins.benchmarks.captioning import CaptioningBenchmark, CaptioningOptions
from ig4.plugins.benchmarks.files import Row, check_distinct


class Flickr30kOptions(CaptioningOptions):
    """Options of the benchmark `flickr30k`."""

    questions: Path = Field(
        description="results_20130124.token, or a JSON object of image names and captions."
    )
    images: Path | None = Field(
        None, description="The folder flickr30k-images; by default that of the captions."
    )
    count: int | None = Field(1000, ge=1, description="Number of random images; null: all.")
    seed: int = Field(0, ge=0, lt=2**32, description="Seed of the random choice.")


class Flickr30k(CaptioningBenchmark):
    """Scores captions of random images, in the order in which they are drawn."""

    version = "1"
    Options = Flickr30kOptions
    options: Flickr30kOptions

    def items(self) -> list[Item]:
        """Read the captions and draw the images; ids are image names.

        Raises:
            DatasetError: a line is not an image's name, "#", a number, a tab, and a caption.
        """
        path = self.options.questions
        require_file(path)
        captions = _object(path) if jsonstream.layout(path) == "object" else _tokens(path)
        names = list(captions)
        items = [Item(name, self.options.prompt, name, tuple(captions[name])) for name in names]
        return check_distinct(path, [items[at] for at in self._drawn(len(items))])

    def _drawn(self, total: int) -> list[int]:
        count = self.options.count
        if count is None or total <= count:
            return list(range(total))
        import numpy as np

        # The legacy generator, whose stream numpy never changes, as in the original.
        drawn = np.random.RandomState(self.options.seed).choice(total, count, replace=False)
        return [int(at) for at in drawn]


def _tokens(path: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for number, line in enumerate(_lines(path), 1):
        name, tab, caption = line.partition("\t")
        image, mark, count = name.rpartition("#")
        if not (tab and mark and image and count.isdigit() and caption.strip()):
            raise DatasetError(
                f"{path}, line {number:,}: it should be an image's name, #, a number, a tab and a "
                "caption"
            )
        found.setdefault(image, []).append(caption)
    return found


def _lines(path: Path) -> Iterator[str]:
    with open_text(path, newline="\n") as file:
        yield from (line for text in file if (line := text.rstrip("\r\n")))


def _object(path: Path) -> dict[str, list[str]]:
    return {
        name: list(Row(f"{path}, image {name[:80]!r}", {"captions": captions}).texts("captions"))
        for name, captions in jsonstream.members(path)
    }
