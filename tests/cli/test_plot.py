"""`ig4 plot`: files, pictures in the terminal, and what it says where there is nothing to show."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from click.testing import CliRunner

import ig4
from ig4.cli.main import cli
from ig4.cli.plot import KINDS, THEMES
from ig4.cli.terminal.blocks import Pen
from ig4.cli.terminal.plots import picture
from ig4.core.charts import themes
from ig4.core.charts.names import columns
from ig4.core.engine.plotting.kinds import PLOT_KINDS, PlotRequest
from ig4.core.engine.plotting.plot import read_plot
from ig4.core.engine.session import Session
from ig4.core.errors import Ig4Error, UsageError
from ig4.core.host.host import Host
from ig4.storage.store import Store

from ..core.engine.plotting.database import full, scored  # noqa: F401 - fixtures


def plot(place, *words, code=0):
    done = CliRunner().invoke(cli, ["plot", *words, "--db", str(place)])
    if done.exception and not isinstance(done.exception, (SystemExit, Ig4Error)):
        raise done.exception
    assert isinstance(done.exception, Ig4Error) == (code != 0), done.output
    return str(done.exception) if code else done.output


def words_of(kind):
    return ["compare", "1", "2"] if kind == "compare" else [kind]


def test_the_kinds_and_themes_of_the_command_are_those_that_there_are():
    assert KINDS == PLOT_KINDS
    assert THEMES == themes.THEMES


@pytest.fixture(scope="module")
def plots(full):  # noqa: F811
    """The values of every kind of plot."""
    with Store.open(full) as store:
        session = Session(store, Host.discover())
        requests = {kind: PlotRequest(kind, selection="1") for kind in KINDS}
        requests["compare"] = PlotRequest("compare", selection="1", other="2")
        return {kind: read_plot(session, request) for kind, request in requests.items()}


@pytest.mark.parametrize("blocks", [True, False])
@pytest.mark.parametrize("width", [40, 79, 120])
@pytest.mark.parametrize("kind", KINDS)
def test_a_picture_fits_its_terminal(kind, width, blocks, plots):
    lines = list(picture(plots[kind], Pen(width, blocks)))
    assert lines
    wide = [line for line in lines if columns(line) > max(width, 60)]
    assert not wide
    if not blocks:
        "\n".join(lines).encode("ascii")


@pytest.mark.parametrize("kind", KINDS)
def test_without_a_file_there_is_a_picture_without_colours_in_a_pipe(kind, full):  # noqa: F811
    told = plot(full, *words_of(kind))
    assert len(told.splitlines()) >= 2
    assert "\x1b" not in told


def test_scores_are_drawn_with_their_medians(full):  # noqa: F811
    told = plot(full, "scores", "long", "--scorer", "final")
    assert told.startswith("final score F(x) (points): 60 samples\n")
    assert "selected" in told
    assert "line: " in told


def test_json_is_the_data_of_the_picture(full):  # noqa: F811
    told = json.loads(plot(full, "clusters", "1", "--json"))
    assert (told["plot"], told["selection"], told["by"]) == ("clusters", 1, "thirds")
    assert sum(one["selected"] for one in told["clusters"]) == 12


@pytest.mark.parametrize("ending", ["svg", "json"])
def test_a_file_is_written_and_named(ending, full, tmp_path):  # noqa: F811
    path = tmp_path / f"x.{ending}"
    assert plot(full, "groups", "--out", str(path), "--theme", "dark").strip() == str(path)
    first = path.read_bytes()
    assert b"#15181c" in first
    plot(full, "groups", "--out", str(path), "--theme", "dark")
    assert path.read_bytes() == first
    told = json.loads(plot(full, "groups", "--out", str(path), "--json"))
    assert told["path"] == str(path)


def test_a_file_of_others_stays_as_it_is(full, tmp_path):  # noqa: F811
    path = tmp_path / "x.svg"
    path.write_text("mine")
    assert "--overwrite" in plot(full, "groups", "--out", str(path), code=2)
    assert path.read_text() == "mine"
    plot(full, "groups", "--out", str(path), "--overwrite")
    assert path.read_text().startswith("<svg")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["scores", "--space", "clip"], "--space is for map, not for scores"),
        (["map", "--scorer", "length"], "--scorer is for scores and correlations, not for map"),
        (["weights", "--by", "form"], "--by is for groups and costs, not for weights"),
        (["compare", "1"], "compare needs two selections"),
        (["compare", "1", "1"], "the same selection"),
        (["scores", "1", "2"], "scores shows one selection, and 2 are named"),
        (["training", "one"], "'one' is not the number of a training"),
        (["judge", "--selection", "1"], "name a judgement by its number"),
        (["costs", "1"], "name no selection"),
        (["scores", "--out", "x.jpg"], "does not say what kind of file it is to be"),
        (["scores", "--dataset", "dat"], "did you mean data?"),
    ],
)
def test_a_wrong_request_is_told_in_a_sentence(words, told, full):  # noqa: F811
    assert told in plot(full, *words, code=2)


def test_the_library_gives_the_chart_that_the_command_writes(full, tmp_path):  # noqa: F811
    path = tmp_path / "x.json"
    chart = ig4.plot("funnel", full, selection=1, path=path, theme="print")
    spec = json.loads(path.read_text())
    assert chart.to_dict()["description"] == spec["description"]
    assert "without: no odd score 50" in spec["description"]
    with pytest.raises(UsageError, match="compare needs two selections"):
        ig4.plot("compare", full, selection=1)


def test_without_the_libraries_pictures_are_drawn_and_files_say_what_to_install(full):  # noqa: F811
    code = (
        "import sys; sys.modules['altair'] = None; sys.modules['vl_convert'] = None\n"
        "from click.testing import CliRunner\n"
        "from ig4.cli.main import cli\n"
        "for words in ([], ['--out', 'x.json'], ['--out', 'x.svg']):\n"
        f"    words = ['plot', 'funnel', '1', *words, '--db', {str(full)!r}]\n"
        "    done = CliRunner().invoke(cli, words)\n"
        "    print(done.output.split('\\n')[0].split()[:2], done.exception)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    drawn, spec, svg = done.stdout.splitlines()
    assert drawn == "['all', 'samples'] None"
    assert 'pip install "ig4[report]"' in spec
    assert 'pip install "ig4[report]"' in svg
