"""Imported vectors are a space of their data set; what does not fit is told, and nothing is cut."""

from __future__ import annotations

import json

import numpy as np
import pytest

from ig4.core.engine.grouping.cluster import ClusterRequest, cluster
from ig4.core.engine.ingesting.ingest import DatasetSource, ingest
from ig4.core.engine.ingesting.vectors import VectorSource, import_vectors
from ig4.core.engine.pooling.spaces import space_vectors
from ig4.core.engine.scoring.plan import ScoreRequest
from ig4.core.engine.scoring.score import score
from ig4.core.errors import UsageError
from ig4.core.files.vectors.torchfile import read_tensors
from ig4.core.records import Choice
from ig4.storage import samples

from ...conftest import record

MATRIX = np.array([[1, 0], [0, 1], [2, 2], [3, 1]], dtype=np.float32)


@pytest.fixture
def dataset(folder, read):
    folder.write(*(record(name, f"answer {name}") for name in "abcd"))
    return read().dataset


@pytest.fixture
def bring(session, dataset, tmp_path):
    def _bring(matrix=MATRIX, name="mine", ids=None, **options):
        np.save(tmp_path / "x.npy", matrix)
        if ids is not None:
            (tmp_path / "ids.csv").write_text("key_,n\n" + "".join(f"{one},1\n" for one in ids))
            options |= {"ids": tmp_path / "ids.csv", "id_column": "key_"}
        source = VectorSource(tmp_path / "x.npy", name, **options)
        return import_vectors(session, dataset, source)

    return _bring


def space(session, dataset, name="mine"):
    with session.store.reading() as connection:
        ids, contents = samples.ordered_ids(connection, dataset.id)
    found = space_vectors(session, dataset, name, {}, ids, contents)
    return None if found is None else found.matrix()


def test_rows_are_the_samples_in_their_order(session, dataset, bring):
    done = bring()
    assert (done.taken, done.without) == (4, 0)
    np.testing.assert_array_equal(space(session, dataset), MATRIX)


def test_ids_say_whose_a_row_is(session, dataset, bring):
    done = bring(ids=["d", "x", "a", "b"])
    assert (done.taken, done.unknown, done.without) == (3, ["x"], 1)
    np.testing.assert_array_equal(
        space(session, dataset), [MATRIX[2], MATRIX[3], [np.nan] * 2, MATRIX[0]]
    )


def test_another_number_of_rows_is_refused(session, dataset, bring):
    with pytest.raises(UsageError, match=r"3 rows, set 4 samples: .* \(--ids FILE --id COLUMN\)"):
        bring(MATRIX[:3])
    with pytest.raises(UsageError, match=r"4 rows, .* 3 ids"):
        bring(ids=["a", "b", "c"])
    assert space(session, dataset) is None


@pytest.mark.parametrize(
    ("ids", "message"), [("wxyz", "none of the ids"), ("aabc", "stands 2 times in the file")]
)
def test_ids_that_fit_nothing_or_twice_are_refused(session, dataset, bring, ids, message):
    with pytest.raises(UsageError, match=message):
        bring(ids=list(ids))
    assert space(session, dataset) is None


def test_rows_that_are_not_finite_are_counted_and_left_out(session, dataset, bring):
    broken = MATRIX.astype(np.float64)
    broken[1, 0], broken[2, 1] = np.nan, 1e300  # too large for what is stored
    done = bring(broken)
    assert (done.taken, done.not_finite, done.without) == (2, 2, 2)
    assert np.isnan(space(session, dataset)).all(axis=1).tolist() == [False, True, True, False]
    with pytest.raises(UsageError, match="every vector holds NaN or infinity"):
        bring(np.full((4, 2), np.nan), name="other")


def test_vectors_without_a_direction_are_counted_and_told(session, dataset, bring, notices):
    done = bring(np.array([[0, 0], [1, 0], [0, 0], [0, 2]], dtype=np.float32))
    assert (done.taken, done.zeros, done.without) == (4, 2, 0)
    (told,) = [text for text in notices() if "zeros" in text]
    assert told.startswith("2 vectors hold nothing but zeros")
    assert bring(name="others").zeros == 0


def test_equal_samples_with_different_vectors_are_told(session, folder, read, bring, notices):
    folder.write(record("a", "same"), record("b", "same"), record("c", "x"), record("d", "y"))
    dataset = read().dataset
    bring()
    assert "different vectors" in notices()[-1]
    np.testing.assert_array_equal(space(session, dataset)[:2], [MATRIX[1], MATRIX[1]])


def test_a_name_is_not_taken_over_unasked(session, dataset, bring):
    bring()
    bring()  # the same file
    with pytest.raises(UsageError, match="--replace"):
        bring(MATRIX + 1)
    bring(MATRIX + 1, replace=True)
    np.testing.assert_array_equal(space(session, dataset), MATRIX + 1)
    with pytest.raises(UsageError, match="cannot be called"):
        bring(name="a,b")


