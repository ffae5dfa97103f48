"""The directive that shows a picture of a page, in the theme of the reader, where there is one."""

from __future__ import annotations

from pathlib import Path

from docutils import nodes
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

FOLDER = "screens"
"""Where docs/screenshots.py puts pictures, below docs/; git ignores it."""

_LOGGER = logging.getLogger(__name__)


class Screenshot(SphinxDirective):
    """`{screenshot} report`: the pictures report-1440-light.png and report-1440-dark.png.

    The content of the directive says what they show. Pictures are made before the site is, on a
    machine that has Chromium; without them the page says the same without a picture.
    """

    required_arguments = 1
    has_content = True

    def run(self) -> list[nodes.Node]:
        """Return an image for each theme, of which the style sheet shows one."""
        name, text = self.arguments[0], " ".join(self.content)
        found: list[nodes.Node] = []
        for theme in ("light", "dark"):
            file = f"{FOLDER}/{name}-1440-{theme}.png"
            if (Path(self.env.srcdir) / file).exists():
                self.env.note_dependency(file)
                image = nodes.image(uri=f"/{file}", alt=text, classes=[f"only-{theme}", "screen"])
                self.set_source_info(image)
                found.append(image)
        if not found:
            _LOGGER.info("there is no picture called %s: docs/screenshots.py takes it", name)
        return found
