"""The tables: means and deviations over seeds, what is best, and every way to write them."""

from __future__ import annotations

import csv
import io
import json
import statistics

import pytest

from ig4.core.engine.ablating.arms.arm import Arm, Inventory, expand_arms
from ig4.core.engine.ablating.render import FORMATS, render
from ig4.core.engine.ablating.table import CellOutcome, build_report

ARMS = expand_arms(["all", "random", "ig4", "single", "sizes:5"], Inventory(("clip",)))
ACCURACIES = {
    "all": [0.50, 0.52, 0.54], "random": [0.40, 0.45, 0.41], "ig4": [0.60, 0.62, 0.58],
    "only-clip": [0.55, 0.56, 0.57],
}  # fmt: skip


def outcomes(values=ACCURACIES, extra=0.1):
    return [
        CellOutcome(arm, seed, 10, {"vqa": value, "caption": value + extra})
        for arm, found in values.items()
        for seed, value in enumerate(found)
    ]


def told(**more):
    return build_report(ARMS, ["vqa", "caption"], outcomes(),
                  headlines={"vqa": "accuracy", "caption": "CIDEr-D"}, **more)  # fmt: skip


def row(found, arm, table=0):
    (one,) = [row for row in found.tables[table].rows if row.arm == arm]
    return one


def test_a_cell_is_the_mean_and_the_sample_deviation_over_seeds():
    cell = row(told(), "all").cells[0]
    assert cell.mean == pytest.approx(52)
    assert cell.deviation == pytest.approx(100 * statistics.stdev(ACCURACIES["all"]))
    assert (cell.seeds, cell.text()) == (3, "52.00 ± 2.00")


def test_the_last_column_is_the_mean_of_the_benchmarks_seed_by_seed():
    found = told()
    assert found.tables[0].columns == ("vqa", "caption", "mean")
    assert row(found, "all").cells[2].text() == "57.00 ± 2.00"
    single = build_report(ARMS, ["vqa"], outcomes())
    assert single.tables[0].columns == ("vqa",)


def test_tables_are_by_group_with_the_reference_in_each():
    found = told()
    assert [(one.title, [row.arm for row in one.rows]) for one in found.tables] == [
        ("Selection", ["all", "random", "ig4"]),
        ("Indicators", ["ig4", "only-clip"]),
        ("Size", ["ig4", "size-5"]),
    ]


def test_the_best_of_a_column_is_marked_and_so_is_what_prints_the_same():
    found = told()
    assert [row.cells[0].best for row in found.tables[0].rows] == [False, False, True]
    tied = outcomes({"all": [0.5], "random": [0.3], "ig4": [0.500004]})
    rows = build_report(ARMS, ["vqa"], tied).tables[0].rows
    assert [row.cells[0].best for row in rows] == [True, False, True]
    assert rows[0].cells[0].deviation is None


def test_an_arm_without_results_has_empty_cells_and_is_never_best():
    found = row(told(), "size-5", table=2)
    assert (found.samples, found.cells) == ("", (None, None, None))
    assert not row(told(), "ig4", table=2).cells[0].best


def test_values_that_count_in_percent_already_are_shown_as_they_are():
    mixed = [CellOutcome("ig4", 0, 1, {"vqa": 0.5, "bench": 64.8})]
    found = build_report(ARMS, ["vqa", "bench"], mixed)
    assert found.factors == {"vqa": 100.0, "bench": 1.0}
    assert row(found, "ig4").cells[2].mean == pytest.approx((50 + 64.8) / 2)
    assert build_report(ARMS, ["vqa"], mixed, factors={"vqa": 1.0}).factors == {"vqa": 1.0}


def test_cider_is_shown_as_the_paper_prints_it():
    outcomes = [CellOutcome("ig4", 1, 5, {"caps": 0.55})]
    found = build_report(ARMS, ["caps"], outcomes, headlines={"caps": "cider"})
    assert found.factors == {"caps": 10.0}


def test_a_seed_that_lacks_a_benchmark_has_no_mean():
    part = [*outcomes({"ig4": [0.5, 0.6]}), CellOutcome("ig4", 2, 1, {"vqa": 0.9})]
    cells = row(build_report(ARMS, ["vqa", "caption"], part), "ig4").cells
    assert [cell.seeds for cell in cells] == [3, 2, 2]


def test_the_reference_is_compared_with_every_arm_on_the_seeds_both_have():
    values = {**ACCURACIES, "random": [0.40, 0.45]}
    found = build_report(ARMS, ["vqa"], outcomes(values)).contrasts
    assert [(one.first, one.second) for one in found] == [
        ("ig4", "all"), ("ig4", "random"), ("ig4", "only-clip")
    ]  # fmt: skip
    by_arm = {one.second: one.result for one in found}
    assert by_arm["random"].pairs == 2
    assert by_arm["all"].difference == pytest.approx(8.0)
    assert build_report([Arm("all")], ["vqa"], outcomes()).contrasts == ()


