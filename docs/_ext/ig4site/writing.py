"""Generated pages as files, and text as Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

_SPECIAL = re.compile(r"([\\*_<>\[\]$&])")


class PageFolder:
    """The source folder of the site: writes pages, and knows which it has written."""

    def __init__(self, folder: Path, owned: Sequence[str]) -> None:
        self.folder = folder
        self._owned = owned
        self._written: set[Path] = set()

    def write(self, docname: str, text: str) -> None:
        """Write a page; a file that has this text already keeps its time, and is not read anew."""
        path = self.folder / f"{docname}.md"
        self._written.add(path)
        if path.exists() and path.read_text(encoding="utf-8") == text:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)

    def write_bytes(self, name: str, data: bytes) -> None:
        """Write a picture that a page shows."""
        path = self.folder / name
        self._written.add(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    def remove_others(self) -> None:
        """Remove pages of an earlier build that nothing stands for any more."""
        for name in self._owned:
            for path in (self.folder / name).rglob("*"):
                if path.is_file() and path not in self._written:
                    path.unlink()


def prose(text: str) -> str:
    """Return plain text as Markdown: what stands between backticks stays, all else is escaped."""
    parts = re.split(r"(``[^`]+``|`[^`]+`)", text)
    return "".join(p if p.startswith("`") else _SPECIAL.sub(r"\\\1", p) for p in parts)


def cell(text: str) -> str:
    """Return Markdown for one cell of a table."""
    return text.replace("|", "\\|").replace("\n", " ")


def code(text: str) -> str:
    """Return text as a span of code, whatever backticks it has; nothing for no text."""
    if not text:
        return ""
    fence = "`" * (1 + max((len(run) for run in re.findall(r"`+", text)), default=0))
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown; cells are Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(map(cell, line)) + " |" for line in lines) + "\n"


def toctree(entries: Iterable[str], *, hidden: bool = True, depth: int = 1) -> str:
    """Return the directive that lists further pages."""
    head = [f":maxdepth: {depth}", *([":hidden:"] if hidden else [])]
    return "\n".join(["```{toctree}", *head, "", *entries, "```", ""])
