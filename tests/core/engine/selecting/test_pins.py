"""Samples that are selected, or not, whatever they score; and where their ids may come from."""

from __future__ import annotations

import json

import numpy as np
import pytest

from ig4.core.engine.ingesting.imports import ScoreColumn, import_clusters, import_scores
from ig4.core.engine.ingesting.ingest import DatasetSource, ingest
from ig4.core.engine.selecting.candidates import SelectionRequest
from ig4.core.engine.selecting.explain import explain, explain_last, recorded_request
from ig4.core.engine.selecting.funnel import Stage
from ig4.core.engine.selecting.pins import PinRequest, PinSource, read_pins
from ig4.core.engine.selecting.select import select
from ig4.core.errors import MissingScoreError, UsageError
from ig4.core.records import Choice
from ig4.storage import pins, runs, samples, selectedscores, selections

from ...conftest import record

TOP = Choice("selector", "topk")
N = 12


@pytest.fixture
def dataset(session, folder, read, tmp_path):
    """s00 to s11: `gpt` 0, 5, … 50, none for s11; clusters of 8 and 4."""
    folder.write(*(record(f"s{n:02d}", f"answer {n}") for n in range(N)))
    dataset = read().dataset
    rows = [{"id": f"s{n:02d}", "gpt": 5 * n if n < N - 1 else None} for n in range(N)]
    (tmp_path / "scores.json").write_text(json.dumps(rows))
    import_scores(session, dataset, ScoreColumn(tmp_path / "scores.json", "gpt", "gpt"))
    parts = {"4": [f"s{n:02d}" for n in range(8)], "7": [f"s{n:02d}" for n in range(8, N)]}
    (tmp_path / "clusters.json").write_text(json.dumps(parts))
    import_clusters(session, dataset, tmp_path / "clusters.json", "given")
    return dataset


def given(*ids):
    return (PinSource(ids=ids),)


def request(size=4, keep=(), drop=(), **options):
    options = {"selector": TOP, "clustering": "none"} | options
    return SelectionRequest(size=size, pins=PinRequest(tuple(keep), tuple(drop)), **options)


def ids(result):
    return [one.external_id for one in result]


@pytest.mark.parametrize("text", ['{"a": 1}', '{"id": "s01"}\n{"id": "s02"}\n', "{}"])
def test_a_file_of_objects_is_told_to_hold_no_list(session, dataset, tmp_path, text):
    (tmp_path / "k.json").write_text(text)
    source = PinSource(file=str(tmp_path / "k.json"))
    with pytest.raises(UsageError, match="holds a JSON object, and a list of ids is wanted"):
        select(session, dataset, request(keep=[source]))


def test_ids_may_begin_with_a_brace(session, dataset, tmp_path):
    (tmp_path / "k.txt").write_text("{a} 1\n")
    source = PinSource(file=str(tmp_path / "k.txt"))
    with pytest.raises(UsageError, match=r"holds no sample '\{a\} 1'"):
        select(session, dataset, request(keep=[source]))


def test_kept_samples_come_first_in_the_order_of_the_data_set_and_count(session, dataset):
    result = select(session, dataset, request(keep=given("s02", "s00")))
    assert ids(result) == ["s00", "s02", "s10", "s09"]
    assert [one.rank for one in result] == [1, 2, 3, 4]
    assert [one.final_score for one in result] == [0, 10 * 0.27, 50 * 0.27, 45 * 0.27]


def test_a_kept_sample_that_would_be_chosen_anyway_is_chosen_once(session, dataset):
    result = select(session, dataset, request(3, keep=given("s10")))
    assert ids(result) == ["s10", "s09", "s08"]


def test_dropped_samples_are_no_candidates_and_counted_as_such(session, dataset, notices):
    result = select(session, dataset, request(drop=given("s10", "s11", "s08")))
    assert ids(result) == ["s09", "s07", "s06", "s05"]
    assert result.config["left_out"] == {"a veto": 3}  # s11 has no score, and is counted once
    assert "3 samples are vetoed by name" in notices()
    assert "3 samples are left out: 3 with a veto" in notices()


def test_a_kept_sample_may_lack_what_others_need(session, dataset, notices):
    result = select(session, dataset, request(3, keep=given("s11")))
    assert ids(result) == ["s11", "s10", "s09"]
    assert result.chosen[0].final_score is None
    assert any("selected all the same: 1 has no gpt score" in text for text in notices())
    with session.store.reading() as connection:
        (column,) = selectedscores.read(connection, result.id)
        assert column.values == [None, 50, 45]
        assert column.percents == [None, 50, 45]
    strict = request(3, keep=given("s11"), missing="error")
    assert ids(select(session, dataset, strict)) == ids(result)


def test_a_veto_is_nothing_that_is_missing(session, dataset):
    vetoed = request(3, drop=given("s11"), missing="error")
    assert ids(select(session, dataset, vetoed)) == ["s10", "s09", "s08"]
    with pytest.raises(MissingScoreError, match="1 has no gpt score"):
        select(session, dataset, request(3, drop=given("s10"), missing="error"))


