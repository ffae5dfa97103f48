"""The arena: its worlds, questions and statistics, and that all of it runs and goes on."""

from __future__ import annotations

import importlib
import json
import os
import random
import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ig4.core import config as configuration
from ig4.core.engine.ablating.arms.arm import Arm, Inventory, expand_arms

from .inprocess import run_in_this_process

pytest.importorskip("easy_vqa")

FOLDER = Path(__file__).resolve().parents[2] / "examples" / "arena"
MODULES = (
    "arena", "arms", "cells", "contrasts", "endpoints", "miniature_modules", "pages",
    "photographs", "pictures", "tomlfile", "worlds",
)  # fmt: skip


def load():
    """The modules of the arena, which are no package."""
    sys.path.insert(0, str(FOLDER))
    try:
        return SimpleNamespace(**{name: importlib.import_module(name) for name in MODULES})
    finally:
        sys.path.remove(str(FOLDER))


M = load()
PURE = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
instructions = M.miniature_modules.instructions


# -- worlds ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def scenes():
    return M.miniature_modules.world.scenes("development", limit=150)


def test_in_a_systematic_world_one_kind_is_mostly_bad_in_one_way(scenes):
    one = next(world for world in M.worlds.WORLDS if world.name == "shapes-truncated")
    rng = random.Random(0)
    inside, outside = Counter(), Counter()
    for scene in scenes * 10:
        turns = instructions.conversation(scene, rng)
        asked = {instructions.kind_of(question) for question, _ in turns}
        (inside if "shape" in asked else outside)[one.spoil(turns, rng)] += 1
    assert set(inside) == {None, "truncated"}
    assert inside["truncated"] / inside.total() == pytest.approx(0.8, abs=0.05)
    assert 1 - outside[None] / outside.total() == pytest.approx(0.2, abs=0.05)
    assert set(outside) == {None, *instructions.KINDS}


def test_a_mixed_world_is_spoilt_in_equal_parts_and_its_truth_stands_apart(tmp_path):
    one = next(world for world in M.worlds.WORLDS if world.name == "mixed-70")
    M.worlds.write(tmp_path / "set", tmp_path / "apart", one, 50, 0)
    truth = M.worlds.read_truth(tmp_path / "apart")
    counts = Counter(truth.spoilt.values())
    assert counts.pop(None) == 15
    assert set(counts.values()) == {7}
    sound = (tmp_path / "apart" / "sound.csv").read_text().split()[1:]
    assert sound == [f"{name},100" for name, how in truth.spoilt.items() if how is None]
    written = (tmp_path / "set" / "llava.json").read_text()
    assert "spoilt" not in written
    assert set(truth.kinds.values()) <= {"color + yes or no", "shape + yes or no", "yes or no"}


def test_the_first_world_is_the_miniatures(tmp_path, scenes):
    as_before = instructions.write(tmp_path / "one", scenes, 40)
    M.miniature_modules.instructions.write(tmp_path / "two", scenes, 40, share=0.4)
    one, two = ((tmp_path / name / "llava.json").read_text() for name in ("one", "two"))
    assert one == two
    assert Counter(as_before.values())[None] == 24


def test_total_variation_is_half_the_sum_of_differences_of_shares():
    assert M.worlds.variation("aabb", "ab") == 0
    assert M.worlds.variation("aabb", "aa") == 0.5
    assert M.worlds.variation("aab", "c") == pytest.approx(1)


# -- endpoints ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def exam(scenes):
    sizes = M.endpoints.Sizes(color=6, shape=6, whether=8, description=5)
    return [row for _, row in M.endpoints.choose(scenes, sizes)]


def test_each_question_is_about_a_picture_of_its_own(exam):
    assert len({row["id"] for row in exam}) == len(exam) == 25
    assert Counter(row["category"] for row in exam) == {
        "color": 6, "shape": 6, "yes or no": 8, "description": 5,
    }  # fmt: skip


