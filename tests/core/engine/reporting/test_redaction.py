"""A redacted page has numbers alone: no text, id, name of a kind, or path of the data."""

from __future__ import annotations

import base64
import gzip
import html
import json
import re
from dataclasses import replace

import pytest

from ig4.core.engine.reporting.pagedata import PageRequest
from ig4.core.engine.reporting.redaction import hidden_names, redacted
from ig4.core.engine.reporting.report import write_report
from ig4.core.engine.reporting.view import selection_view
from ig4.core.engine.scoring.columns import drop_column

from ....harbour import BALANCED, QUOTA, TOPK, N, record

SECRETS = ("harbour-", "ferryboat", "seagull", "lighthouse", "anchorword", "pier", "quay", "buoy",
           "indeed", "tall4", "llava.json", "pictures", "what color", "how many")  # fmt: skip
"""What the texts, ids, kinds and paths of the data set are made of."""


def said(page):
    """All that a page has in it, in lower case: its own text, and what is packed."""
    text = page.read_text(encoding="utf-8")
    found = [re.sub(r"<style>.*?</style>|<script[^>]*>.*?</script>", "", text, flags=re.DOTALL)]
    for name in ("ig4-data", "ig4-charts"):
        (packed,) = re.findall(rf'id="{name}">([^<]*)<', text)
        found.append(gzip.decompress(base64.b64decode(packed)).decode())
    (pictures,) = re.findall(r'id="ig4-pictures">([^<]*)<', text)
    return html.unescape("\n".join(found)).lower(), pictures


@pytest.mark.slow
def test_the_strings_that_are_looked_for_are_in_a_page_that_is_not_redacted(
    docked, dataset, tmp_path
):
    write_report(docked, dataset, QUOTA, tmp_path / "page.html", PageRequest())
    text, pictures = said(tmp_path / "page.html")
    gone = [one for one in SECRETS if one not in text]
    assert set(gone) <= {"quay", "buoy", "llava.json", "pictures", "pier"}
    assert pictures


@pytest.mark.slow
@pytest.mark.parametrize("number", [QUOTA, TOPK, BALANCED])
def test_nothing_that_the_data_set_says_is_in_a_redacted_page(docked, dataset, tmp_path, number):
    write_report(docked, dataset, number, tmp_path / "page.html", PageRequest(texts=False))
    text, pictures = said(tmp_path / "page.html")
    assert [one for one in SECRETS if one in text] == []
    assert "harbour" not in text
    assert pictures == ""
    assert str(tmp_path).lower() not in text
    values = json.loads(text.split("\n")[-2])
    assert len(values["samples"]["id"]) == N
    assert all(record(n)["id"].lower() not in text for n in range(N))


def test_numbers_stay(docked, dataset, tmp_path, no_charts):
    write_report(docked, dataset, QUOTA, tmp_path / "page.html", PageRequest(texts=False))
    text, _ = said(tmp_path / "page.html")
    values = json.loads(text.split("\n")[-2])
    assert values["samples"]["id"][3] == "sample 4"
    assert values["about"]["size"] == 12
    assert [one["name"] for one in values["groups"]] == ["group 1", "group 2", "group 3"]
    assert [one["name"] for one in values["columns"]] == ["gpt", "look", "length"]
    assert any(one["key"] == "edge" for one in values["galleries"])


def test_nor_where_the_selection_cannot_be_made_again(docked, dataset, tmp_path, no_charts):
    drop_column(docked, dataset, "look")
    write_report(docked, dataset, QUOTA, tmp_path / "page.html", PageRequest(texts=False))
    text, _ = said(tmp_path / "page.html")
    assert "harbour" not in text
    assert [one for one in SECRETS if one in text] == []


def test_why_a_selection_cannot_be_made_again_names_nothing(docked, dataset):
    view = replace(selection_view(docked, dataset, QUOTA), why_not="harbour has no scores of pier")
    assert redacted(view).why_not == "what it was made by is gone"
    assert redacted(replace(view, why_not=None)).why_not is None


def test_what_stages_said_of_samples_is_gone(docked, dataset):
    view = replace(selection_view(docked, dataset, QUOTA), stage_reasons={3: "as harbour-007 is"})
    assert redacted(view).stage_reasons == {}


def test_pairs_of_near_duplicates_are_not_named(docked, dataset):
    view = selection_view(docked, dataset, QUOTA)
    assert view.report["duplicates"]["pairs"]
    assert redacted(view).report["duplicates"]["pairs"] == []


def test_groups_of_two_views_keep_apart_under_their_other_names(docked, dataset):
    one = selection_view(docked, dataset, QUOTA)
    groups = replace(one.groups, names=("kept", *(f"new {n}" for n in one.groups.names[1:])))
    first = replace(one, groups=replace(groups, names=("kept", *one.groups.names[1:])))
    other = replace(one, groups=groups)
    names = hidden_names((first, other))
    assert len(set(names.values())) == len(names) == 2 * len(groups.names) - 1
    assert redacted(other, names).groups.names == tuple(names[name] for name in groups.names)
    assert redacted(first, names).groups.names[0] == redacted(other, names).groups.names[0]
