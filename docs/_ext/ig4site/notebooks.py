"""Notebooks of docs/ as pages: their text, their code, and what they printed and drew."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ig4site.links import fitted
from ig4site.writing import PageFolder

PICTURES = {"image/svg+xml": "svg", "image/png": "png", "image/jpeg": "jpg"}


def write(pages: PageFolder, repository: str) -> None:
    """Write a page for each notebook."""
    for path in sorted(pages.folder.glob("*.ipynb")):
        notebook = json.loads(path.read_text(encoding="utf-8"))
        text = "\n".join(_page(notebook, path, pages))
        page = pages.folder / "notebooks" / f"{path.stem}.md"
        pages.write(f"notebooks/{path.stem}", fitted(text, path, pages.folder, repository, page))


def _page(notebook: dict[str, Any], path: Path, pages: PageFolder) -> Iterator[str]:
    for number, cell in enumerate(notebook["cells"]):
        text = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            yield f"{text}\n"
        elif cell["cell_type"] == "code" and text.strip():
            yield f"```{'console' if text.startswith('!') else 'python'}\n{_shell(text)}\n```\n"
            for place, output in enumerate(cell.get("outputs", ())):
                yield from _output(output, f"{path.stem}-{number}-{place}", pages)
    yield f"This page is [a notebook]({path.name}) that you can run."


def _shell(text: str) -> str:
    lines = text.splitlines()
    return "\n".join(f"$ {line[1:].strip()}" if line.startswith("!") else line for line in lines)


def _output(output: dict[str, Any], name: str, pages: PageFolder) -> Iterator[str]:
    """Show what a cell gave: a picture where there is one, else its text."""
    data = output.get("data", {})
    for kind, ending in PICTURES.items():
        if kind in data:
            content = "".join(data[kind])
            raw = content.encode() if ending == "svg" else base64.b64decode(content)
            pages.write_bytes(f"notebooks/{name}.{ending}", raw)
            yield f"![what the cell above shows]({name}.{ending})\n"
            return
    text = "".join(output.get("text", "") or data.get("text/plain", ""))
    if text.strip():
        fence = "`" * 4
        yield f"{fence}text\n{text.rstrip()}\n{fence}\n"
