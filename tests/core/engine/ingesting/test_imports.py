"""Imported scores and clusters go to the samples that they belong to, or nowhere."""

from __future__ import annotations

import json
import os

import pytest
from sqlalchemy import text

from ig4.core.engine.ingesting.imports import ScoreColumn, import_clusters, import_scores
from ig4.core.engine.scoring.plan import ScoreRequest
from ig4.core.engine.scoring.score import score
from ig4.core.errors import DatasetError, UsageError
from ig4.core.records import Choice

from ...conftest import record


@pytest.fixture
def dataset(folder, read):
    """Records a, b, a, c, a: the later ones of a are called a#2 and a#3."""
    names = ("a", "b", "a", "c", "a")
    folder.write(*(record(name, f"answer {n}") for n, name in enumerate(names)))
    return read().dataset


@pytest.fixture
def bring(session, dataset, tmp_path):
    def _bring(content, name="mine", file="scores.csv", **options):
        (tmp_path / file).write_text(content, encoding="utf-8")
        column = ScoreColumn(tmp_path / file, name, options.pop("column", "x"), **options)
        return import_scores(session, dataset, column)

    return _bring


def stored(session, name="mine"):
    with session.store.reading() as connection:
        sql = text("SELECT external_id, value FROM scores_long WHERE scorer = :name")
        return dict(connection.execute(sql, {"name": name}).all())


def labels(session):
    sql = (
        "SELECT s.external_id, l.label FROM cluster_labels l JOIN samples s ON s.id = l.sample_id "
        "WHERE l.clustering_id = (SELECT max(id) FROM clusterings)"
    )
    with session.store.reading() as connection:
        return dict(connection.execute(text(sql)).all())


def test_an_id_that_both_repeat_equally_often_means_the_samples_in_their_order(session, bring):
    done = bring("id,x\na,1\nb,2\na,3\na,4\n")
    assert stored(session) == {"a": 1, "b": 2, "a#2": 3, "a#3": 4}
    assert (done.taken, done.without, done.unknown) == (4, 1, [])


def test_the_numbered_ids_of_an_export_are_ids_like_others(session, bring):
    bring("id,x\na#3,3\na,1\n")
    assert stored(session) == {"a": 1, "a#3": 3}


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ("a,1\na,2\n", "'a' stands 2 times in the file and 3 times in the data set"),
        ("a,1\nb,2\n", "'a' stands once in the file and 3 times in the data set"),
        ("b,1\nb,1\nc,2\n", "'b' stands 2 times in the file and once in the data set"),
    ],
)
def test_other_repeated_ids_are_refused_and_nothing_is_stored(session, bring, rows, told):
    with pytest.raises(UsageError, match=f"{told}.*is not certain"):
        bring("id,x\n" + rows)
    assert stored(session) == {}
    with session.store.reading() as connection:
        assert connection.scalar(text("SELECT count(*) FROM scores")) == 0


def test_clusters_of_repeated_ids_follow_the_same_rule(session, dataset, tmp_path):
    file = tmp_path / "clusters.csv"
    file.write_text("id,cluster\na,0\na,1\nb,2\nb,2\na,5\n")
    import_clusters(session, dataset, file, "given")
    assert labels(session) == {"a": 0, "a#2": 1, "a#3": 5, "b": 2}
    file.write_text("id,cluster\na,0\na,1\n")
    with pytest.raises(UsageError, match="'a' stands 2 times"):
        import_clusters(session, dataset, file, "other")
    file.write_text("id,cluster\nb,0\nb,1\n")
    with pytest.raises(DatasetError, match="puts 'b' into two clusters"):
        import_clusters(session, dataset, file, "other")


def test_a_decimal_comma_is_read_where_it_is_certain_and_told(session, bring, notices):
    bring("id;x\nb;0,53\nc;1\n")
    assert stored(session) == {"b": 0.53, "c": 1.0}
    assert "read with a decimal comma" in notices()[-1]


def test_and_elsewhere_named_with_the_option_that_reads_it(session, bring):
    with pytest.raises(DatasetError, match="row 1: '0,53' has a decimal comma: --decimal ,"):
        bring('id,x\nb,"0,53"\n')
    bring('id,x\nb,"0,53"\n', decimal=",")
    bring(json.dumps([{"id": "c", "x": "0,5"}]), "other", "scores.json", decimal=",")
    assert (stored(session), stored(session, "other")) == ({"b": 0.53}, {"c": 0.5})


def test_cells_without_a_number_are_counted_by_what_they_hold(bring):
    done = bring("id,x\na#2,\na#3,nan\nc,none here\nb,1\n")
    assert (done.taken, done.empty, done.not_finite) == (1, 1, 1)
    assert done.unreadable == ["c: 'none here'"]


def test_a_column_without_any_number_is_refused_by_what_it_holds(bring):
    with pytest.raises(UsageError, match=r"holds no number .*1 cell is empty.*c: 'none here'"):
        bring("id,x\nb,\nc,none here\n")


