"""A real browser, pages and servers to look at; one of each for all tests of this folder."""

from __future__ import annotations

import shutil
import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ig4.core.engine.session import Session
from ig4.core.host.host import Host
from ig4.storage.store import Store

from ..harbour import QUOTA
from .hostile import make_hostile

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)


@pytest.fixture(scope="package")
def chromium():
    """Chromium of this machine, or a skip where there is none.

    Of the folder, not of the session: while it runs, its loop is the one of this thread.
    """
    playwright = pytest.importorskip("playwright.sync_api")
    if CHROMIUM is None:
        pytest.skip("no chromium on PATH")
    with playwright.sync_playwright() as made:
        browser = made.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        yield browser
        browser.close()


@dataclass
class Visit:
    """A page that somebody looks at, and what it said to the console and asked for."""

    page: object
    messages: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def outside(self) -> list[str]:
        """Return the requests to anywhere but the page's own place."""
        own = self.page.url.partition("#")[0].partition("?")[0]
        place = "/".join(own.split("/")[:3]) if own.startswith("http") else own
        return [one for one in self.requests if not one.startswith((place, "data:", "blob:"))]


def address(page):
    """Return where a page is now; `page.url` hears of it a moment later."""
    return page.evaluate("location.href")


@pytest.fixture
def visit(chromium):
    """Open an address and wait until the page is ready; checks at the end that all was quiet."""
    contexts, visits = [], []

    def _visit(address, *, width=1440, height=900, scheme="light", quiet=True, ready=True, **more):
        context = chromium.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme, **more
        )
        context.set_default_timeout(20_000)
        contexts.append(context)
        made = Visit(context.new_page())
        made.page.on("console", lambda one: made.messages.append(f"{one.type}: {one.text}"))
        made.page.on("pageerror", lambda one: made.messages.append(f"error: {one}"))
        made.page.on("request", lambda one: made.requests.append(one.url))
        made.page.goto(address)
        if ready:
            made.page.wait_for_selector("html[data-ready]", state="attached")
        if quiet:
            visits.append(made)
        return made

    yield _visit
    loud = [one.messages for one in visits if one.messages]
    outside = [one.outside() for one in visits if one.outside()]
    for context in contexts:
        context.close()
    assert loud == []
    assert outside == []


def write_page(folder: Path, name: str, number: int, out: Path) -> str:
    from ig4.core.engine.reporting.report import write_report

    with Store.open(folder / "ig4.db") as store:
        session = Session(store, Host.discover(), [])
        write_report(session, session.dataset(name), number, out)
    return out.as_uri()


@pytest.fixture(scope="package")
def report(harbour_made, tmp_path_factory):
    """The address of the report of the harbour's first selection."""
    pytest.importorskip("altair")
    return write_page(
        harbour_made, "harbour", QUOTA, tmp_path_factory.mktemp("report") / "page.html"
    )


@pytest.fixture(scope="package")
def plain(harbour_made, tmp_path_factory):
    """The same without charts, as where the extra `report` is not installed: it opens sooner."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "altair", None)
        out = tmp_path_factory.mktemp("plain") / "page.html"
        return write_page(harbour_made, "harbour", QUOTA, out)


@contextmanager
def serving(folder: Path, number: int = 1):
    """Serve a database to this machine; yields the address, and the token for writing."""
    uvicorn = pytest.importorskip("uvicorn")
    pytest.importorskip("starlette")
    from ig4.cli.browse import _bound
    from ig4.core.engine.browsing.library import Library
    from ig4.core.engine.browsing.server import Site, make_app

    with Store.open(folder / "ig4.db") as store, _bound(0) as bound:
        session = Session(store, Host.discover(), [])
        port = bound.getsockname()[1]
        app = make_app(Site(Library(session, number), port, "token-of-the-tests"))
        config = uvicorn.Config(app, log_level="error", access_log=False, lifespan="off")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            server.should_exit = True
            thread.join(20)


def _copied(made: Path, folder: Path) -> Path:
    shutil.copytree(made / "ig4-vectors", folder / "ig4-vectors")
    shutil.copy(made / "ig4.db", folder)
    return folder


@pytest.fixture(scope="package")
def site(harbour_made, tmp_path_factory):
    """The address of a server that shows the harbour."""
    with serving(_copied(harbour_made, tmp_path_factory.mktemp("site"))) as address:
        yield address


@pytest.fixture(scope="package")
def hostile_folder(tmp_path_factory):
    """A database of a data set that tries to break whatever shows it."""
    return make_hostile(tmp_path_factory.mktemp("hostile"))


@pytest.fixture(scope="package")
def hostile_report(hostile_folder, tmp_path_factory):
    """The address of the report of that data set."""
    pytest.importorskip("altair")
    name = "<img src=x onerror=pwned=1>"
    return write_page(hostile_folder, name, 1, tmp_path_factory.mktemp("hostile") / "page.html")


@pytest.fixture(scope="package")
def hostile_site(hostile_folder):
    """The address of a server that shows it."""
    with serving(hostile_folder) as address:
        yield address
