"""Links that work on GitHub made to work on the site: those to files outside docs/."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

_LINK = re.compile(r"(?<=\]\()(?P<target>[^()\s#:]+)(?P<anchor>#[^()\s]*)?(?=\))")
_FENCE = re.compile(r"^\s*(`{3,}|~{3,})")

PAGES = {
    "README.md": "index",
    "CHANGELOG.md": "project/changelog",
    "CONTRIBUTING.md": "project/contributing",
    "SECURITY.md": "project/security",
    "benchmarks/README.md": "project/benchmarks",
    "examples/arena/README.md": "examples/arena",
    "examples/arena/PLAN.md": "examples/arena-plan",
    "examples/miniature/README.md": "examples/miniature",
    "examples/cluster/README.md": "examples/cluster",
}
"""Files outside docs/ that are pages of the site."""


def fitted(text: str, source: Path, docs: Path, repository: str, page: Path | None = None) -> str:
    """Return Markdown of `source` with the links that it must have in the place of `page`.

    A link to a page of the site becomes one to that page. One to another file of the repository
    becomes an address under `repository`; without a repository the file itself is linked, and
    becomes a part of the site. Links to nothing stay, so that Sphinx reports them.
    """
    page = page or source

    def new_link(match: re.Match[str]) -> str:
        target = Path(os.path.normpath(source.parent / match["target"]))
        anchor = match["anchor"] or ""
        return _place(target, docs, repository, page.parent, match["target"]) + anchor

    return "".join(_LINK.sub(new_link, line) if outside else line for line, outside in _lines(text))


def _place(target: Path, docs: Path, repository: str, start: Path, given: str) -> str:
    if target.is_dir() and (target / "README.md").is_file():
        target /= "README.md"
    root = docs.parent
    if target.is_relative_to(root) and (name := target.relative_to(root).as_posix()) in PAGES:
        target = docs / f"{PAGES[name]}.md"
    elif not target.exists():
        return given
    elif repository and not target.is_relative_to(docs):
        return f"{repository.rstrip('/')}/{target.relative_to(root).as_posix()}"
    return Path(os.path.relpath(target, start)).as_posix()


def _lines(text: str) -> Iterator[tuple[str, bool]]:
    """Return each line, and whether it stands outside blocks of code."""
    fence = ""
    for line in text.splitlines(keepends=True):
        found = _FENCE.match(line)
        if found and not fence:
            fence = found[1]
        elif found and found[1].startswith(fence):
            fence = ""
            yield line, False
            continue
        yield line, not fence