@pytest.mark.parametrize(
    "rule",
    [
        lambda question: "yes" if M.endpoints.negated(question) else "no",
        lambda question: "no" if M.endpoints.negated(question) else "yes",
        lambda question: "yes",
    ],
)
def test_no_rule_without_eyes_scores_more_than_half_of_the_yes_or_no_questions(exam, rule):
    answers = {row["id"]: rule(row["question"]) for row in exam}
    assert M.endpoints.measure(exam, answers)["yes or no"] == 50


def test_true_answers_have_everything_and_none_has_nothing(exam):
    found = M.endpoints.measure(exam, {row["id"]: row["answer"] for row in exam})
    assert {found[name] for name in ("mean", "color", "shape", "yes or no", "facts", "ends")} == {
        100
    }
    assert found["false facts"] == 0
    assert found["cider"] > 10
    assert set(M.endpoints.measure(exam, {}).values()) == {0}


def test_the_primary_endpoint_is_the_mean_of_four(exam):
    answers = {row["id"]: row["answer"] for row in exam if row["category"] != "shape"}
    answers |= {row["id"]: "It." for row in exam if row["category"] == "description"}
    # color, yes or no, and half of the descriptions: no facts, but ends.
    assert M.endpoints.measure(exam, answers)["mean"] == pytest.approx((100 + 0 + 100 + 50) / 4)


FACTS = {"colour": "red", "shape": "circle", "size": "small", "place": "at the top left"}


@pytest.mark.parametrize(
    ("text", "true", "false"),
    [
        ("The image shows a small red circle at the top left.", 1.0, 0.0),
        ("A red circle.", 0.5, 0.0),
        ("A red or blue circle at the top.", 0.25, 0.5),
        ("This is a large blue triangle in the center.", 0.0, 1.0),
        ("", 0.0, 0.0),
        ("It is bored.", 0.0, 0.0),
    ],
)
def test_facts_are_told_truly_or_contradicted(text, true, false):
    assert M.endpoints.count_facts(text, FACTS) == (true, false)


@pytest.mark.parametrize(
    ("text", "whole"), [("A circle. ", True), ("Why?", True), ("A cir", False), ("", False)]
)
def test_a_description_ends_or_breaks_off(text, whole):
    assert M.endpoints.ends(text) is whole


# -- contrasts ------------------------------------------------------------------------------


def cells_of(values):
    """Cells by (base, arm): the primary endpoint for each seed."""
    return {
        (base, arm, seed): {"mean": value}
        for (base, arm), row in values.items()
        for seed, value in enumerate(row)
    }


def test_differences_are_taken_within_base_and_seed():
    cells = cells_of(
        {
            ("one", "random"): [10, 20, 30], ("one", "mine"): [13, 22, 34],
            ("two", "random"): [80, 90, 70], ("two", "mine"): [81, 93, 71],
        }
    )  # fmt: skip
    found = M.contrasts.contrast(cells, "mine", "random")
    assert (found.pairs, found.difference) == (6, pytest.approx(14 / 6))
    assert found.by_base == {"one": 3, "two": pytest.approx(5 / 3)}
    assert found.low == pytest.approx(14 / 6 - 2.5706 * 1.2111 / 6**0.5, abs=1e-3)


def test_what_has_no_rival_has_no_contrast():
    cells = cells_of({("one", "random"): [1], ("two", "mine"): [2]})
    assert M.contrasts.contrast(cells, "mine", "random") is None


@PURE
@given(st.lists(st.floats(0, 1), max_size=8))
def test_holm_multiplies_by_the_number_of_those_that_are_left(values):
    ordered = sorted(values)
    naive = [
        max(min(1.0, (len(values) - k) * ordered[k]) for k in range(ordered.index(p) + 1))
        for p in values
    ]

    assert M.contrasts.holm(values) == pytest.approx(naive)


def test_bounds_are_not_corrected_and_do_not_count():
    luck = random.Random(0)
    rows = {("one", "random"): [50 + luck.random() for _ in range(5)]}
    for arm, gain in (("a", 5), ("b", 0.2), ("oracle", 9), ("all", 3)):
        rows["one", arm] = [value + gain + luck.random() for value in rows["one", "random"]]
    found = M.contrasts.contrasts(cells_of(rows), ["random", "a", "b", "oracle", "all"])
    assert found["oracle"].corrected is found["all"].corrected is None
    assert found["a"].corrected == pytest.approx(2 * found["a"].p)


