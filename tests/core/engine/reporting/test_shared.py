"""Pages of real data: 1,615 photographs, and the 3,439 samples of the paper with its scores."""

from __future__ import annotations

import pytest

from ig4.core.engine.ingesting.imports import ScoreColumn, import_clusters, import_scores
from ig4.core.engine.ingesting.ingest import DatasetSource, ingest
from ig4.core.engine.reporting.report import write_report
from ig4.core.engine.scoring.plan import ScoreRequest
from ig4.core.engine.scoring.score import score
from ig4.core.engine.selecting.candidates import SelectionRequest
from ig4.core.engine.selecting.select import select
from ig4.core.engine.session import Session
from ig4.core.host.host import Host
from ig4.core.records import Choice
from ig4.storage.store import Store

pytestmark = [pytest.mark.shared, pytest.mark.slow]


@pytest.fixture
def empty(tmp_path):
    """A session on a new database."""
    with Store.open(tmp_path / "ig4.db") as store:
        yield Session(store, Host.discover(), [])


def test_photographs_of_the_farm_security_administration(empty, shared, tmp_path, no_charts):
    source = DatasetSource(shared / "data" / "photos-fsac", name="fsac")
    dataset = ingest(empty, source).dataset
    score(empty, dataset, ScoreRequest((Choice("scorer", "length"),)))
    request = SelectionRequest(size=100, selector=Choice("selector", "topk"))
    made = select(empty, dataset, request)
    result = write_report(empty, dataset, made.id, tmp_path / "page.html")
    assert (result.samples, result.shown, result.pictures) == (1615, 1615, 1615)
    assert (result.without_picture, result.unreadable) == (0, 0)
    assert result.bytes < 4_000_000


def test_the_papers_selection_of_its_own_data(empty, shared, tmp_path, no_charts):
    published = shared / "data" / "instructiongpt4"
    source = DatasetSource(shared / "data" / "cc_sbu_align", name="cc")
    dataset = ingest(empty, source).dataset
    full = published / "full_score_data.json"
    for name, times in (("clip", 1.0), ("reward", 1.0), ("length", 10.0)):
        column = ScoreColumn(full, name, f"{name}_score", id_column="image_id", multiply=times)
        import_scores(empty, dataset, column)
    gpt = ScoreColumn(
        published / "gpt_final_score.json", "gpt", "gpt_score", id_column="image_id",
        encoding="gb18030",
    )  # fmt: skip
    import_scores(empty, dataset, gpt)
    import_clusters(empty, dataset, published / "spectral_clusters.json", "spectral")
    made = select(empty, dataset, SelectionRequest(size=200))
    result = write_report(empty, dataset, made.id, tmp_path / "page.html")
    assert (result.samples, result.shown) == (3439, 3439)
    assert result.pictures > 3_400
    assert result.bytes < 9_000_000
