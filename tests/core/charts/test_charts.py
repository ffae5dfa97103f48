"""What all charts have in common, whatever a data set calls things."""

from __future__ import annotations

import json

import pytest

from ig4.core.charts.frame import FILE, PAGE, Size
from ig4.core.charts.rendering import specification, title_of
from ig4.core.charts.themes import THEMES, theme_config

from .every import HOSTILE, KINDS, every_chart, inside, rows_of


@pytest.fixture(scope="module")
def hostile():
    """The specification of every kind, with hostile names."""
    return {name: specification(chart) for name, chart in every_chart().items()}


@pytest.mark.parametrize("kind", KINDS)
def test_a_chart_is_valid_vega_lite(kind, hostile):
    assert hostile[kind]["$schema"].startswith("https://vega.github.io/schema/vega-lite/v6")


@pytest.mark.parametrize("kind", KINDS)
def test_a_chart_has_a_title_a_description_and_titles_on_its_axes(kind, hostile):
    spec = hostile[kind]
    assert title_of(spec)
    assert len(spec["description"]) > 20
    for one in inside(spec):
        for channel in ("x", "y"):
            axis = one.get("encoding", {}).get(channel, {})
            assert "field" not in axis or "title" in axis or one["mark"]["type"] in (
                "text", "area", "rule",
            )  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_texts_of_a_data_set_are_never_names_of_fields(kind, hostile):
    fields = {one["field"] for one in inside(hostile[kind]) if isinstance(one.get("field"), str)}
    assert fields
    assert all(name.isidentifier() for name in fields)
    keys = {key for row in rows_of(hostile[kind]) for key in row}
    assert keys
    assert all(key.isidentifier() for key in keys)


@pytest.mark.parametrize("kind", KINDS)
def test_a_chart_has_no_expression_and_no_transform(kind, hostile):
    for one in inside(hostile[kind]):
        assert not {"expr", "signal", "transform", "calculate", "url"} & set(one)


@pytest.mark.parametrize("kind", KINDS)
def test_a_chart_has_no_colours_of_text_axes_or_background(kind, hostile):
    spec = hostile[kind]
    assert "config" not in spec
    assert "background" not in spec
    for one in inside(spec):
        assert not {"labelColor", "titleColor", "gridColor", "subtitleColor"} & set(one)
        if one.get("type") == "text":
            assert "color" not in one


@pytest.mark.parametrize("kind", KINDS)
def test_no_control_character_reaches_a_chart(kind, hostile):
    text = json.dumps(hostile[kind], ensure_ascii=False)
    assert "\u202e" not in text
    assert "\\u001b" not in text
    assert "\\n" not in text


def test_names_are_whole_in_tooltips_and_short_on_axes(hostile):
    rows = rows_of(hostile["groups"])
    assert {row["name"] for row in rows} >= {"<script>alert(1)</script>", "漢字" * 40}
    assert len({row["label"] for row in rows}) == len(HOSTILE)
    assert all(len(row["label"]) <= 22 for row in rows)


@pytest.mark.parametrize("kind", KINDS)
def test_equal_values_make_equal_specifications(kind, hostile):
    again = every_chart(only=kind)[kind]
    assert json.dumps(specification(again)) == json.dumps(hostile[kind])


def test_a_page_gives_a_chart_its_width_and_a_file_has_its_own():
    page, file = (
        specification(every_chart(("a", "b", "c"), size, "map")["map"]) for size in (PAGE, FILE)
    )
    assert page["width"] == "container"
    assert file["width"] == 700
    assert file["autosize"] == {"type": "fit", "contains": "padding"}
    tall = specification(every_chart(("a", "b", "c"), Size(300, 222), "map")["map"])
    assert (tall["width"], tall["height"]) == (300, 222)


def test_a_specification_holds_no_more_than_its_picture_shows(hostile):
    assert len(rows_of(hostile["crowd"])) < 5_000
    assert all(len(json.dumps(spec)) < 400_000 for spec in hostile.values())


@pytest.mark.parametrize("theme", THEMES)
def test_text_of_a_theme_can_be_read_on_its_background(theme):
    config = theme_config(theme)
    for colour in (config["axis"]["labelColor"], config["title"]["color"]):
        assert contrast(colour, config["background"]) >= 7
    for mark in ("#0072B2", "#8C8C8C", "#D55E00"):
        assert contrast(mark, config["background"]) >= 3


def contrast(first, second):
    """Return the contrast of two colours as WCAG 2 computes it."""
    light, dark = sorted(map(luminance, (first, second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour):
    parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