def test_stages_leave_kept_samples_alone(session, dataset):
    rejecting = Stage("reject", tails={"gpt": (50.0, 90.0)})
    without = select(session, dataset, request(3, stages=(rejecting,)))
    assert "s00" not in ids(without)
    result = select(session, dataset, request(3, keep=given("s00"), stages=(rejecting,)))
    assert ids(result) == ["s00", *ids(without)[:2]]
    assert result.report["stages"][0]["before"] == N - 2  # neither s00 nor s11, which has no score
    with pytest.raises(UsageError, match="cannot select 10 samples beside those that are kept"):
        select(session, dataset, request(11, keep=given("s00"), stages=(rejecting,)))


def test_quotas_are_dealt_among_the_others(session, dataset):
    by_cluster = {"selector": Choice("selector", "quota"), "clustering": "given"}
    plain = select(session, dataset, request(6, **by_cluster))
    assert [one.quota for one in plain] == [2, 2, 4, 4, 4, 4]
    assert [one.cluster for one in plain] == [7, 7, 4, 4, 4, 4]
    result = select(session, dataset, request(6, keep=given("s08", "s01"), **by_cluster))
    assert ids(result)[:2] == ["s01", "s08"]
    assert [(one.cluster, one.quota) for one in result] == [
        (4, None), (7, None), (7, 1), (4, 3), (4, 3), (4, 3),
    ]  # fmt: skip


@pytest.mark.parametrize("selector", ["topk", "quota", "random"])
def test_as_many_may_be_kept_as_are_selected_but_not_more(session, dataset, selector):
    chosen = {"selector": Choice("selector", selector)}
    result = select(session, dataset, request(2, keep=given("s03", "s05"), **chosen))
    assert ids(result) == ["s03", "s05"]
    assert [one.quota for one in result] == [None, None]
    with pytest.raises(UsageError, match="3 samples are to be kept, and 2 to be selected"):
        select(session, dataset, request(2, keep=given("s03", "s05", "s06"), **chosen))


def test_ids_that_nobody_has_are_named(session, dataset):
    with pytest.raises(UsageError, match=r"the list keep: set holds no sample 's20'; did you mean"):
        select(session, dataset, request(keep=given("s20")))
    with pytest.raises(UsageError, match=r"holds no samples 'a', 'b', 'c' and 1 more"):
        select(session, dataset, request(drop=given("a", "b", "c", "\ud800", "s01")))
    with pytest.raises(UsageError, match=r"'s01' is to be kept \(the list keep\) and dropped"):
        select(session, dataset, request(keep=given("s01"), drop=given("s02", "s01")))


FILES = (
    ("ids.txt", "s01\r\n\n s02 \ns01\n", ["s01", "s02"]),
    ("ids.txt", "\ufeffs01\ns02", ["s01", "s02"]),
    ("ids.json", '["s01", "s02"]', ["s01", "s02"]),
    ("ids", ' ["s01", 7]', ["s01", "7"]),
    ("ids.txt", "[odd] id\ns01", ["[odd] id", "s01"]),
    ("ids.txt", "", []),
)
BROKEN = (
    ("none.txt", None, "no such file"),
    ("a.txt", b"\xff\xfe", "not UTF-8"),
    ("a.json", b'["a"', "not valid JSON"),
    ("a.json", b"[1.5]", "1.5 is no id"),
    ("a.json", b"[true]", "True is no id"),
)


def test_a_file_has_an_id_a_line_or_a_json_list(session, dataset, tmp_path):
    for name, text, found in FILES:
        (tmp_path / name).write_bytes(text.encode())
        source = PinSource(file=str(tmp_path / name))
        (read,) = read_pins(session, dataset, PinRequest(keep=(source,))).keep
        assert list(read.ids) == found
        assert read.to_dict() == {"file": str(tmp_path / name), "ids": found}


def test_a_file_that_cannot_be_read_is_named(session, dataset, tmp_path):
    for name, content, why in BROKEN:
        if content is not None:
            (tmp_path / name).write_bytes(content)
        with pytest.raises(UsageError, match=rf"--drop .*{name}: .*{why}"):
            select(session, dataset, request(drop=(PinSource(file=str(tmp_path / name)),)))


