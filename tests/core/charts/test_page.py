"""A page of charts: the scripts of the library and its own, data that is only data, no requests."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html import unescape

import pytest

from ig4.core.charts import bundle
from ig4.core.charts.bundle import vega_bundle
from ig4.core.charts.document import chart_page
from ig4.core.charts.rendering import specification

from .every import every_chart

SCRIPT = re.compile(r"<script([^>]*)>(.*?)</script>", re.DOTALL)


@pytest.fixture(scope="module")
def page():
    return chart_page([specification(every_chart(only="groups")["groups"])], "dark")


def test_the_policy_allows_the_scripts_of_the_page_and_nothing_else(page):
    policy = unescape(re.search(r'Content-Security-Policy" content="([^"]*)"', page)[1])
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy
    scripts = [text for attributes, text in SCRIPT.findall(page) if not attributes]
    assert len(scripts) == 2
    for text in (*scripts, re.search(r"<style>(.*?)</style>", page, re.DOTALL)[1]):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy


def test_texts_of_a_data_set_stay_data(page):
    assert page.count("<script>") == 2  # names of the data set have others
    specs = next(text for attributes, text in SCRIPT.findall(page) if 'id="specs"' in attributes)
    assert "<script>alert(1)</script>" in json.dumps(json.loads(specs))
    assert "<script>alert" not in page


def test_nothing_is_read_from_elsewhere(page):
    own = page.replace(vega_bundle(), "")
    assert not re.findall(r"(?:src|href)=", own)
    schemas = {url.split("/")[2] for url in re.findall(r"https?://[^\"' ]+", own)}
    assert schemas == {"vega.github.io"}  # the name of the schema, which nothing loads


def test_the_library_is_kept_and_read_again(kept, monkeypatch):
    made = vega_bundle()
    (path,) = kept.iterdir()
    assert path.stat().st_mode & 0o777 == 0o600
    bundle._kept.cache_clear()
    monkeypatch.setattr(bundle, "vl_convert", lambda: None)  # nothing could be made anew
    assert vega_bundle(kept) == made
    assert "window.vegaEmbed=" in made


@pytest.mark.parametrize("damage", ["cut", "changed", "others may write", "a link"])
def test_a_library_that_is_not_as_it_was_kept_is_not_used(damage, kept, tmp_path):
    vega_bundle()
    (good,) = kept.iterdir()
    bad = tmp_path / good.name
    data = good.read_bytes()
    if damage == "cut":
        bad.write_bytes(data[:-9])
    elif damage == "changed":
        bad.write_bytes(data.replace(b"vegaEmbed", b"evilEmbed", 1))
    elif damage == "a link":
        bad.symlink_to(good)
    else:
        bad.write_bytes(data)
    bad.chmod(0o666 if damage == "others may write" else 0o600)
    assert bundle._read(bad) is None
    assert bundle._read(good) is not None


def test_a_folder_that_cannot_be_written_does_no_harm(tmp_path, monkeypatch):
    monkeypatch.setattr(bundle, "vl_convert", lambda: Maker())
    (tmp_path / "file").write_text("")
    assert vega_bundle(tmp_path / "file" / "below") == "made <\\/script> <\\!-- --"


class Maker:
    """Makes a library in no time."""

    def javascript_bundle(self, vl_version):
        return "made </script> <!-- --"
