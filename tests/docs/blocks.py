"""The blocks of commands that the pages show, as a reader would type them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
GENERATED = ("api", "commands", "components", "examples", "notebooks", "project", "tables")
"""Folders of docs/ whose pages are made when the site is built."""

_BLOCK = re.compile(
    r"(?:^<!-- not run: (?P<why>[^\n]+?) -->\n)?^```console\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Block:
    """A block of commands: its page, the line it begins at, and why it is not run, if it is not."""

    page: str
    line: int
    text: str
    not_run: str | None

    @property
    def commands(self) -> list[str]:
        """The commands, each in one line; what they print is left away."""
        lines = self.text.replace("\\\n", " ").splitlines()
        return [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def pages() -> list[Path]:
    """Return every page that is written by hand."""
    own = [p for p in sorted(DOCS.rglob("*.md")) if p.relative_to(DOCS).parts[0] not in GENERATED]
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *own]


def blocks(page: Path) -> list[Block]:
    """Return the blocks of commands of a page, in order."""
    text = page.read_text(encoding="utf-8")
    name = page.relative_to(ROOT).as_posix().removeprefix("docs/")
    return [
        Block(name, text.count("\n", 0, match.start("text")), match["text"], match["why"])
        for match in _BLOCK.finditer(text)
    ]


def commented(page: Path) -> int:
    """Return how many lines say that a block is not run, wherever they stand."""
    lines = page.read_text(encoding="utf-8").splitlines()
    return sum(line.startswith("<!-- not run:") for line in lines)
