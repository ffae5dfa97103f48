"""Writing the page: the same file for the same selection, with and without the chart libraries."""

from __future__ import annotations

import re
import shutil
import sys

import pytest

from ig4.core.engine.reporting.pagedata import PageRequest
from ig4.core.engine.reporting.report import keep_report, page_beside, write_report
from ig4.core.engine.session import Session
from ig4.core.errors import Ig4Error
from ig4.core.events import Notice, StageFinished
from ig4.core.host.host import Host
from ig4.storage.store import Store

from ....harbour import QUOTA, RANDOM, TOPK, N


@pytest.mark.slow
def test_the_page_of_the_same_selection_is_the_same_file_wherever_the_database_lies(
    docked, dataset, tmp_path, harbour
):
    one = tmp_path / "one.html"
    write_report(docked, dataset, QUOTA, one)
    shutil.copytree(harbour, tmp_path / "elsewhere", ignore=shutil.ignore_patterns("thumbnails"))
    with Store.open(tmp_path / "elsewhere" / "ig4.db") as store:
        there = Session(store, Host.discover(), [])
        write_report(there, there.dataset("harbour"), QUOTA, tmp_path / "third.html")
    assert (tmp_path / "third.html").read_bytes() == one.read_bytes()


def test_it_says_what_it_wrote(docked, dataset, tmp_path, no_charts):
    heard = []
    docked.listeners = [heard.append]
    result = write_report(docked, dataset, QUOTA, tmp_path / "page.html")
    assert result.bytes == (tmp_path / "page.html").stat().st_size
    assert (result.samples, result.shown, result.pictures) == (N, N, 62)
    assert (result.without_picture, result.unreadable, result.warnings) == (0, 0, ())
    assert any(isinstance(one, StageFinished) for one in heard)
    assert result.to_dict()["path"] == str(tmp_path / "page.html")


def test_a_file_that_is_not_ours_is_left_alone(docked, dataset, tmp_path, no_charts):
    (tmp_path / "page.html").write_text("mine")
    with pytest.raises(Ig4Error, match=r"page\.html"):
        write_report(docked, dataset, QUOTA, tmp_path / "page.html")
    assert (tmp_path / "page.html").read_text() == "mine"
    write_report(docked, dataset, QUOTA, tmp_path / "page.html", overwrite=True)
    assert (tmp_path / "page.html").stat().st_size > 10_000


@pytest.mark.parametrize("module", ["altair", "vl_convert"])
def test_without_the_chart_libraries_the_page_has_tables_and_says_so(
    docked, dataset, tmp_path, monkeypatch, module
):
    monkeypatch.setitem(sys.modules, module, None)
    heard = []
    docked.listeners = [heard.append]
    write_report(docked, dataset, QUOTA, tmp_path / "page.html")
    (told,) = [one.text for one in heard if isinstance(one, Notice)]
    assert "tables in place of charts" in told
    assert "ig4[report]" in told
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "vegaEmbed=" not in page
    assert len(page) < 400_000


def test_a_page_is_written_again_only_when_it_is_of_another_selection(
    docked, dataset, tmp_path, no_charts
):
    page = tmp_path / "page.html"
    keep_report(docked, dataset, RANDOM, page)
    first = page.stat().st_mtime_ns
    keep_report(docked, dataset, RANDOM, page)
    assert page.stat().st_mtime_ns == first
    keep_report(docked, dataset, TOPK, page)
    assert page.stat().st_mtime_ns != first
    assert "selection 2 of harbour" in page.read_text(encoding="utf-8")


def test_a_broken_page_is_written_anew(docked, dataset, tmp_path, no_charts):
    page = tmp_path / "page.html"
    keep_report(docked, dataset, RANDOM, page)
    whole = page.read_bytes()
    page.write_bytes(b"")
    with pytest.raises(Ig4Error):  # somebody else's, for all that can be told
        keep_report(docked, dataset, RANDOM, page)
    page.unlink()
    keep_report(docked, dataset, RANDOM, page)
    assert page.read_bytes() == whole


def test_pages_of_other_requests_have_other_keys(docked, dataset, tmp_path, no_charts):
    def key(**request):
        write_report(docked, dataset, RANDOM, tmp_path / "page.html", PageRequest(**request),
                     overwrite=True)  # fmt: skip
        text = (tmp_path / "page.html").read_text(encoding="utf-8")
        return re.findall(r'name="ig4-page" content="([^"]+)"', text)

    assert key() == key()
    assert key() != key(images=False)


@pytest.mark.parametrize(
    ("export", "page"),
    [("best.json", "best-report.html"), ("folder/a.b.jsonl", "folder/a.b-report.html"),
     ("out", "out-report.html")],
)  # fmt: skip
def test_a_page_lies_beside_the_export(tmp_path, export, page):
    assert page_beside(tmp_path / export) == tmp_path / page
