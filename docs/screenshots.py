"""Takes pictures of pages, with Playwright and Chromium: of any file or address, as a list says.

    python docs/screenshots.py docs/screenshots.toml docs/screens

The list is a TOML file with a table for each picture:

    [[shot]]
    name = "report"                  # the file, without its ending
    page = "ig4-demo/report.html"    # a file, seen from the working directory, or an address
    widths = [1440, 390]
    height = 900                     # or full = true: the whole page
    themes = ["dark", "light"]
    actions = [
      { click = "#filters" },        # also: fill, press, hover, wait, scroll
      { fill = "#search", text = "red" },
      { press = "Enter" },
    ]

A picture is called NAME-WIDTH-THEME.png; a page of the documentation shows it by the directive
`{screenshot} NAME`. A page that is not there is passed over. A page that logs an error to the
console, or asks for anything outside (files and 127.0.0.1 are inside), has no picture, and the exit
code is 1. Without Chromium nothing is done.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
INSIDE = ("127.0.0.1", "localhost", "")


class Shot(NamedTuple):
    """One picture: what it is called, what it shows, and what is done before it is taken."""

    name: str
    page: str
    width: int
    height: int
    theme: str
    full: bool
    actions: Sequence[Mapping[str, Any]]

    @property
    def file(self) -> str:
        """The name of its file."""
        return f"{self.name}-{self.width}-{self.theme}.png"

    @property
    def address(self) -> str:
        """The page as an address."""
        return self.page if "://" in self.page else Path(self.page).resolve().as_uri()


def shots(listed: Mapping[str, Any]) -> Iterator[Shot]:
    """Return every picture that a list asks for, each width in each theme."""
    for one in listed.get("shot", ()):
        for width in one.get("widths", (1440, 390)):
            for theme in one.get("themes", ("dark", "light")):
                yield Shot(
                    one["name"], one["page"], width, one.get("height", 900), theme,
                    one.get("full", False), one.get("actions", ()),
                )  # fmt: skip


def browser_path() -> str | None:
    """Return where the machine's Chromium is, if it has one."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


@contextmanager
def opened() -> Iterator[Any]:
    """Start the machine's Chromium."""
    from playwright.sync_api import sync_playwright

    flags = ["--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--force-device-scale-factor=1"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path(), args=flags)
        try:
            yield browser
        finally:
            browser.close()


def take(browser: Any, shot: Shot, folder: Path) -> list[str]:
    """Take one picture; returns what is wrong with the page, and then takes none."""
    context = browser.new_context(
        viewport={"width": shot.width, "height": shot.height},
        color_scheme=shot.theme,
        reduced_motion="reduce",
    )
    page = context.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
    page.on("request", lambda request: wrong.extend(_outside(request.url)))
    try:
        page.goto(shot.address, wait_until="load")
        for action in shot.actions:
            act(page, action)
        if not wrong:
            folder.mkdir(parents=True, exist_ok=True)
            page.screenshot(path=folder / shot.file, full_page=shot.full)
    finally:
        context.close()
    return wrong


def act(page: Any, action: Mapping[str, Any]) -> None:
    """Do what a visitor would do before the picture is taken."""
    (verb, target), *more = action.items()
    if verb == "fill":
        page.fill(target, dict(more)["text"])
    elif verb == "press":
        page.keyboard.press(target)
    elif verb == "wait":
        page.wait_for_selector(target)
    elif verb == "scroll":
        page.locator(target).first.scroll_into_view_if_needed()
    elif verb in ("click", "hover"):
        getattr(page, verb)(target)
    else:
        raise ValueError(f"no such action: {verb} (click, fill, press, hover, wait, scroll)")


def _outside(address: str) -> list[str]:
    parts = urlsplit(address)
    inside = parts.scheme in ("data", "blob") or (parts.hostname or "") in INSIDE
    return [] if inside else [f"it asks for {address}"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Take every picture of a list; returns the exit code."""
    parser = argparse.ArgumentParser(description="Takes pictures of pages.")
    parser.add_argument("list", type=Path, help="TOML file with a table [[shot]] for each picture")
    parser.add_argument("folder", type=Path, help="folder to write them to")
    given = parser.parse_args(arguments)
    wanted = list(shots(tomllib.loads(given.list.read_text(encoding="utf-8"))))
    found = [shot for shot in wanted if "://" in shot.page or Path(shot.page).is_file()]
    for page in sorted({shot.page for shot in wanted} - {shot.page for shot in found}):
        print(f"{page}: there is no such page, so it has no picture")
    if not found:
        return 0
    if browser_path() is None:
        print(f"No pictures are taken: none of {', '.join(BROWSERS)} is installed")
        return 0
    failed = 0
    with opened() as browser:
        for shot in found:
            wrong = take(browser, shot, given.folder)
            failed += bool(wrong)
            print(f"{shot.file}: {'; '.join(one[:200] for one in wrong[:3]) or 'taken'}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