def test_a_score_that_its_factor_makes_infinite_is_none(bring):
    done = bring("id,x\nb,1e300\nc,1\n", multiply=1e300)
    assert (done.taken, done.not_finite) == (1, 1)


@pytest.mark.parametrize(
    ("names", "row", "told"),
    [
        (("cat.jpg", "dog.jpg"), "cat", "'cat' may mean 'cat.jpg': they differ by the ending"),
        (("cat", "dog"), "cat.png", "'cat.png' may mean 'cat': they differ by the ending"),
        (("cat.jpg", "dog.jpg"), "img/cat.jpg", "differ by the folder before"),
        (("cat", "dog"), "img/cat.jpg", "differ by the folder and the ending"),
        (("0017", "0018"), "17", "'17' may mean '0017': they differ by zeros before a number"),
        (("17", "18"), "17.0", "differ by a number written with .0"),
        (("Cat", "Dog"), "cat ", "differ by spaces, or upper and lower case"),
    ],
)
def test_ids_that_nearly_fit_are_shown_with_what_they_differ_by(
    session, folder, read, tmp_path, names, row, told
):
    folder.write(*(record(name, f"about {name}") for name in names))
    dataset = read().dataset
    (tmp_path / "scores.csv").write_text(f"id,x\n{row},1\n")
    with pytest.raises(UsageError, match=told) as stop:
        import_scores(session, dataset, ScoreColumn(tmp_path / "scores.csv", "mine", "x"))
    assert f"the ids of set are '{names[0]}', '{names[1]}'" in str(stop.value)


def test_another_column_that_has_the_ids_is_named(bring):
    with pytest.raises(UsageError, match="the column 'file' has such ids: --id file"):
        bring("id,file,x\n1,b,5\n2,c,6\n")


def test_a_few_rows_that_fit_are_taken_and_the_others_told(bring, notices):
    assert bring("id,x\nb,1\nB,2\nC,3\n").taken == 1
    assert "2 of 3 rows" in notices()[-1]
    assert "'B' may mean 'b'" in notices()[-1]


def test_computed_scores_are_not_replaced_unasked(session, dataset, bring):
    score(session, dataset, ScoreRequest([Choice("scorer", "counted")]))
    with pytest.raises(UsageError, match="5 counted scores already, computed by counting/counted"):
        bring("id,x\nb,1\n", "counted")
    assert len(stored(session, "counted")) == 5
    bring("id,x\nb,1\n", "counted", replace=True)
    assert stored(session, "counted") == {"b": 1}


def test_imported_scores_are_not_replaced_by_those_of_another_file_unasked(session, bring):
    bring("id,x\nb,1\n")
    bring("id,x\nb,1\n")  # the same file again
    with pytest.raises(UsageError, match=r"1 mine score already, imported from .*scores\.csv"):
        bring("id,x\nb,2\n", file="other.csv")
    bring("id,x\nb,2\n", file="other.csv", replace=True)
    assert stored(session) == {"b": 2}


def test_clusters_are_not_replaced_unasked_and_none_is_no_name(session, dataset, tmp_path):
    file = tmp_path / "clusters.csv"
    file.write_text("id,cluster\nb,0\n")
    import_clusters(session, dataset, file, "given")
    import_clusters(session, dataset, file, "given")
    file.write_text("id,cluster\nb,1\n")
    with pytest.raises(UsageError, match="has imported clusters called given already: --replace"):
        import_clusters(session, dataset, file, "given")
    import_clusters(session, dataset, file, "given", replace=True)
    assert labels(session) == {"b": 1}
    with pytest.raises(UsageError, match="cannot be called none"):
        import_clusters(session, dataset, file, "none")


def test_a_table_with_two_columns_of_one_name_is_refused(bring):
    with pytest.raises(DatasetError, match="two columns called 'x': rename one"):
        bring("id,x,x\nb,1,2\n")


def test_an_imported_scale_may_have_options(session, bring):
    from ig4.core.engine.selecting.candidates import SelectionRequest
    from ig4.core.engine.selecting.select import select

    bring("id,x\nb,500\nc,10\n", scale_of="ratio", scale_options={"maximum": 1000})
    request = SelectionRequest(size=1, weights={"mine": 1.0}, clustering="none")
    chosen = select(session, session.dataset(), request).chosen[0]
    assert (chosen.external_id, chosen.final_score) == ("b", pytest.approx(50))
    with pytest.raises(UsageError, match="--scale-of NAME"):
        bring("id,x\nb,500\n", "other", scale_options={"maximum": 1000})


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
def test_what_is_no_file_is_named_as_what_it_is(session, dataset, tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(DatasetError, match="it is a named pipe, not a file"):
        import_clusters(session, dataset, tmp_path / "pipe.csv", "given")
    with pytest.raises(DatasetError, match="is a folder: name a file in it"):
        import_clusters(session, dataset, tmp_path, "given")
    with pytest.raises(DatasetError, match="there is no such file"):
        import_clusters(session, dataset, tmp_path / "gone.csv", "given")