def test_a_terminal_gets_aligned_lines_with_stars_or_bold():
    text = render(told(), "terminal")
    lines = text.splitlines()
    assert lines[0] == "Selection"
    assert lines[1].split() == ["arm", "samples", "vqa", "caption", "mean"]
    assert lines[4].replace(" ± ", "±").split() == [
        "ig4", "10", "60.00±2.00*", "70.00±2.00*", "65.00±2.00*"
    ]  # fmt: skip
    bold = render(told(), "terminal", bold=lambda text: f"<{text}>").splitlines()
    assert "<60.00 ± 2.00>" in bold[4]
    assert len(bold[3]) == len(bold[2])
    assert "vqa: accuracy x 100" in text


def test_markdown_is_a_table_with_the_best_in_bold():
    lines = render(told(), "markdown").splitlines()
    assert lines[2:4] == [
        "| arm | samples | vqa | caption | mean |", "| --- | ---: | ---: | ---: | ---: |"
    ]  # fmt: skip
    assert "| ig4 | 10 | **60.00 ± 2.00** |" in lines[6]


def test_latex_is_a_booktabs_table_with_the_best_in_bold():
    text = render(told(), "latex")
    assert r"ig4 & 10 & $\mathbf{60.00 \pm 2.00}$ &" in text
    assert r"\begin{tabular}{lrrrr}" in text
    assert text.count(r"\begin{table}") == text.count(r"\end{table}") == 4
    assert text.count("{") == text.count("}")


@pytest.mark.parametrize("name", ["[3em]", "*[3em]"])
def test_in_latex_no_name_is_an_argument_of_the_line_above(name):
    text = render(build_report([Arm("ig4"), Arm(name)], ["vqa"], outcomes({name: [0.5]})), "latex")
    row = next(line for line in text.splitlines() if "3em" in line)
    assert row.startswith(("{[}3em]", "{*}{[}3em]"))


def test_csv_has_numbers_by_column():
    rows = list(csv.DictReader(io.StringIO(render(told(), "csv"))))
    ours = next(row for row in rows if row["arm"] == "ig4")
    assert (float(ours["vqa mean"]), float(ours["vqa sd"])) == (60.0, 2.0)
    assert (ours["vqa seeds"], ours["vqa best"], ours["table"]) == ("3", "1", "Selection")
    many = build_report([Arm("all")], ["vqa"], [CellOutcome("all", 0, 3439, {"vqa": 0.5})])
    assert next(csv.DictReader(io.StringIO(render(many, "csv"))))["samples"] == "3439"


def test_json_has_the_tables_every_outcome_and_the_comparisons():
    found = json.loads(render(told(), "json"))
    assert found["tables"][0]["rows"][2]["cells"]["vqa"]["best"] is True
    assert len(found["outcomes"]) == 12
    assert found["comparisons"][0]["permutation"]["greater"] == pytest.approx(1 / 8)


NASTY = "x|y_{z}\\input{/etc/passwd}%&#$^~\n</td>*[a](b)\x1b[2J"


@pytest.mark.parametrize("form", FORMATS)
def test_names_are_shown_and_never_obeyed(form):
    arms = [Arm("ig4"), Arm(NASTY), Arm("=cmd()")]
    values = {"ig4": [0.5, 0.6], NASTY: [0.4, 0.7], "=cmd()": [0.1, 0.2]}
    text = render(build_report(arms, ["vqa"], outcomes(values), notes=[f"Failed: {NASTY}"]), form)
    if form != "json":  # which escapes by itself
        assert "\x1b" not in text
    if form == "latex":
        body = [line for line in text.splitlines() if not line.startswith("%")]
        assert not any("\\input" in line for line in body)
        assert any(r"x\textbar{}y\_\{z\}\textbackslash{}input" in line for line in body)
        starts = ("%", "\\", "Arm", "ig4", "x", "=", "first")
        assert all(line.startswith(starts) for line in text.splitlines())
    if form == "markdown":
        table = [line for line in text.splitlines() if line.startswith("|")]
        plain = {line.replace("\\|", "").count("|") for line in table[:5]}
        assert plain == {4}
        assert "<" not in text.replace("\\<", "")
    if form == "csv":
        assert [row["arm"][:2] for row in csv.DictReader(io.StringIO(text))] == [
            "ig", "ig", "x|", "'="
        ]  # fmt: skip
