"""The data card of an export: what is known of a selection, as text that nothing breaks out of."""

from __future__ import annotations

import json
import re

import pytest
import yaml

from ig4.core.engine.exporting.export import ExportTarget, export
from ig4.core.engine.ingesting.imports import ScoreColumn, import_scores
from ig4.core.engine.ingesting.ingest import DatasetSource, ingest
from ig4.core.engine.scoring.plan import ScoreRequest
from ig4.core.engine.scoring.score import score
from ig4.core.engine.selecting.candidates import SelectionRequest
from ig4.core.engine.selecting.funnel import Stage
from ig4.core.engine.selecting.pins import PinRequest, PinSource
from ig4.core.engine.selecting.select import select
from ig4.core.errors import UsageError
from ig4.core.records import Choice
from ig4.core.version import __version__

from ...conftest import record

N = 8


@pytest.fixture
def dataset(session, folder, read, tmp_path):
    """Eight samples, of which the last has no `gpt` score; `length` is computed."""
    folder.write(*(record(f"s{n}", "word " * (n + 1)) for n in range(N)))
    dataset = read().dataset
    rows = [{"id": f"s{n}", "x": 10 * n} for n in range(N - 1)]
    (tmp_path / "x.json").write_text(json.dumps(rows))
    import_scores(session, dataset, ScoreColumn(tmp_path / "x.json", "gpt", "x"))
    score(session, dataset, ScoreRequest((Choice("scorer", "length", {"unit": "words"}),)))
    return dataset


def carded(session, dataset, selection, target, **options):
    export(session, dataset, ExportTarget(target, **{"card": True} | options),
           selection and selection.id)  # fmt: skip
    return (target.parent / "README.md").read_text(encoding="utf-8")


def front(text):
    """Return what the YAML at the head of a card says."""
    _, head, _ = text.split("---\n", 2)
    return yaml.safe_load(head)


def chosen(session, dataset, **more):
    asked = {"size": 3, "weights": {"gpt": 0.5, "length": 1.0}, "clustering": "none"}
    return select(session, dataset, SelectionRequest(**asked | more), name="best")


def test_the_head_says_what_is_known_and_names_no_licence(session, dataset, tmp_path):
    told = front(carded(session, dataset, chosen(session, dataset), tmp_path / "out" / "x.json"))
    assert told == {
        "pretty_name": "set: best",
        "size_categories": ["n<1K"],
        "tags": ["ig4", "data-selection", "vision-language"],
        "configs": [{"config_name": "default", "data_files": "x.json"}],
    }


def test_the_card_says_how_the_selection_was_made(session, dataset, tmp_path):
    stage = Stage("reject", tails={"gpt": (10, 100)})
    made = chosen(session, dataset, stages=(stage,), scale="minmax")
    text = carded(session, dataset, made, tmp_path / "out" / "x.json")
    assert "# set, selected: best" in text
    assert "3 of 7 samples of the data set set" in text
    assert f"written by ig4 {__version__.replace('*', chr(92) + '*')}" in text
    assert "| selector | quota |" in text
    assert "| scale | minmax |" in text
    assert re.search(r"\| 1 \| reject \| .*gpt", text)
    assert "| no gpt score | 1 |" in text
    assert re.search(r"\| length \| 1 \| ig4/length \| [\d.]+ \| [0-9a-f]{16} \| .*words", text)
    assert re.search(r"\| gpt \| 0.5 \| imported \|", text)
    assert "## What the weights are worth" in text
    assert "license:" in text
    assert str(tmp_path) not in text


def test_samples_that_are_kept_or_dropped_are_counted_and_their_files_named(
    session, dataset, tmp_path
):
    (tmp_path / "ids.txt").write_text("s1\n")
    pins = PinRequest(
        keep=(PinSource(file=str(tmp_path / "ids.txt")),), drop=(PinSource(ids=("s2", "s3")),)
    )
    made = chosen(session, dataset, pins=pins)
    text = carded(session, dataset, made, tmp_path / "out" / "x.json")
    assert "| kept, whatever they score | 1 sample |" in text
    assert "| kept out, whatever they score | 2 samples |" in text
    assert 'keep = ["s1"]\ndrop = ["s2", "s3"]' in text
    assert str(tmp_path) not in text


HOSTILE = "a | b</td><script>alert(1)</script> [x](javascript:alert) `rm` *b* # $x$ \\"


def test_names_from_elsewhere_are_text_in_markdown_and_yaml(session, folder, tmp_path):
    name = f'{HOSTILE}"\n---\nlicense: mit\x9b'
    folder.write(record("a", "one"), record("b", "two"))
    dataset = ingest(session, DatasetSource(folder.path, name=name)).dataset
    made = select(session, dataset, SelectionRequest(size=1, selector=Choice("selector", "random")))
    text = carded(session, dataset, made, tmp_path / "out" / "x.json")
    told = front(text)
    assert "license" not in told
    assert told["pretty_name"].startswith(HOSTILE)
    body = text.split("---\n", 2)[2]
    outside = re.sub(r"(?s)(`{3,})console.*?\1", "", body)
    for mark in ("<script", "[x](", " `rm`", " *b*", "$x$"):
        assert mark not in outside.replace("\\" + mark.strip()[0], "")
    assert not [line for line in outside.splitlines() if line.startswith("license")]
    assert "\x9b" not in text