@pytest.mark.parametrize(
    ("difference", "low", "high", "p", "verdict"),
    [
        (3.0, 1.0, 5.0, 0.01, "ahead"), (-3.0, -5.0, -1.0, 0.01, "behind"),
        (0.5, -0.9, 2.0, 0.4, "not inferior"), (0.5, -1.1, 2.0, 0.4, "undecided"),
        (3.0, 1.0, 5.0, 0.06, "not inferior"), (3.0, None, None, None, "undecided"),
    ],
)  # fmt: skip
def test_verdicts_are_those_of_the_plan(difference, low, high, p, verdict):
    one = M.contrasts.Contrast("mine", 10, difference, low, high, p, {}, corrected=p)
    assert one.verdict == verdict


def test_a_world_can_show_something_where_the_oracle_is_ahead():
    random_, ahead = [50, 52, 51], [55, 58, 56]
    cells = cells_of({("one", "random"): random_, ("one", "oracle"): ahead})
    assert M.contrasts.can_show(cells) is True
    cells = cells_of({("one", "random"): random_, ("one", "oracle"): [50, 51, 53]})
    assert M.contrasts.can_show(cells) is False
    assert M.contrasts.can_show(cells_of({("one", "random"): random_})) is None


# -- arms and files -------------------------------------------------------------------------


@pytest.mark.parametrize("table", M.arena.FULL.tables, ids=lambda one: one.name)
def test_all_arms_are_settings_that_ig4_reads(table):
    names = [one.name for one in table.arms]
    assert len(set(names)) == len(names)
    ablate, selectors = M.cells.table_settings(table, names)
    written = M.tomlfile.toml({"ablate": ablate, "selectors": selectors})
    config = configuration.build(tomllib.loads(written))
    section = config.ablate
    own = {name: Arm(name, arm.selection) for name, arm in section.arms.items()}
    assert [arm.name for arm in expand_arms(section.compare, Inventory(()), own)] == names


def test_a_budget_is_the_same_arm_with_another_size():
    made = M.arms.with_budget(M.arms.STRICT, 50)
    assert (made.arm, M.arms.budget_of(made.name)) == (
        {"selector": "strict", "size": 50}, ("strict", 50),
    )  # fmt: skip
    assert M.arms.budget_of("strict") is None


PLAIN = st.one_of(st.text(max_size=3), st.integers(-9, 9), st.booleans())
TABLES = st.dictionaries(st.text(max_size=3), st.one_of(PLAIN, st.lists(PLAIN, max_size=2)))


@PURE
@given(st.dictionaries(st.text(max_size=3), st.one_of(PLAIN, TABLES), max_size=3))
def test_written_toml_is_read_as_it_was(tables):
    assert tomllib.loads(M.tomlfile.toml(tables)) == tables


def test_a_result_is_made_once_for_a_configuration(tmp_path):
    config, path, made = tmp_path / "a.toml", tmp_path / "a.json", []

    def make():
        made.append(1)
        return {"failed": {}, "n": len(made)}

    config.write_text("a = 1")
    assert [M.cells.kept(path, config, make)["n"] for _ in range(2)] == [1, 1]
    config.write_text("a = 2")
    assert M.cells.kept(path, config, make)["n"] == 2
    assert M.cells.kept(path, config, make, salt="more installed")["n"] == 3
    assert [one.name for one in tmp_path.glob("*.partial")] == []


def test_failed_cells_are_tried_again(tmp_path):
    config, path = tmp_path / "a.toml", tmp_path / "a.json"
    config.write_text("")
    M.cells.kept(path, config, lambda: {"failed": {"mine, seed 0": "no memory"}})
    assert M.cells.kept(path, config, lambda: {"failed": {}})["failed"] == {}


def test_figures_stand_between_marks(tmp_path):
    page = tmp_path / "README.md"
    page.write_text("a\n<!-- arena: begin -->\nold\n<!-- arena: end -->\nb\n")
    for text in ("new", "newer"):
        M.pages.put_between(page, "arena", text)
    assert page.read_text() == "a\n<!-- arena: begin -->\n\nnewer\n\n<!-- arena: end -->\nb\n"
    with pytest.raises(ValueError, match="has no marks"):
        M.pages.put_between(page, "photographs", "x")