def test_ids_may_come_from_a_query_that_only_reads(session, dataset, folder, notices):
    sql = "SELECT external_id FROM scores_wide WHERE gpt < 10"
    result = select(session, dataset, request(3, keep=(PinSource(sql=sql),)))
    assert ids(result) == ["s00", "s01", "s10"]
    assert result.config["keep"] == [{"sql": sql, "ids": ["s00", "s01"]}]
    folder.write(record("s01", "other"), record("t", "other"))
    ingest(session, DatasetSource(folder.path, name="other"))
    sql = "SELECT external_id, dataset, 1 AS one FROM scores_wide WHERE gpt IS NULL"
    result = select(session, dataset, request(3, drop=(PinSource(sql=sql),)))
    assert result.config["left_out"] == {"a veto": 1}
    assert "--drop-sql: 2 rows are of other data sets than set, and not meant" in notices()
    for wrong, why in (
        ("DELETE FROM samples", "not allowed"),
        ("SELECT external_id, gpt FROM", "--drop-sql: "),
        ("SELECT 1, 2", "let it give external_id"),
        ("SELECT gpt FROM scores_wide", "is no id"),
        ("SELECT external_id FROM scores_wide", "let the query give dataset and external_id"),
    ):
        with pytest.raises(UsageError, match=why):
            select(session, dataset, request(drop=(PinSource(sql=wrong),)))


def test_in_a_mixture_ids_have_their_data_set_before_them(session, dataset, folder):
    folder.write(record("s01", "other"), record("t", "other"))
    ingest(session, DatasetSource(folder.path, name="other"))
    mixture = session.dataset("set,other")
    drawn = {"selector": Choice("selector", "random")}
    sql = "SELECT dataset, external_id FROM scores_wide WHERE external_id = 's01'"
    result = select(session, mixture, request(3, keep=(PinSource(sql=sql),), **drawn))
    assert ids(result)[:2] == ["set/s01", "other/s01"]
    sql = f"SELECT dataset, external_id FROM selections_wide WHERE selection_id = {result.id}"
    again = select(session, mixture, request(3, keep=(PinSource(sql=sql),), **drawn))
    assert sorted(ids(again)) == sorted(ids(result))
    with pytest.raises(UsageError, match="ids of a mixture are DATASET/ID, as in set/s00"):
        select(session, mixture, request(3, keep=given("s01"), **drawn))


def pin(session, dataset, name, *, keep):
    with session.store.writing() as connection:
        ((number, _),) = samples.find_ids(connection, dataset.id, [name]).values()
        pins.put(connection, dataset.id, [number], keep=keep, note="said so")


def test_stored_pins_count_if_they_are_asked_for(session, dataset, notices):
    for name, keep in (("s01", True), ("s02", True), ("s10", False)):
        pin(session, dataset, name, keep=keep)
    plain = select(session, dataset, request(2))
    assert ids(plain) == ["s10", "s09"]
    assert "3 stored pins of set are not applied: --pins applies them" in notices()
    stored = (PinSource(stored=True),)
    result = select(session, dataset, request(3, keep=stored, drop=stored))
    assert ids(result) == ["s01", "s02", "s09"]
    assert result.config["drop"] == [{"stored": True, "ids": ["s10"]}]
    other = request(3, keep=(*stored, *given("s10")), drop=(*stored, *given("s01")))
    assert ids(select(session, dataset, other)) == ["s02", "s10", "s09"]
    assert any("2 stored pins give way to what is said here" in text for text in notices())


def test_a_selection_can_be_made_again_from_its_record(session, dataset, tmp_path):
    (tmp_path / "ids.txt").write_text("s02\ns11\n")
    source = PinSource(file=str(tmp_path / "ids.txt"))
    made = select(session, dataset, request(keep=(source,), drop=given("s10")))
    (tmp_path / "ids.txt").write_text("s03\n")
    with session.store.reading() as connection:
        again = recorded_request(selections.last(connection, dataset.id))
    assert again.pins == PinRequest(
        (PinSource(file=source.file, ids=("s02", "s11")),), given("s10")
    )
    assert select(session, dataset, again).ids == made.ids
    with session.store.reading() as connection:
        (run,) = runs.newest(connection, limit=1)
    assert (run.config["drop"][0]["count"], "ids" in run.config["drop"][0]) == (1, False)


def test_it_is_explained_why_a_pinned_sample_is_in_or_out(session, dataset):
    select(session, dataset, request(keep=given("s00", "s11"), drop=given("s10")))
    kept = explain_last(session, dataset, SelectionRequest(), "s00")
    assert (kept.selected, kept.rank) == (True, 1)
    assert "kept" in kept.reason
    assert explain_last(session, dataset, SelectionRequest(), "s11").rank == 2
    dropped = explain_last(session, dataset, SelectionRequest(), "s10")
    assert not dropped.selected
    assert "a veto" in dropped.reason
    other = explain(session, dataset, request(drop=given("s11")), "s11")
    assert "a veto" in other.reason  # and not: no score


def test_the_mix_and_the_weights_are_told_of_kept_samples_too(session, dataset):
    result = select(session, dataset, request(4, keep=given("s11", "s00"), groups="clusters"))
    groups = {one["name"]: one["selected"] for one in result.report["composition"]["groups"]}
    assert sum(groups.values()) == 4
    assert np.isfinite(result.report["effective_weights"]["gpt"]["spread"])