def test_what_stands_beside_the_records_is_explained(session, dataset, tmp_path):
    made = chosen(session, dataset)
    extras = ("scores", "rank", "percents")
    text = carded(session, dataset, made, tmp_path / "a" / "x.json", extras=extras, card=None)
    assert "| ig4.scores | value in the scorer's own unit |" in text
    table = carded(session, dataset, made, tmp_path / "b" / "x.csv", extras=extras, card=None)
    assert "| ig4\\_gpt | value in the scorer's own unit |" in table
    assert "| ig4\\_gpt\\_percent | score on the 0-100 scale of the selection |" in table
    assert "| ig4\\_rank | place in the selection, 1 is the best |" in table


def test_the_card_of_a_folder_tells_of_all_its_exports(session, dataset, tmp_path):
    heard = []
    session.listeners = [*session.listeners, heard.append]
    made, out = chosen(session, dataset), tmp_path / "out"
    alone = carded(session, dataset, made, out / "x.json", extras=("rank",))
    carded(session, dataset, None, out / "all.csv")
    other = select(session, dataset, SelectionRequest(size=2, clustering="none"))
    text = carded(session, dataset, other, out / "y.jsonl", format="jsonl")
    told = front(text)
    assert told["pretty_name"] == f"set: best; set: all samples; set: selection {other.id}"
    assert told["configs"] == [
        {"config_name": name, "data_files": name} for name in ("x.json", "all.csv", "y.jsonl")
    ]
    assert told["size_categories"] == ["n<1K"]
    assert [line for line in text.splitlines() if line.startswith("# ")] == [
        "# set, selected: best", "# set, with what ig4 knows of it", "# set, selected",
    ]  # fmt: skip
    assert alone.split("---\n", 2)[2].strip() in text
    assert f"{out / 'README.md'} tells of x.json, all.csv, y.jsonl" in [
        getattr(one, "text", None) for one in heard
    ]
    again = carded(session, dataset, made, out / "x.json", extras=("rank",))
    assert again.count("# set, selected: best") == 1
    assert front(again)["configs"][-1] == {"config_name": "x.json", "data_files": "x.json"}
    for name in ("all.csv", "y.jsonl"):
        (out / name).unlink()
    assert carded(session, dataset, made, out / "x.json", extras=("rank",)) == alone


def test_no_name_begins_a_part_of_a_card(session, folder, tmp_path):
    told = "<!-- ig4 export: {} -->"
    folder.write(record("a", "one"), record("b", "two"))
    dataset = ingest(session, DatasetSource(folder.path, name=f"s\n{told}\ns")).dataset
    made = select(session, dataset, SelectionRequest(size=1, selector=Choice("selector", "random")))
    carded(session, dataset, made, tmp_path / "out" / "x.json")
    text = carded(session, dataset, made, tmp_path / "out" / "y.json")
    marks = [line for line in text.splitlines() if line.startswith("<!-- ig4 export")]
    assert len(marks) == 2
    assert all(json.loads(line[17:-4])["title"].startswith("s ") for line in marks)
    assert text.count("## Make it again") == 2


def test_a_card_is_written_where_it_is_wanted_alone(session, dataset, tmp_path):
    made = chosen(session, dataset)
    export(session, dataset, ExportTarget(tmp_path / "a" / "x.json"), made.id)
    assert not (tmp_path / "a" / "README.md").exists()
    target = ExportTarget(tmp_path / "b" / "x.json", extras=("rank",), card=False)
    export(session, dataset, target, made.id)
    assert not (tmp_path / "b" / "README.md").exists()


def test_a_readme_of_the_user_is_never_replaced(session, dataset, tmp_path):
    made = chosen(session, dataset)
    (tmp_path / "out").mkdir()
    readme = tmp_path / "out" / "README.md"
    readme.write_text("mine")
    with pytest.raises(UsageError, match=r"README\.md exists, and it was not written by ig4"):
        carded(session, dataset, made, tmp_path / "out" / "x.json")
    assert readme.read_text() == "mine"
    assert not (tmp_path / "out" / "x.json").exists()
    assert "# set" in carded(session, dataset, made, tmp_path / "out" / "x.json", overwrite=True)
    assert "# set" in carded(session, dataset, made, tmp_path / "out" / "x.json")


def test_the_card_of_all_samples_tells_of_no_selection(session, dataset, tmp_path):
    text = carded(session, dataset, None, tmp_path / "out" / "x.json", extras=("scores",))
    assert front(text)["pretty_name"] == "set: all samples"
    assert "8 samples of the data set set" in text
    assert "selector" not in text


def test_a_folder_and_a_trainer_s_folder_have_the_card_inside(session, dataset, tmp_path):
    made = chosen(session, dataset)
    export(session, dataset, ExportTarget(tmp_path / "all", card=True), made.id)
    assert (tmp_path / "all" / "README.md").exists()
    target = ExportTarget(tmp_path / "stub", trainer="trl", extras=("rank",))
    done = export(session, dataset, target, made.id)
    assert (tmp_path / "stub" / "README.md") in done.beside
    line = json.loads((tmp_path / "stub" / "data.jsonl").read_text().splitlines()[0])
    assert line["ig4"] == {"rank": 1}
