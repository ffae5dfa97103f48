"""Several data sets at once, through the command line: a LLaVA file and a table, pooled."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from ig4.cli.main import cli

PLAIN = ["--clusterer", "none", "--selector", "topk"]
QUESTION = "What is this?"


def llava(name, answer, image, **more):
    turns = [
        {"from": "human", "value": f"<image>\n{QUESTION}"},
        {"from": "gpt", "value": answer},
    ]
    return {"id": name, "image": image, "conversations": turns, **more}


def picture(path, colour):
    path.parent.mkdir(exist_ok=True)
    Image.new("RGB", (8, 8), colour).save(path)


@pytest.fixture
def ig4(tmp_path, monkeypatch):
    """Run a command where `boats` (LLaVA) and `cats` (CSV) are ingested.

    Their ids and the names of their images are the same; of the images, only 2.png is the same.
    """
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("IG4_DB", raising=False)
    records = [
        llava("1", "A red boat.", "1.png", source="harbour"),
        llava("2", "Something blue.", "2.png", source="harbour"),
        llava("3", "A green boat, far away on the sea.", "3.png", source="lake"),
    ]
    for place, colour in (("boats/1", "red"), ("boats/2", "blue"), ("boats/3", "green"),
                          ("cats/1", "black"), ("cats/2", "blue")):  # fmt: skip
        picture(Path(f"{place}.png"), colour)
    Path("boats/boats.json").write_text(json.dumps(records))
    Path("cats/cats.csv").write_text(
        "id,image,instruction,answer,photographer\n"
        f"1,1.png,{QUESTION},A black cat that sleeps on a chair all day.,Ann\n"
        f"2,2.png,{QUESTION},Something blue.,Bob\n"
    )

    def run(*arguments):
        return CliRunner().invoke(cli, list(map(str, arguments)))

    for path in ("boats/boats.json", "cats/cats.csv"):
        assert run("ingest", path).exit_code == 0
    return run


def json_of(done):
    assert done.exit_code == 0, (done.output, done.exception)
    return json.loads(done.stdout)


def query(ig4, statement):
    return json_of(ig4("query", statement, "--json"))


def test_a_run_pools_data_sets(ig4):
    done = ig4("run", "--dataset", "boats,cats", "--scorers", "length", *PLAIN, "--size", 3,
               "--out", "best", "--json")  # fmt: skip
    result = json_of(done)
    assert result["dataset"] == "boats+cats"
    assert [row["id"] for row in result["selected"]] == ["cats/1", "boats/3", "boats/2"]
    assert "2 samples of boats+cats are in several of its data sets" in done.stderr


def test_what_is_scored_once_is_scored_for_all(ig4):
    done = json_of(ig4("score", "--dataset", "cats", "--scorers", "length", "--json"))
    assert done["scored"] == {"length": 2}
    done = json_of(ig4("score", "--dataset", "boats,cats", "--scorers", "length", "--json"))
    assert done["scored"] == {"length": 2}  # "Something blue." is in both
    rows = query(ig4, "SELECT dataset, external_id FROM scores_long ORDER BY 1, 2")
    names = [("boats", "1"), ("boats", "2"), ("boats", "3"), ("cats", "1"), ("cats", "2")]
    assert [(row["dataset"], row["external_id"]) for row in rows] == names
    again = json_of(ig4("score", "--dataset", "boats+cats", "--scorers", "length", "--json"))
    assert again["scored"] == {"length": 0}


def test_scores_that_are_no_match_are_told_and_left_out(ig4):
    ig4("score", "--dataset", "cats", "--scorers", "length")
    ig4("score", "--dataset", "boats", "--scorers", "length", "-o", "length.unit=words")
    done = ig4("select", "--dataset", "boats,cats", "--size", 2, "--clusters", "none")
    assert done.exit_code != 0
    assert "length: stands for different things in the data sets of boats+cats" in done.stderr
    assert "boats+cats has no scores yet" in str(done.exception)


def test_scores_of_a_pool_are_told_to_be_of_each_member_alone(ig4):
    for name in ("boats", "cats"):
        ig4("score", "--dataset", name, "--scorers", "given-again", "--no-check")
    told = ig4("scores", "--dataset", "boats,cats").stderr
    assert "given-again: its values are of each data set of boats+cats alone" in told
    assert "`ig4 score --dataset boats,cats --scorers given-again`" in told
    assert "different things" not in told
    ig4("score", "--dataset", "cats", "--scorers", "length")
    ig4("score", "--dataset", "boats", "--scorers", "length", "-o", "length.unit=words")
    told = ig4("scores", "--dataset", "boats,cats").stderr
    assert "length: stands for different things in the data sets of boats+cats" in told
    assert "; given-again: its values" in told


def test_a_sample_of_a_mixture_is_explained_by_its_id(ig4):
    ig4("score", "--dataset", "boats,cats", "--scorers", "length")
    told = ig4("select", "--dataset", "boats,cats", "--size", 2, "--clusters", "none",
               "--explain", "cats/1", "--json")  # fmt: skip
    assert json_of(told)["id"] == "cats/1"
    wrong = ig4("select", "--dataset", "boats,cats", "--size", 2, "--explain", "1")
    assert str(wrong.exception) == (
        "boats+cats holds no sample '1': ids of a mixture are DATASET/ID, so it is boats/1 or "
        "cats/1"
    )
    wrong = ig4("select", "--dataset", "boats,cats", "--size", 2, "--explain", "7")
    assert "'7': ids of a mixture are DATASET/ID, as in boats/ID" in str(wrong.exception)


def test_an_export_of_what_was_never_selected_makes_no_mixture_and_names_the_command(ig4):
    for parts, named in (("cats,boats", "cats,boats"), ("boats", "boats")):
        wrong = ig4("export", "out", "--dataset", parts)
        assert f"no selection of {named} yet: run `ig4 select --dataset {named} --size 200`" in str(
            wrong.exception
        )
    assert "`ig4 select --dataset NAME --size 200`" in str(ig4("export", "out").exception)
    wrong = ig4("train", "--trainer", "hf", "--dataset", "boats,cats", "--dry-run")
    assert "there is no selection of boats,cats yet" in str(wrong.exception)
    assert len(query(ig4, "SELECT id FROM datasets")) == 2


def test_a_name_that_is_not_there_is_wrong_usage(ig4):
    for command in (
        ("scores", "--dataset", "dogs"),
        ("scores",),
        ("select", "--dataset", "boats", "--selector", "random", "--explain", "nosuch"),
    ):
        assert ig4(*command).exception.exit_code == 2


def test_what_the_members_share_is_told_once_in_a_run(ig4):
    Path("one.toml").write_text('[run]\nscorers = ["length"]\n[select]\nselector = "random"\n')
    Path("two.toml").write_text('[run]\nscorers = ["length"]\n[select]\nselector = "topk"\n')
    done = ig4("run", "--dataset", "boats,cats", "--recipe", "one.toml,two.toml", "--size", 2,
               "--clusterer", "none", "--out", "best")  # fmt: skip
    assert done.exit_code == 0, (done.output, done.exception)
    told = [line for line in done.stderr.splitlines() if "in several of its data sets" in line]
    assert [line.startswith("note: 2 samples of boats+cats") for line in told] == [True]


def test_scores_are_imported_for_a_mixture(ig4):
    Path("fit.csv").write_text("id,fit\nboats/1,3\ncats/1,5\n")
    done = ig4("import-scores", "fit.csv", "--column", "fit", "--as", "fit", "--dataset",
               "boats,cats")  # fmt: skip
    assert done.exit_code == 0, done.exception
    (column,) = json_of(ig4("scores", "--dataset", "boats,cats", "--json"))["scores"]
    assert (column["name"], column["values"], column["missing"]) == ("fit", 2, 3)
    rows = query(ig4, "SELECT dataset, external_id, value FROM scores_long ORDER BY 1")
    assert [tuple(row.values()) for row in rows] == [("boats", "1", 3.0), ("cats", "1", 5.0)]


def test_an_export_is_one_data_set_with_all_images(ig4, tmp_path):
    done = ig4("export", "--dataset", "boats,cats", "--selection", "all", "best", "--images",
               "copy")  # fmt: skip
    assert done.exit_code == 0, (done.output, done.exception)
    assert "2 samples of cats (csv) are written as llava from turns and images" in done.stderr
    assert "2 samples of boats+cats are in several of its data sets" in done.stderr
    (file,) = Path("best").glob("*.json")
    records = json.loads(file.read_text())
    assert [one["id"] for one in records] == ["boats/1", "boats/2", "boats/3", "cats/1", "cats/2"]
    assert [one.get("source") for one in records] == ["harbour", "harbour", "lake", None, None]
    colours = []
    for one in records:
        with Image.open(file.parent / one["image"]) as shown:
            colours.append(shown.convert("RGB").getpixel((0, 0)))
    assert colours == [(255, 0, 0), (0, 0, 255), (0, 128, 0), (0, 0, 0), (0, 0, 255)]
    again = json_of(ig4("ingest", file, "--name", "again", "--json"))
    assert (again["samples"], again["unreadable_images"]) == (5, 0)


def test_an_export_takes_the_format_that_is_named(ig4):
    done = ig4("export", "--dataset", "cats,boats", "--selection", "all", "best.csv")
    assert done.exit_code == 0, (done.output, done.exception)
    assert "3 samples of boats (llava) are written as csv" in done.stderr
    text = Path("best.csv").read_text()
    assert "Ann" in text
    assert "boats/3" in text


def test_a_mixture_shows_what_its_members_have_now(ig4):
    ig4("score", "--dataset", "boats,cats", "--scorers", "length")
    with Path("cats/cats.csv").open("a") as file:
        file.write(f"3,1.png,{QUESTION},A cat.,Ann\n")
    assert ig4("ingest", "cats/cats.csv").exit_code == 0
    done = json_of(ig4("score", "--dataset", "boats,cats", "--scorers", "length", "--json"))
    assert done["scored"] == {"length": 1}
    assert len(query(ig4, "SELECT * FROM datasets")) == 3


def test_a_configuration_names_several_data_sets(ig4):
    Path("ig4.toml").write_text('[dataset]\nname = ["boats", "cats"]\n')
    done = json_of(ig4("run", "--scorers", "length", *PLAIN, "--size", 2, "--out", "o", "--json"))
    assert done["dataset"] == "boats+cats"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["score", "--dataset", "boats,dogs"], "no data set is called 'dogs'"),
        (["score", "--dataset", "boats,boats"], "--dataset names 'boats' twice"),
        (["run", "cats/cats.csv", "--dataset", "boats"], "give it, or a path"),
    ],
)
def test_what_cannot_be_pooled_is_refused(ig4, arguments, message):
    assert message in str(ig4(*arguments, "--scorers", "length").exception)


def test_the_name_of_a_mixture_is_taken(ig4):
    ig4("score", "--dataset", "boats,cats", "--scorers", "length")
    done = ig4("ingest", "cats/cats.csv", "--name", "boats+cats")
    assert "is a mixture of 'boats' and 'cats'" in str(done.exception)


def test_a_database_with_a_mixture_is_sound(ig4):
    ig4("score", "--dataset", "boats,cats", "--scorers", "length")
    assert ig4("db", "check").exit_code == 0
