"""A selection is made again by its command and settings, and known to be the same one."""

from __future__ import annotations

import json
import shlex

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from ig4.cli.main import cli
from ig4.core.engine.selecting.weights import parse_weights
from ig4.core.engine.selections.again import LONGEST_LIST, SETTINGS, selected_again

ANOTHER_FILE = """
[run]
seed = 1
[select]
combine = "product"
within = "nothing"
scale = "minmax"
drop = ["harbour-022", "harbour-017"]
stages = [{ do = "reject", tails = { length = [40, 100] } }]
"""
"""An `ig4.toml` in the folder where a command is tried again: it must not count."""


@pytest.fixture
def ig4(harbour, tmp_path, monkeypatch):
    """Run a command in a folder of its own, with this `ig4.toml`; return what it says as JSON."""
    folders = iter(range(99))

    def run(arguments, toml="", **files):
        folder = tmp_path / f"folder{next(folders)}"
        folder.mkdir()
        monkeypatch.chdir(folder)
        (folder / "ig4.toml").write_text(toml, encoding="utf-8")
        for name, text in files.items():
            (folder / name.replace("_", ".")).write_text(text, encoding="utf-8")
        done = CliRunner().invoke(cli, [*arguments, "--db", str(harbour / "ig4.db"), "--json"])
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    return run


def made_again(ig4, first):
    """Select something else, then what was selected first, by what its record says."""
    again = selected_again(first["config"])
    ig4(["select", "--size", "3", "--selector", "random", "--seed", "77"])
    files = {SETTINGS.replace(".", "_"): again.settings} if again.settings else {}
    return ig4(shlex.split(again.command)[1:], ANOTHER_FILE, **files)


