"""Captions of NoCaps (Agrawal et al. 2019, arXiv 1812.08658): all 4,500 images of validation."""

from __future__ import annotations

from ig4.core.contracts.evaluation import Item
from ig4.plugins.benchmarks.captioning import CaptioningBenchmark
from ig4.plugins.benchmarks.files import Rows, check_distinct


class NoCaps(CaptioningBenchmark):
    """`nocaps_val_4500_captions.json`; categories are the domains, where the file has them."""

    version = "1"

    def items(self) -> list[Item]:
        """Read the images in the file's order, with all their captions; ids are image ids.

        Raises:
            DatasetError: the file is not NoCaps', or an image has no caption.
        """
        path = self.options.questions
        captions: dict[str, list[str]] = {}
        for row in Rows(path, "annotations"):
            captions.setdefault(row.id("image_id"), []).append(row.text("caption"))
        items = []
        for row in Rows(path, "images"):
            number, domain = row.id("id"), row.record.get("domain")
            if number not in captions:
                row.fail(f"image {number[:80]!r} has no caption")
            items.append(
                Item(
                    number, self.options.prompt, row.text("file_name"), tuple(captions[number]),
                    domain if isinstance(domain, str) else "",
                )
            )  # fmt: skip
        return check_distinct(path, items)