def test_an_imported_space_is_used_and_not_computed(session, dataset, bring, notices):
    bring(name="letters")
    letters = Choice("embedder", "letters", {"reads": "answer"})
    assert score(session, dataset, ScoreRequest((), spaces=[letters])).embedded == 0
    assert "letters: the imported vectors are used" in notices()[-1]
    score(session, dataset, ScoreRequest((), spaces=[letters], recompute=["letters"]))
    assert space(session, dataset, "letters").shape == (4, 3)


def test_an_imported_space_is_clustered_in(session, dataset, bring):
    pytest.importorskip("sklearn")
    bring(np.array([[0, 1], [0, 1.1], [5, 5], [5.1, 5]]))
    request = ClusterRequest(
        Choice("clusterer", "kmeans"), Choice("embedder", "colour"), 2, 0, space="mine"
    )
    assert sorted(cluster(session, dataset, request).sizes.values()) == [2, 2]


@pytest.mark.shared
def test_the_authors_matrices_are_spaces_of_their_data_set(session, shared, tmp_path):
    source = shared / "data" / "instructiongpt4"
    rows = json.loads((source / "full_score_data.json").read_text(encoding="utf-8"))
    rows = rows if isinstance(rows, list) else next(iter(rows.values()))
    texts = [{"id": row["image_id"], "answer": row["caption"]} for row in rows]
    (tmp_path / "own.jsonl").write_text("".join(json.dumps(row) + "\n" for row in texts))
    dataset = ingest(session, DatasetSource(tmp_path / "own.jsonl", name="own")).dataset
    for kind in ("image", "text"):
        file = source / "selector" / f"all_{kind}_matrix.pt"
        done = import_vectors(session, dataset, VectorSource(file, f"authors-{kind}"))
        assert (done.taken, done.without) == (3439, 0)
        (matrix,) = read_tensors(file).values()
        found = space(session, dataset, f"authors-{kind}")
        assert found.shape == (3439, 6)
        # Samples with the same texts have one vector, the last one.
        assert (found == matrix).all(axis=1).mean() > 0.99


def test_a_sample_that_takes_the_vector_of_its_equal_is_counted(session, folder, read, bring):
    folder.write(record("a", "same"), record("b", "same"), record("c", "x"), record("d", "y"))
    read()
    broken = MATRIX.copy()
    broken[1], broken[2] = np.nan, np.nan
    done = bring(broken)
    assert (done.taken, done.not_finite, done.shared, done.without) == (2, 2, 1, 1)
    assert bring(name="whole").shared == 0


def _npz(folder, ids):
    np.savez(folder / "x.npz", vectors=MATRIX, ids=np.array(ids))


def _pt(folder, ids):
    torch = pytest.importorskip("torch")
    torch.save({"e": torch.from_numpy(MATRIX), "ids": list(ids)}, folder / "x.pt")


def _parquet(folder, ids):
    pa, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    parquet.write_table(pa.table({"v": MATRIX.tolist(), "ids": ids}), folder / "x.parquet")


@pytest.mark.parametrize("write", [_npz, _pt, _parquet])
def test_ids_in_the_file_are_never_passed_over(session, dataset, tmp_path, notices, write):
    def bring(**options):
        (path,) = tmp_path.glob("x.*")
        return import_vectors(session, dataset, VectorSource(path, "mine", **options))

    write(tmp_path, ["d", "c", "b", "a"])
    with pytest.raises(UsageError, match=r"'ids' are ids of set, in another order .* --id ids"):
        bring()
    bring(id_column="ids")
    np.testing.assert_array_equal(space(session, dataset), MATRIX[::-1])
    write(tmp_path, ["a", "b", "c", "d"])  # the order of the samples
    bring(replace=True)
    np.testing.assert_array_equal(space(session, dataset), MATRIX)
    assert not [text for text in notices() if "no ids" in text]
    write(tmp_path, ["v", "w", "x", "y"])
    bring(replace=True)
    (told,) = [text for text in notices() if "no ids of set" in text]
    assert "taken in the order of the samples; its 'ids' is not read" in told


def test_whole_numbers_of_a_tensor_file_may_be_ids(session, folder, read, tmp_path):
    folder.write(*(record(str(n), f"answer {n}") for n in range(4)))
    dataset = read().dataset
    np.savez(tmp_path / "x.npz", vectors=MATRIX, row=np.array([1, 2, 3, 4]), kind=np.ones(4, int))
    with pytest.raises(UsageError, match="3 of the 4 values of 'row' are ids of set"):
        import_vectors(session, dataset, VectorSource(tmp_path / "x.npz", "mine"))
