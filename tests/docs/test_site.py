"""The documentation site is built without a warning, and all its links lead somewhere."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

import ig4
from ig4.cli.main import COMMANDS
from ig4.plugins.builtin import COMPONENTS

pytestmark = pytest.mark.slow

pytest.importorskip("sphinx")
pytest.importorskip("furo")
pytest.importorskip("myst_parser")

ROOT = Path(__file__).resolve().parents[2]


class Page(HTMLParser):
    """The ids, links and parts of a page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.parts: list[str] = []
        self.images: list[dict[str, str | None]] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if given.get("id"):
            self.ids.add(given["id"])
        if tag == "a" and given.get("href"):
            self.links.append(given["href"])
        if tag in ("img", "script", "source") and given.get("src"):
            self.parts.append(given["src"])
        if tag == "link" and given.get("href"):
            self.parts.append(given["href"])
        if tag == "img":
            self.images.append(given)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The built site; it is built of a copy, for generated pages lie beside the others."""
    folder = tmp_path_factory.mktemp("site")
    source = folder / "source"
    left_out = shutil.ignore_patterns("__pycache__", "_build")
    for name in ("docs", "examples", "benchmarks"):
        shutil.copytree(ROOT / name, source / name, ignore=left_out)
    for path in ROOT.glob("*.md"):
        shutil.copy(path, source)
    command = [sys.executable, "-m", "sphinx", "-b", "html", "-n", "-W", "--keep-going", "-q"]
    done = subprocess.run(
        [*command, source / "docs", folder / "html"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "html"


@pytest.fixture(scope="module")
def html(site):
    """Every page by its path."""
    return {path: Page(path) for path in site.rglob("*.html")}


def problems(html, site, links):
    """Yield every link or part that leads nowhere."""
    for path, page in html.items():
        for link in getattr(page, links):
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not target.exists():
                yield f"{path.relative_to(site)}: {link}"
            elif (
                parts.fragment
                and target in html
                and unquote(parts.fragment) not in html[target].ids
            ):
                yield f"{path.relative_to(site)}: {link} (no such place)"


def test_a_link_that_leads_nowhere_would_be_found(tmp_path):
    links = ("b.html", "b.html#here", "#own", "https://example.org", "c.html", "b.html#gone")
    (tmp_path / "a.html").write_text("".join(f'<a id="own" href="{one}">x</a>' for one in links))
    (tmp_path / "b.html").write_text('<p id="here">')
    pages = {path: Page(path) for path in tmp_path.glob("*.html")}
    assert list(problems(pages, tmp_path, "links")) == [
        "a.html: c.html",
        "a.html: b.html#gone (no such place)",
    ]


def test_every_link_leads_to_a_page_and_a_place_on_it(html, site):
    assert len(html) > 100
    assert sum(len(page.links) for page in html.values()) > 5000
    assert list(problems(html, site, "links")) == []


def test_every_part_is_there_and_none_comes_from_elsewhere(html, site):
    assert list(problems(html, site, "parts")) == []
    outside = {p for page in html.values() for p in page.parts if urlsplit(p).scheme == "https"}
    assert outside == set()


def test_every_picture_has_a_text(html):
    assert [image for page in html.values() for image in page.images if not image.get("alt")] == []


def test_links_to_files_of_the_repository_became_pages(html, site):
    tour = html[site / "tour.html"]
    assert "project/contributing.html#where-things-are" in tour.links


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_a_page_with_its_options(site, command):
    text = (site / "commands" / f"{command}.html").read_text(encoding="utf-8")
    assert f'id="ig4-{command}"' in text
    assert re.search(r'id="cmdoption-ig4-', text) or command in ("batch", "db")


def test_every_component_is_described(html):
    ids = {
        one for path, page in html.items() if path.parent.name == "components" for one in page.ids
    }
    wanted = {f"{one.kind}-{re.sub('[^a-z0-9]+', '-', one.name)}" for one in COMPONENTS}
    assert wanted - ids == set()


def test_every_public_name_is_described(html):
    ids = {one for path, page in html.items() if path.parent.name == "api" for one in page.ids}
    names = {f"ig4.{name}" for name in ig4.__all__ if not name.startswith("__")}
    missing = names - ids
    assert missing == {"ig4.hookimpl"}  # pluggy's marker, which plugins.md explains


def test_the_search_index_has_the_methods(site):
    index = (site / "searchindex.js").read_text(encoding="utf-8")
    assert "facil" in index
    assert "methods/facility-location" in index
