"""The messages that docs/troubleshooting.md explains are those that ig4 has."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
MESSAGES = re.findall(r"^\*\*`(.+?)`\.\*\*", PAGE, re.MULTILINE)


def texts():
    """Return ig4's code: texts over several lines joined, `…` for what is put in."""
    paths = [p for f in ("core", "plugins", "storage", "cli") for p in (ROOT / f).rglob("*.py")]
    code = "\n".join(path.read_text(encoding="utf-8") for path in paths)
    joined = re.sub(r'"\s*\n\s*f?"', "", code)
    return re.sub(r"\{[^{}\n]*\}", "…", joined)


ALL = texts()


@pytest.mark.parametrize("message", MESSAGES)
def test_a_message_that_is_explained_exists(message):
    pattern = re.escape(message).replace("…", r"[^\n]*")
    assert re.search(pattern, ALL), message


def test_there_are_messages():
    assert len(MESSAGES) > 12
