"""The page of a comparison: counts, samples that one side alone has, and nothing left behind."""

from __future__ import annotations

import base64
import gzip
import json
import re

import pytest

from ig4.core.engine.comparing.compare import compare_selections
from ig4.core.engine.comparing.result import FATES
from ig4.core.engine.reporting.comparepage import write_comparison
from ig4.core.engine.session import Session
from ig4.core.errors import UsageError
from ig4.core.host.host import Host
from ig4.storage.store import Store

from ....harbour import BALANCED, QUOTA, TOPK
from .test_redaction import SECRETS


@pytest.fixture
def session(harbour):
    with Store.open(harbour / "ig4.db") as store:
        yield Session(store, Host.discover(), [])


def payload(page, element):
    found = re.search(rf'id="{element}">([^<]*)<', page.read_text(encoding="utf-8"))
    return json.loads(gzip.decompress(base64.b64decode(found[1])))


def test_a_page_has_every_sample_that_came_in_and_went_out_with_its_reason(session, tmp_path):
    found = compare_selections(session, str(QUOTA), str(TOPK))
    page = tmp_path / "compare.html"
    assert write_comparison(session, found, page) == page.stat().st_size
    values = payload(page, "ig4-data")
    for side, changes in (("cameIn", found.came_in), ("wentOut", found.went_out)):
        told = values[side]
        named = [told["samples"]["id"][place] for place in told["order"]]
        assert named == [one.id for one in changes]
        assert told["captions"] == [one.reason for one in changes]
        ranks = [told["samples"]["rank"][place] for place in told["order"]]
        assert ranks == [one.rank for one in changes]
    assert values["comparison"]["came_in"] == len(found.came_in)
    assert values["comparison"]["overlap"]["common"] == found.overlap.common


def test_pictures_of_both_sides_are_those_of_their_samples(session, tmp_path):
    found = compare_selections(session, str(QUOTA), str(TOPK))
    page = tmp_path / "compare.html"
    write_comparison(session, found, page)
    values = payload(page, "ig4-data")
    text = page.read_text(encoding="utf-8")
    pictures = re.search(r'id="ig4-pictures">([^<]*)<', text)[1].split("\n")
    numbers = [
        n for side in ("cameIn", "wentOut") for row in values[side]["samples"]["image"] for n in row
    ]
    assert all(-1 <= n < len(pictures) for n in numbers)
    write_comparison(session, found, tmp_path / "plain.html", images=False)
    plain = payload(tmp_path / "plain.html", "ig4-data")
    assert not any(row for side in ("cameIn", "wentOut") for row in plain[side]["samples"]["image"])


def test_the_same_comparison_is_the_same_file(session, tmp_path):
    found = compare_selections(session, str(QUOTA), str(TOPK))
    for name in ("one.html", "two.html"):
        write_comparison(session, found, tmp_path / name)
    assert (tmp_path / "one.html").read_bytes() == (tmp_path / "two.html").read_bytes()


def test_a_file_of_somebody_else_stays(session, tmp_path):
    page = tmp_path / "compare.html"
    page.write_text("mine")
    found = compare_selections(session, str(QUOTA), str(TOPK))
    with pytest.raises(UsageError):
        write_comparison(session, found, page)
    assert page.read_text() == "mine"


@pytest.mark.parametrize("sides", [(QUOTA, TOPK), (TOPK, BALANCED)])
def test_a_redacted_page_has_numbers_alone(session, tmp_path, sides):
    found = compare_selections(session, *map(str, sides))
    page = tmp_path / "compare.html"
    write_comparison(session, found, page)
    whole = json.dumps(payload(page, "ig4-data")) + json.dumps(payload(page, "ig4-charts"))
    assert "harbour-" in whole
    write_comparison(session, found, page, texts=False)
    values = payload(page, "ig4-data")
    text = (json.dumps(values) + json.dumps(payload(page, "ig4-charts"))).lower()
    assert [one for one in SECRETS if one in text] == []
    assert "harbour" not in text
    assert 'id="ig4-pictures"></' in page.read_text(encoding="utf-8")
    assert values["comparison"]["overlap"] == found.to_dict()["overlap"]
    assert values["comparison"]["a"]["size"] == found.a.size
    clusters = [one["name"] for one in values["comparison"]["clusters"]["groups"]]
    assert clusters == [one.name for one in found.clusters.groups]
    kinds = values["comparison"]["groups"]["groups"]
    assert kinds
    assert all(re.fullmatch(r"group \d+", one["name"]) for one in kinds)
    for side, changes in (("cameIn", found.came_in), ("wentOut", found.went_out)):
        ranks = [values[side]["samples"]["rank"][place] for place in values[side]["order"]]
        assert ranks == [one.rank for one in changes]
        assert values[side]["captions"] == [FATES[one.fate] for one in changes]
