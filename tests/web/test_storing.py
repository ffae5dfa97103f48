"""What a browser stores, in a real one: selections by a name, pins, and what it says of them."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import select

from ig4.storage import pins
from ig4.storage.schema import Sample
from ig4.storage.store import Store

from .conftest import _copied, address, serving

pytestmark = pytest.mark.slow

TOKEN = "#token=token-of-the-tests"


@pytest.fixture
def folder(harbour_made, tmp_path):
    return _copied(harbour_made, tmp_path)


@pytest.fixture
def writable(folder):
    """The address of a server whose database the test may change."""
    with serving(folder) as address:
        yield address


def stored_pins(folder):
    with Store.open(folder / "ig4.db") as store, store.reading() as connection:
        names = dict(connection.execute(select(Sample.id, Sample.external_id)).all())
        return {names[one.sample_id]: (one.keep, one.note) for one in pins.list_all(connection, 1)}


def test_a_note_is_typed_without_walking_on_and_stored_for_its_sample(visit, writable, folder):
    page = visit(f"{writable}/?view=all&sort=row{TOKEN}").page
    page.locator("#samples .card-id", has_text="harbour-003").click()
    dialog = page.locator("dialog[open]")
    note = dialog.get_by_label("Note")
    note.click()
    page.keyboard.type("just a joke, k")
    for key in ("ArrowLeft", "ArrowLeft", "ArrowRight", "Home", "End"):
        page.keyboard.press(key)
    assert dialog.locator("h2").inner_text() == "harbour-003"
    assert note.input_value() == "just a joke, k"
    dialog.get_by_role("button", name="Always keep").click()
    dialog.get_by_text("stored: keep").wait_for()
    assert stored_pins(folder) == {"harbour-003": (True, "just a joke, k")}
    dialog.get_by_role("button", name="Next").focus()
    page.keyboard.press("Alt+j")
    page.keyboard.press("Control+k")
    assert dialog.locator(".position").inner_text().startswith("4 of")
    page.keyboard.press("j")
    dialog.locator("h2", has_text="harbour-004").wait_for()


def test_what_is_filtered_is_stored_listed_and_offered(visit, writable):
    page = visit(f"{writable}/?view=all{TOKEN}").page
    page.fill("#search", "ferryboat")
    label = page.locator("label[for=store-name]", has_text="Store these 39 samples as")
    label.wait_for()
    page.get_by_label("Store these 39 samples as").fill("boats")
    page.locator(".store").get_by_role("button", name="Store").first.click()
    said = page.locator(".filters .store .told", has_text="Stored as selection 5 (boats).")
    said.wait_for()
    page.locator("#selection option", has_text="boats (5): 39").wait_for(state="attached")
    page.get_by_label("Store these 39 samples as").fill("ships")
    page.keyboard.press("Enter")
    page.get_by_text("selection 5, called boats until now, is called ships from now on").wait_for()
    page.locator("#selection option", has_text="ships (5): 39").wait_for(state="attached")
    assert page.locator("#selection option").count() == 5
    assert page.locator("#selection").input_value() == "1"
    page.locator(".filters .store").get_by_role("link", name="Open it").click()
    page.locator("h1", has_text="39 of 80 samples").wait_for()
    assert "selection=5" in address(page)


def test_what_the_sliders_give_is_stored_and_stays_on_show(visit, writable):
    page = visit(f"{writable}/?tab=whatif{TOKEN}").page
    page.get_by_label("size, as a number").fill("20")
    page.get_by_label("size, as a number").press("Enter")
    page.locator("#whatif .told", has_text="20 samples: 8 would enter").wait_for()
    page.get_by_label("Store this as").fill("wide")
    page.locator("#whatif").get_by_role("button", name="Store").click()
    page.locator("#whatif .told", has_text="Stored as selection 5 (wide).").wait_for()
    page.locator("#selection option", has_text="wide (5): 20").wait_for(state="attached")
    assert page.get_by_label("size, as a number").input_value() == "20"
    assert page.locator("#whatif > .told", has_text="20 samples: 8 would enter").is_visible()
    page.locator("#whatif").get_by_role("link", name="Open it").click()
    page.locator("h1", has_text="20 of 80 samples").wait_for()


def test_a_name_that_cannot_be_given_is_said_where_it_was_typed(visit, writable):
    page = visit(f"{writable}/{TOKEN}", quiet=False).page
    page.get_by_label("Store these").fill("last")
    page.keyboard.press("Enter")
    page.locator(".filters .store .told", has_text=re.compile("last")).wait_for()
    assert page.locator(".store a").count() == 0
