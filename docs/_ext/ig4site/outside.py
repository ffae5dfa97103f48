"""Pages of the site that are files outside docs/: the changelog, the examples and others."""

from __future__ import annotations

from ig4site.links import PAGES, fitted
from ig4site.writing import PageFolder


def write(pages: PageFolder, repository: str) -> None:
    """Write each of these files as a page, with links that hold where it now lies."""
    docs = pages.folder
    for name, docname in PAGES.items():
        if docname == "index":
            continue
        source = docs.parent / name
        text = source.read_text(encoding="utf-8")
        page = docs / f"{docname}.md"
        pages.write(docname, fitted(text, source, docs, repository, page))
