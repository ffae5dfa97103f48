"""Pages of the documentation that are made from ig4 itself: commands, components, tables."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ig4site import commands, components, interface, links, notebooks, outside, tables, toctree
from ig4site.pictures import Screenshot
from ig4site.writing import PageFolder

if TYPE_CHECKING:
    from sphinx.application import Sphinx

FOLDERS = ("commands", "components", "api", "tables", "project", "examples", "notebooks")
"""The folders of docs/ that hold nothing but generated pages; git ignores them."""


def generate(app: Sphinx) -> None:
    """Write every generated page whose text has changed, and remove those that are no more."""
    pages = PageFolder(Path(app.srcdir), FOLDERS)
    commands.write(pages)
    components.write(pages)
    interface.write(pages)
    tables.write(pages)
    outside.write(pages, app.config.ig4_repository)
    notebooks.write(pages, app.config.ig4_repository)
    pages.remove_others()


def prepare(app: Sphinx, docname: str, source: list[str]) -> None:
    """Fit the text of a page to the site: links out of docs/, and the list of pages."""
    folder = Path(app.srcdir)
    if docname == "index":
        source[0] = toctree.filled(source[0], folder)
    if docname == "methods/README":
        source[0] += toctree.of_folder(folder / "methods")
    if docname.partition("/")[0] not in FOLDERS:
        page = folder / f"{docname}.md"
        source[0] = links.fitted(source[0], page, folder, app.config.ig4_repository)


def outdated(*_: object) -> list[str]:
    """Name the pages that list others: they change when pages come and go."""
    return ["index", "methods/README"]


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect the extension."""
    app.add_config_value("ig4_repository", "", "env", str)
    app.add_directive("screenshot", Screenshot)
    app.connect("builder-inited", generate)
    app.connect("env-get-outdated", outdated)
    app.connect("source-read", prepare)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
