"""docs/screenshots.py takes pictures of pages, and none of a page that has an error."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from PIL import Image

SCRIPT = Path(__file__).resolve().parents[2] / "docs" / "screenshots.py"

PAGE = """<!doctype html><meta charset="utf-8"><title>A page</title>
<style>
  body { margin: 0; background: white } .late { display: none; height: 9px }
  @media (prefers-color-scheme: dark) { body { background: black } }
</style>
<button id="go" onclick="document.querySelector('.late').style.display = 'block';
  document.body.style.background = 'rgb(0, 0, 255)'">Go</button><p class="late">there</p>
"""


def script():
    spec = importlib.util.spec_from_file_location("screenshots", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


screenshots = script()
with_browser = pytest.mark.skipif(screenshots.browser_path() is None, reason="no Chromium here")


def listed(folder, text, page=PAGE):
    (folder / "page.html").write_text(page)
    path = folder / "shots.toml"
    path.write_text(text.replace("PAGE", (folder / "page.html").as_posix()))
    return path


def taken(folder, text, page=PAGE):
    """Return the exit code, and the pictures by name."""
    code = screenshots.main([str(listed(folder, text, page)), str(folder / "out")])
    return code, {path.name: Image.open(path) for path in (folder / "out").glob("*.png")}


def test_every_width_is_wanted_in_every_theme():
    wanted = list(screenshots.shots({"shot": [{"name": "a", "page": "a.html"}]}))
    files = ["a-1440-dark.png", "a-1440-light.png", "a-390-dark.png", "a-390-light.png"]
    assert [shot.file for shot in wanted] == files


def test_a_page_that_is_not_there_is_passed_over(tmp_path, capsys):
    path = listed(tmp_path, '[[shot]]\nname = "x"\npage = "nowhere.html"\n')
    assert screenshots.main([str(path), str(tmp_path)]) == 0
    assert "nowhere.html: there is no such page" in capsys.readouterr().out


@pytest.mark.slow
@with_browser
def test_pictures_have_the_size_and_the_theme_that_was_asked_for(tmp_path):
    pytest.importorskip("playwright")
    text = '[[shot]]\nname = "p"\npage = "PAGE"\nheight = 300\nwidths = [390]\n'
    code, pictures = taken(tmp_path, text)
    assert code == 0
    assert {name: p.size for name, p in pictures.items()} == {
        "p-390-dark.png": (390, 300), "p-390-light.png": (390, 300),
    }  # fmt: skip
    corners = [p.convert("RGB").getpixel((389, 299)) for _, p in sorted(pictures.items())]
    assert corners == [(0, 0, 0), (255, 255, 255)]


@pytest.mark.slow
@with_browser
def test_actions_come_before_the_picture(tmp_path):
    pytest.importorskip("playwright")
    code, pictures = taken(
        tmp_path,
        '[[shot]]\nname = "p"\npage = "PAGE"\nwidths = [390]\nthemes = ["light"]\n'
        'actions = [{ click = "#go" }, { wait = ".late" }]\n',
    )
    assert code == 0
    assert pictures["p-390-light.png"].convert("RGB").getpixel((389, 299)) == (0, 0, 255)


@pytest.mark.slow
@with_browser
@pytest.mark.parametrize(
    ("more", "told"),
    [
        ("<script>throw new Error('it broke')</script>", "it broke"),
        ('<img src="https://example.invalid/x.png">', "it asks for https://example.invalid"),
    ],
)
def test_a_page_with_an_error_has_no_picture(tmp_path, capsys, more, told):
    pytest.importorskip("playwright")
    text = '[[shot]]\nname = "p"\npage = "PAGE"\nwidths = [390]\nthemes = ["light"]\n'
    code, pictures = taken(tmp_path, text, PAGE + more)
    assert (code, pictures) == (1, {})
    assert told in capsys.readouterr().out
