"""The list of pages on the front page: some may be missing, and new ones are found."""

from __future__ import annotations

import re
from pathlib import Path

from ig4site.writing import toctree

_BLOCK = re.compile(r"```\{toctree\}\n.*?^```$", re.MULTILINE | re.DOTALL)


def filled(text: str, folder: Path) -> str:
    """Return the front page with its lists complete.

    An entry with `?` behind it is left out if there is no such page. The entry `...` stands for
    all pages directly in docs/ that no list names.
    """
    named = {
        line.rstrip("?").strip() for block in _BLOCK.findall(text) for line in block.splitlines()
    }
    rest = [p.stem for p in sorted(folder.glob("*.md")) if p.stem not in {*named, "index"}]

    def complete(match: re.Match[str]) -> str:
        lines: list[str] = []
        for line in match[0].splitlines():
            if line == "...":
                lines += rest
            elif not line.endswith("?"):
                lines.append(line)
            elif (folder / f"{line[:-1]}.md").exists():
                lines.append(line[:-1])
        return "\n".join(lines)

    return _BLOCK.sub(complete, text)


def of_folder(folder: Path) -> str:
    """Return the list of all pages beside a README that says what they are about."""
    names = [path.stem for path in sorted(folder.glob("*.md"))]
    return "\n" + toctree(name for name in names if name != "README")