CASES = {
    "plain": ("--size 9", ""),
    "a share": ("--fraction 0.17 --scale percentile", ""),
    "scorers in another order": ("--size 9 --scorers look,length,gpt --scale zscore", ""),
    "weights": ("--size 9 --weights look=0.3,gpt=-0.1 --combine vote", ""),
    "within": ("--size 9 --within auto --scale zscore", ""),
    "no clusters": ("--size 9 --clusters none --selector topk --seed 11", ""),
    "an option": ("--size 9 -o quota.exponent=0.5 -o quota.fill=random", ""),
    "ids to keep": ("--size 9", '[select]\nkeep = ["harbour-003", "harbour-000"]\n'),
    "ids to drop": ("--size 9", '[select]\ndrop = ["harbour-022"]\n'),
    "a query": ("--size 9 --drop-sql \"SELECT external_id FROM samples WHERE id % 3 = 0\"", ""),
    "missing scores": ("--size 9 --scorers length --missing error", ""),
    "an option of a file": ("--size 9", "[selectors.quota]\nexponent = 0.5\n"),
    "a selector of another name": (
        "--size 9 --selector mine", '[selectors.mine]\nuse = "quota"\nexponent = 0.5\n',
    ),
    "stages of one selector": (
        "--size 9 --scale zscore --combine product",
        """
        [select]
        stages = [
          { do = "reject", tails = { gpt = [10, 100] }, within = "auto" },
          { do = "take", selector = "quota", size = 40 },
          { do = "take", selector = "mine", fraction = 0.5 },
        ]
        [selectors.mine]
        use = "quota"
        exponent = 0.5
        """,
    ),
    "groups of another name": (
        "--size 9 --within kinds",
        """
        [groupers.kinds]
        use = "product"
        of = ["mine", "clusters"]
        min_size = 5
        [groupers.mine]
        use = "form"
        min_size = 9
        """,
    ),
    "a space of another name": (
        "--size 9 --selector facility-location -o facility-location.space=letters",
        '[embedders.letters]\nuse = "text"\nngrams = 1\n',
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_the_command_makes_the_same_selection_in_any_folder(ig4, case):
    arguments, toml = CASES[case]
    first = ig4(["select", *shlex.split(arguments)], toml)
    again = made_again(ig4, first)
    assert [one["id"] for one in again["selected"]] == [one["id"] for one in first["selected"]]
    assert again["config"] == first["config"]
    again_at_once = ig4(shlex.split(selected_again(first["config"]).command)[1:], "",
                        **_files(first))  # fmt: skip
    assert again_at_once["selection"] == again["selection"]


def _files(first):
    settings = selected_again(first["config"]).settings
    return {SETTINGS.replace(".", "_"): settings} if settings else {}


def test_an_option_is_the_same_however_it_is_given(ig4):
    by_file = ig4(["select", "--size", "9"], "[selectors.quota]\nexponent = 0.5\n")
    by_flag = ig4(["select", "--size", "9", "-o", "quota.exponent=0.50"])
    assert by_flag["selection"] == by_file["selection"]


def test_ids_of_a_file_are_in_the_settings_and_their_file_is_not(ig4, tmp_path):
    first = ig4(["select", "--size", "9", "--keep", "good.txt"], good_txt="harbour-003\n")
    again = selected_again(first["config"])
    assert "good.txt" not in again.command
    assert 'keep = ["harbour-003"]' in again.settings
    once_more = ig4(shlex.split(again.command)[1:], "", **_files(first))
    assert once_more["selection"] == first["selection"]


def test_a_long_file_is_named_without_its_folder(ig4):
    many = [f"harbour-{n:03d}" for n in range(20)]
    first = ig4(["select", "--size", "9", "--drop", "good.txt"], good_txt="\n".join(many))
    (source,) = first["config"]["drop"]
    longer = {**source, "file": "/home/ada/good.txt", "ids": many * (LONGEST_LIST // 20 + 1)}
    again = selected_again({**first["config"], "drop": [longer]})
    assert "--drop good.txt" in again.command
    assert "/home" not in again.command
    assert again.settings is None
    assert again.told[0].startswith("good.txt had 1,020 ids to drop")


def test_the_command_names_the_options_of_the_selector(ig4):
    first = ig4(["select", "--size", "9", "--weights", "gpt=0.5,length=1", "-o",
                 "quota.exponent=0.5", "-o", "quota.groups=form"])  # fmt: skip
    command = selected_again(first["config"]).command
    assert "--selector quota -o quota.exponent=0.5 -o quota.groups=form" in command
    assert "--size 9 --weights gpt=0.5,length=1 --scale paper" in command


def said(weights, flag="--weights", **changes):
    config = {"dataset": "d", "size": 9, "weights": weights, "scale": "paper", "seed": 3,
              "selector": {"use": "topk"}} | changes  # fmt: skip
    words = shlex.split(selected_again(config).command)
    return words[words.index(flag) + 1]


@pytest.mark.parametrize(
    ("weight", "text"),
    [
        (1.0, "1"),
        (0.3, "0.3"),
        (-2.0, "-2"),
        (1 / 7, "0.14285714285714285"),
        (1e22, "1e+22"),
        (0.0, "0"),
    ],
)
def test_weights_are_as_short_as_they_can_be(weight, text):
    assert said({"clip": weight}) == f"clip={text}"


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_weights_are_exact(weight):
    assert parse_weights(said({"clip": weight})) == {"clip": weight}


def test_a_fraction_is_written_so_too():
    assert said({}, "--fraction", size=None, fraction=1.0) == "1"
    assert said({}, "--fraction", size=None, fraction=0.06) == "0.06"


def test_what_the_data_set_has_recorded_of_a_space_needs_no_settings(ig4):
    toml = "[embedders.text]\nngrams = 1\n"
    ig4(["score", "--scorers", "length", "--spaces", "text"], toml)
    options = ["--selector", "facility-location", "-o", "facility-location.space=text"]
    first = ig4(["select", "--size", "9", *options], toml)
    again = selected_again(first["config"])
    assert again.settings is None
    assert ig4(shlex.split(again.command)[1:])["selection"] == first["selection"]


@pytest.mark.parametrize("how", [["--scale", "zscore"], ["--combine", "product"]])
def test_the_order_in_which_scorers_are_named_makes_no_difference(ig4, how):
    made = [
        ig4(["select", "--size", "9", "--scorers", names, *how])
        for names in ("look,gpt,length", "length,gpt,look", "gpt,look,length")
    ]
    assert made[0]["selected"] == made[1]["selected"] == made[2]["selected"]
    assert len({one["selection"] for one in made}) == 1
