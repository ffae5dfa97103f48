"""Charts as files: whole, equal for equal charts, never over files of others."""

from __future__ import annotations

import io
import json
import re
from xml.etree import ElementTree

import pytest
from PIL import Image

from ig4.core.charts.frame import FILE
from ig4.core.charts.pdforder import in_order
from ig4.core.charts.rendering import KINDS, file_kind, rendered, write_chart
from ig4.core.errors import UsageError

from .every import every_chart

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def groups():
    return every_chart(size=FILE, only="groups")["groups"]


@pytest.mark.parametrize("kind", KINDS)
def test_equal_charts_are_equal_files(kind, groups):
    again = every_chart(size=FILE, only="groups")["groups"]
    assert rendered(groups, kind) == rendered(again, kind)


def test_svg_is_well_formed_and_tells_what_it_shows():
    named = every_chart(("<script>1</script>", "b & c", "d"), FILE, "groups")["groups"]
    root = ElementTree.fromstring(rendered(named, "svg"))
    assert root.find(f"{SVG}title").text == "Groups in pool and selection"
    assert "<script>1</script> has 33.7 % of the pool" in root.find(f"{SVG}desc").text
    assert not [
        one for one in root.iter() if one.tag.endswith(("script", "image", "foreignObject"))
    ]
    assert root.get("width") == "700"


def test_a_png_has_the_pixels_that_were_asked_for(groups):
    with Image.open(io.BytesIO(rendered(groups, "png", theme="dark", scale=1.5))) as image:
        assert image.width == 1050
        assert image.getpixel((1, 1))[:3] == (0x15, 0x18, 0x1C)


def test_json_is_the_specification_with_the_theme(groups):
    spec = json.loads(rendered(groups, "json", theme="print"))
    assert spec["config"]["title"]["color"] == "#000000"
    assert spec["$schema"].endswith(".json")


def test_objects_of_a_pdf_are_where_its_table_says(groups):
    pdf = rendered(groups, "pdf")
    start = int(re.search(rb"startxref\s+(\d+)\s+%%EOF$", pdf)[1])
    assert pdf[start:].startswith(b"xref\n")
    places = [int(one) for one in re.findall(rb"(\d{10}) 00000 n\r\n", pdf[start:])]
    for number, place in enumerate(places, start=1):
        assert pdf[place:].startswith(b"%d 0 obj\n" % number)
    assert int(re.search(rb"/Size (\d+)", pdf[start:])[1]) == len(places) + 1
    named = {int(one) for one in re.findall(rb"\b(\d+) 0 R\b", pdf)}
    assert named <= set(range(1, len(places) + 1))
    assert b"/Type /Catalog" in pdf[places[0] : places[1]]


def test_what_is_no_plain_pdf_stays_as_it_is():
    for text in (b"", b"%PDF-1.7\n", b"%PDF-1.7\nstartxref\n3\n%%EOF"):
        assert in_order(text) == text


@pytest.mark.parametrize("name", ["x.SVG", "a.b/x.svg", "x.y.svg"])
def test_the_ending_of_a_name_says_what_kind_of_file_it_is(name, tmp_path):
    assert file_kind(tmp_path / name) == "svg"


@pytest.mark.parametrize("name", ["x", "x.jpg", "svg", ".svg"])
def test_another_ending_is_refused(name, tmp_path):
    with pytest.raises(UsageError, match=r"let its name end in \.svg, \.png, \.pdf, \.html or "):
        file_kind(tmp_path / name)


def test_a_chart_never_replaces_a_file_of_others(groups, tmp_path):
    path = tmp_path / "x.json"
    path.write_text("mine")
    with pytest.raises(UsageError, match="not written by ig4"):
        write_chart(groups, path)
    assert path.read_text() == "mine"
    write_chart(groups, path, overwrite=True)
    first = path.read_bytes()
    write_chart(groups, path)  # its own may be replaced
    assert path.read_bytes() == first
    assert json.loads(first)["title"]


def test_a_picture_that_is_too_large_is_refused(groups):
    with pytest.raises(UsageError, match=r"megapixels is too large .* try a smaller --scale"):
        rendered(groups, "png", scale=1000)
