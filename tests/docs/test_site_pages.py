"""What makes the pages of the site: fitted links, lists of pages, text as Markdown."""

from __future__ import annotations

import base64
import html
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from PIL import Image

pytest.importorskip("sphinx")

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "docs" / "_ext"))

from ig4site import links, toctree  # noqa: E402 - after the path is set
from ig4site.writing import PageFolder, code, prose, table  # noqa: E402

FILES = (
    "docs/tour.md",
    "docs/methods/README.md",
    "CONTRIBUTING.md",
    "examples/arena/README.md",
    "examples/arena/pictures/a.svg",
    "cli/main.py",
)


@pytest.fixture
def repository(tmp_path):
    """A repository with a page, a guide, an example and a source file."""
    for name in FILES:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path


def fitted(repository, text, name="docs/tour.md", address="", page=None):
    docs = repository / "docs"
    place = docs / page if page else None
    return links.fitted(text, repository / name, docs, address, place)


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        ("../CONTRIBUTING.md#where", "project/contributing.md#where"),
        ("../examples/arena", "examples/arena.md"),
        ("methods/", "methods/README.md"),
        ("methods/README.md", "methods/README.md"),
        ("https://example.org/a", "https://example.org/a"),
        ("#below", "#below"),
        ("nowhere.md", "nowhere.md"),
        ("../cli/main.py", "../cli/main.py"),
    ],
)
def test_a_link_leads_to_the_page_that_stands_for_a_file(repository, link, expected):
    assert fitted(repository, f"See [it]({link}).") == f"See [it]({expected})."


def test_a_source_file_is_linked_in_the_repository_if_that_is_known(repository):
    text = fitted(repository, "[main](../cli/main.py)", address="https://example.org/tree/")
    assert text == "[main](https://example.org/tree/cli/main.py)"


def test_links_of_a_file_elsewhere_hold_where_its_page_lies(repository):
    text = "![p](pictures/a.svg) [tour](../../docs/tour.md)"
    moved = fitted(repository, text, "examples/arena/README.md", page="examples/arena.md")
    assert moved == "![p](../../examples/arena/pictures/a.svg) [tour](../tour.md)"


def test_code_is_left_as_it_is(repository):
    text = "```python\nf[a](../CONTRIBUTING.md)\n```\n[a](../CONTRIBUTING.md)\n"
    expected = "```python\nf[a](../CONTRIBUTING.md)\n```\n[a](project/contributing.md)\n"
    assert fitted(repository, text) == expected


def test_lists_leave_out_pages_that_are_not_there_and_find_new_ones(tmp_path):
    for name in ("index", "install", "new", "plots"):
        (tmp_path / f"{name}.md").touch()
    first, second = "```{toctree}\n:hidden:\n\n", "```\n\n```{toctree}\n"
    text = f"# T\n\n{first}install\nplots?\nreport?\n{second}...\n```\n"
    expected = f"# T\n\n{first}install\nplots\n{second}new\n```\n"
    assert toctree.filled(text, tmp_path) == expected


CHARACTERS = st.characters(
    max_codepoint=0x2FF, exclude_categories=("Z", "C"), exclude_characters="`"
)
LINE = st.text(CHARACTERS, min_size=1)


@given(st.lists(LINE, min_size=1).map(" ".join).map("a ".__add__))
def test_text_is_shown_as_it_is(text):
    shown = re.sub(r"<[^>]*>", "", MarkdownIt("commonmark").render(prose(text)))
    assert html.unescape(shown).strip() == " ".join(text.split())


def test_code_in_a_text_stays_code():
    assert prose("a * of `-o a_b=*`") == "a \\* of `-o a_b=*`"


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1))
def test_any_text_can_be_code(text):
    shown = MarkdownIt("commonmark").render(code(text))
    assert html.unescape(re.fullmatch(r"<p><code>(.*)</code></p>\n", shown, re.DOTALL)[1]) == text


def test_a_bar_does_not_end_a_cell():
    assert table(("a", "b"), [("x | y", "z")]).splitlines()[2] == "| x \\| y | z |"


def test_a_page_of_an_earlier_build_is_removed_and_an_equal_one_is_not_written_again(tmp_path):
    first = PageFolder(tmp_path, ("commands",))
    first.write("commands/a", "A")
    first.write("commands/b", "B")
    (tmp_path / "own.md").touch()
    before = (tmp_path / "commands" / "a.md").stat().st_mtime_ns
    second = PageFolder(tmp_path, ("commands",))
    second.write("commands/a", "A")
    second.remove_others()
    assert (tmp_path / "commands" / "a.md").stat().st_mtime_ns == before
    assert not (tmp_path / "commands" / "b.md").exists()
    assert (tmp_path / "own.md").exists()


def test_a_notebook_is_a_page_with_its_code_and_what_that_gave(tmp_path):
    from ig4site import notebooks

    picture = base64.b64encode(b"PNG").decode()
    cells = [
        {"cell_type": "markdown", "source": ["# Title\n", "[More](more.md)."]},
        {"cell_type": "code", "source": "!ig4 demo", "outputs": [{"text": ["done\n"]}]},
        {"cell_type": "code", "source": "1 + 1", "outputs": [{"data": {"text/plain": "2"}}]},
        {"cell_type": "code", "source": "plot()", "outputs": [{"data": {"image/png": picture}}]},
        {"cell_type": "code", "source": "", "outputs": []},
    ]
    (tmp_path / "more.md").touch()
    (tmp_path / "tutorial.ipynb").write_text(json.dumps({"cells": cells}))
    pages = PageFolder(tmp_path, ("notebooks",))
    notebooks.write(pages, "")
    text = (tmp_path / "notebooks" / "tutorial.md").read_text()
    for part in (
        "# Title\n[More](../more.md).\n",
        "```console\n$ ig4 demo\n```\n",
        "````text\ndone\n````\n",
        "```python\n1 + 1\n```\n",
        "````text\n2\n````\n",
        "(tutorial-3-0.png)",
        "(../tutorial.ipynb)",
    ):
        assert part in text
    assert (tmp_path / "notebooks" / "tutorial-3-0.png").read_bytes() == b"PNG"
    assert text.count("```python") == 2


@pytest.mark.slow
def test_a_picture_is_shown_in_both_themes_where_there_is_one(tmp_path):
    pytest.importorskip("myst_parser")
    source = tmp_path / "docs"
    (source / "screens").mkdir(parents=True)
    for theme in ("light", "dark"):
        Image.new("RGB", (4, 4)).save(source / "screens" / f"page-1440-{theme}.png")
    (source / "conf.py").write_text(
        f"import sys; sys.path.insert(0, {str(ROOT / 'docs' / '_ext')!r})\n"
        "from ig4site.pictures import Screenshot\n"
        "extensions = ['myst_parser']\n"
        "def setup(app): app.add_directive('screenshot', Screenshot)\n"
    )
    shown = "```{screenshot} page\nThe page.\n```\n\n```{screenshot} none\nNo page.\n```\n"
    (source / "index.md").write_text(f"# T\n\n{shown}")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "-n", source, tmp_path / "html"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "html" / "index.html").read_text()
    images = re.findall(r"<img[^>]*>", page)
    assert len(images) == 2
    assert all('alt="The page."' in image for image in images)
    assert ["only-light" in image for image in images] == [True, False]
