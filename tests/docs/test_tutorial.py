"""docs/tutorial.ipynb runs from its first cell to its last, and does what it says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

TUTORIAL = Path(__file__).resolve().parents[2] / "docs" / "tutorial.ipynb"


def test_no_outputs_are_committed():
    cells = json.loads(TUTORIAL.read_text(encoding="utf-8"))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert len(code) > 10
    assert {(cell["execution_count"], len(cell["outputs"])) for cell in code} == {(None, 0)}


def shown(cell, kind="text/plain"):
    """Return what a cell shows as its result, of one kind."""
    return "".join(
        "".join(one["data"].get(kind, ""))
        for one in cell["outputs"]
        if one["output_type"] == "execute_result"
    )


@pytest.mark.slow
def test_the_tutorial_runs(tmp_path, monkeypatch):
    pytest.importorskip("open_clip")
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")
    monkeypatch.delenv("IG4_DB", raising=False)
    book = nbformat.read(TUTORIAL, as_version=4)
    resources = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(book, timeout=300, kernel_name="python3", resources=resources).execute()
    code = [cell for cell in book.cells if cell.cell_type == "code"]
    results = {shown(cell).partition(" ")[0].strip("<"): cell for cell in code}
    assert "IngestResult scenes: 160 samples" in shown(code[1])
    for name in ("IngestResult", "ScoreResult", "CheckResult", "ClusterResult", "Explanation"):
        assert "<table" in shown(results[name], "text/html"), name
    selections = [cell for cell in code if shown(cell).startswith("<SelectionResult")]
    assert ['"paper": 40 of 160' in shown(selections[0])] == [True]
    assert "data:image/webp;base64," in shown(selections[0], "text/html")
    (counts,) = [shown(cell) for cell in code if "spoilt  distance" in shown(cell)]
    spoilt = {row.split()[0]: int(row.split()[2]) for row in counts.splitlines()[2:]}
    assert spoilt["balanced"] < spoilt["paper"]
    rows = (tmp_path / "train" / "data.json").read_text(encoding="utf-8")
    assert len(json.loads(rows)) == 40
    assert {"scores", "rank"} == set(json.loads(rows)[0]["ig4"])
    assert "# scenes, selected: balanced" in (tmp_path / "train" / "README.md").read_text()
    errors = [out for cell in code for out in cell["outputs"] if out["output_type"] == "error"]
    assert errors == []
    told = "".join(str(out.get("text", "")) for cell in code for out in cell["outputs"])
    assert "Traceback" not in told
