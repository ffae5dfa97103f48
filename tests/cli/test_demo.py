"""`ig4 demo`: ends well offline, and keeps fewer bad samples than chance."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow

pytest.importorskip("open_clip")


def run_demo(folder, *more):
    command = [sys.executable, "-m", "ig4.cli.main", "demo", "--folder", str(folder), *more]
    offline = {**os.environ, "HF_HUB_OFFLINE": "1"}
    return subprocess.run(command, capture_output=True, text=True, env=offline, check=False)


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    result = run_demo(folder, "--samples", "200", "--json")
    assert result.returncode == 0, result.stderr
    return folder, json.loads(result.stdout)


def test_it_says_how_many_planted_samples_each_choice_kept(done):
    _, facts = done
    assert facts["samples"] == 200
    assert facts["spoilt"] == 80
    assert facts["selected"] == 50
    for kept in facts["kept"].values():
        assert set(kept) == {"swapped", "truncated", "vague", "repeated"}


def test_ig4_keeps_fewer_of_them_than_a_random_choice(done):
    _, facts = done
    totals = {selector: sum(kept.values()) for selector, kept in facts["kept"].items()}
    assert totals["quota"] < totals["random"]


def test_the_selection_is_a_data_set_with_its_images(done):
    folder, facts = done
    records = json.loads((folder / "selected-quota" / "llava.json").read_text(encoding="utf-8"))
    assert len(records) == facts["selected"]
    assert all((folder / "selected-quota" / record["image"]).exists() for record in records)


def test_it_ends_with_a_page_about_what_was_selected(done):
    folder, facts = done
    page = folder / "selected-balanced" / "llava-report.html"
    assert facts["page"] == str(page)
    assert page.stat().st_size > 100_000
    assert "of demo</title>" in page.read_text(encoding="utf-8")


def test_it_can_be_run_again_for_people(done):
    folder, _ = done
    result = run_demo(folder, "--samples", "60")
    assert result.returncode == 0, result.stderr
    assert "spoilt on purpose" in result.stdout
    assert f"in a browser: {folder / 'selected-balanced' / 'llava-report.html'}" in result.stdout