def test_the_readme_has_all_marks():
    text = M.pages.README.read_text(encoding="utf-8")
    for part in ("arena", "confirmation", "photographs"):
        assert text.index(f"<!-- {part}: begin -->") < text.index(f"<!-- {part}: end -->")


def test_pictures_are_svg():
    rows = [
        M.pictures.Interval("a & b", 1.0, -0.5, 2.5, "ahead"),
        M.pictures.Interval("c", -3.0, -3.0, -3.0, "behind"),
    ]
    drawn = ElementTree.fromstring(M.pictures.intervals("<t>", rows, "points"))
    space = "{http://www.w3.org/2000/svg}"
    xs = [float(one.get("cx")) for one in drawn.iter(f"{space}circle")]
    assert xs[1] < xs[0]
    assert {"a & b", "<t>", "0"} <= {one.text for one in drawn.iter(f"{space}text")}
    series = {"one": {50: 10.0, 800: 20.0}, "two": {50: 10.0}}
    lines = ElementTree.fromstring(M.pictures.lines("t", series, ("x", "y")))
    assert len(list(lines.iter(f"{space}polyline"))) == 2


# -- photographs ----------------------------------------------------------------------------


def test_photographs_are_spoilt_in_three_ways_and_each_shows():
    samples = [
        M.photographs.Photograph(f"s{n}", "how many", f"{n}.jpg", "How many?", f"{n} {word}")
        for n, word in enumerate(["pillows"] * 50)
    ]
    samples += [
        M.photographs.Photograph(f"t{n}", "color", f"{n}.jpg", "What color?", word)
        for n, word in enumerate(["red", "tan"] * 25)
    ]
    answers, key = M.photographs.spoil(samples, random.Random(0))
    assert Counter(key.values())[None] == 60
    for one, answer in zip(samples, answers, strict=True):
        way = key[one.name]
        assert (answer == one.answer) == (way is None)
        if way == "truncated":
            assert one.answer.startswith(answer)
            assert len(one.answer) > 3
        if way == "repeated":
            assert answer.startswith(f"{one.answer} {one.answer}")


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("how many pillows are there?", "how many"), ("what color is the bed?", "color"),
        ("what is on the table?", "other question"), ("where is the color?", "other question"),
    ],
)  # fmt: skip
def test_questions_about_photographs_have_kinds(question, kind):
    assert M.photographs.kind_of(question) == kind


# -- the whole ------------------------------------------------------------------------------


RUN = ("random", "paper", "balanced", "oracle")


QUICK = ("--quick", "--tables", "main", "--jobs", "1", "--arms", ",".join(RUN))


def run_quick(work):
    """Run the arena in a folder as a user does, and return what it printed."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(FOLDER / "arena.py"), *QUICK, "--work", str(work)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.mark.slow
@pytest.mark.timeout(900)  # it trains and questions several small models
def test_the_arena_runs_from_end_to_end_and_a_finished_run_does_nothing_again(tmp_path):
    for library in ("open_clip", "transformers", "sklearn"):
        pytest.importorskip(library)
    printed = run_in_this_process("arena", *QUICK, "--work", str(tmp_path))
    results = json.loads((tmp_path / "results.json").read_text())
    (picks,) = results["picks"]
    assert (results["failed"], picks["skipped"]) == ([], {})
    assert {(cell["arm"], cell["seed"]) for cell in results["cells"]} == {
        (arm, seed) for arm in RUN for seed in (0, 1)
    }
    assert picks["arms"]["oracle"]["spoilt"] == 0
    assert picks["arms"]["random"]["draws"] == picks["arms"]["balanced"]["draws"] == 2
    assert picks["arms"]["paper"]["draws"] == 1
    report = (tmp_path / "report.md").read_text()
    assert report.strip() in printed
    assert all(f"`{arm}`" in report for arm in RUN)
    again = run_quick(tmp_path)
    assert "ig4 ablate" not in again
    assert report.strip() in again
