"""Components of a third party's installed distribution work as the built-in ones do."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ..processes import environment

pytestmark = pytest.mark.slow

pytest.importorskip("open_clip")

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def ig4(pools_site, tmp_path_factory):
    """Run `ig4 …` where the distribution is installed, on 60 scenes; gives what it printed."""
    from ig4.plugins.demo.dataset import write

    folder = tmp_path_factory.mktemp("scenes")
    write(folder, 60, 7)

    def _ig4(*arguments):
        done = subprocess.run(
            [sys.executable, "-m", "ig4.cli.main", *arguments],
            cwd=folder,
            env=environment(pools_site) | {"HF_HUB_OFFLINE": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    _ig4("ingest", "llava.json", "--name", "scenes", "--json")
    tiny = ["-o", "beauty.model=ig4-tiny", "--json", "--no-check"]
    _ig4("score", "--scorers", "beauty", *tiny)
    return _ig4


@pytest.mark.timeout(600)  # each check of the aesthetic score loads a model
def test_the_distribution_passes_the_kit(pools_site, tmp_path):
    shutil.copytree(ROOT / "tests" / "plugin_dist_pools" / "tests", tmp_path / "tests")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"],
        cwd=tmp_path,
        env=environment(pools_site),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(re.search(r"(\d+) passed", done.stdout)[1]) > 120


def test_an_aesthetic_score_reads_the_vectors_of_clip(ig4):
    rows = ig4("query", "SELECT count(beauty) AS n, count(DISTINCT beauty) AS k FROM scores_wide",
               "--json")  # fmt: skip
    assert rows[0]["n"] == 60
    assert rows[0]["k"] > 30


def test_a_density_score_is_computed_of_all_samples_together(ig4):
    done = ig4("score", "--scorers", "crowd", "-o", "crowd.space=text", "--json", "--no-check")
    assert done["scored"] == {"crowd": 60}
    assert done["failed"] == {"crowd": 0}


def test_hdbscan_finds_clusters_by_itself_and_leaves_noise(ig4):
    done = ig4("cluster", "--clusterer", "hdbscan", "--space", "text", "--json")
    assert sum(done["sizes"].values()) + done["left_out"] == 60


def test_a_selector_without_scores_chooses_and_explains(ig4):
    chosen = ig4("select", "--selector", "far-apart", "-o", "far-apart.space=text", "--size", "10",
                 "--json")  # fmt: skip
    ids = [one["id"] for one in chosen["selected"]]
    assert len(set(ids)) == 10
    assert {one["final_score"] for one in chosen["selected"]} == {None}
    told = ig4("select", "--explain", ids[3], "--json")
    assert told["selected"]
    assert -1 <= told["details"]["nearest_taken"] < 1


def test_a_grouper_tells_the_mix(ig4):
    chosen = ig4("select", "--selector", "random", "--groups", "first-word", "--size", "20",
                 "--json")  # fmt: skip
    assert chosen["composition"]["by"] == "first-word"
    assert sum(one["pool"] for one in chosen["composition"]["groups"]) == 60


def test_a_recipe_runs_by_its_name(ig4):
    done = ig4("run", "--recipe", "spread-out", "--size", "10", "--out", "best.json", "--json",
               "-o", "crowd.space=text", "-o", "far-apart.space=text")  # fmt: skip
    assert done["size"] == 10
    assert done["label"] == "spread-out"
    assert done["stages"][0]["do"] == "reject"
