"""Files of vectors: read as they are, and never executed."""

from __future__ import annotations

import json
import os
import pickle
import zipfile

import numpy as np
import pytest

from ig4.core.errors import DatasetError, UsageError
from ig4.core.files.vectors.torchfile import read_tensors
from ig4.core.files.vectors.vectorfile import read_vectors

MATRIX = np.arange(12, dtype=np.float32).reshape(4, 3) / 7


def safetensors(path, **tensors):
    header, data = {}, b""
    for name, (kind, array) in tensors.items():
        raw = array.tobytes()
        place = [len(data), len(data) + len(raw)]
        header[name] = {"dtype": kind, "shape": list(array.shape), "data_offsets": place}
        data += raw
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)
    return path


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "i4", ">f4"])
def test_npy(tmp_path, dtype):
    np.save(tmp_path / "x.npy", (MATRIX * 7).astype(dtype))
    read = read_vectors(tmp_path / "x.npy")
    np.testing.assert_array_equal(read.vectors, MATRIX * 7)
    assert read.ids is None


def test_npz_with_its_own_ids(tmp_path):
    np.savez(tmp_path / "x.npz", anything=MATRIX, id=np.array(["a", "b", "c", "d"]))
    read = read_vectors(tmp_path / "x.npz")
    np.testing.assert_array_equal(read.vectors, MATRIX)
    assert read.ids == ["a", "b", "c", "d"]


def test_several_matrices_must_be_chosen_from(tmp_path):
    np.savez(tmp_path / "x.npz", a=MATRIX, b=MATRIX + 1, n=np.array([1, 2, 3, 4]))
    with pytest.raises(UsageError, match=r"several matrices: name one with --key \(a, b\)"):
        read_vectors(tmp_path / "x.npz")
    read = read_vectors(tmp_path / "x.npz", key="b", id_key="n")
    np.testing.assert_array_equal(read.vectors, MATRIX + 1)
    assert read.ids == ["1", "2", "3", "4"]


def test_parquet_with_lists(tmp_path):
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    table = pa.table({"id": [1, 2, 3, None], "embedding": MATRIX.tolist(), "x": [1, 2, 3, 4]})
    pq.write_table(table, tmp_path / "x.parquet", row_group_size=3)
    read = read_vectors(tmp_path / "x.parquet")
    np.testing.assert_allclose(read.vectors, MATRIX, rtol=1e-6)
    assert read.ids == ["1", "2", "3", None]
    fixed = pa.FixedSizeListArray.from_arrays(pa.array(MATRIX.ravel()), 3)
    pq.write_table(pa.table({"vectors": fixed}), tmp_path / "y.parquet")
    np.testing.assert_array_equal(read_vectors(tmp_path / "y.parquet").vectors, MATRIX)


@pytest.mark.parametrize(
    ("rows", "message"),
    [([[1.0, 2.0], [3.0]], "different lengths"), ([[1.0], None], "has no vector")],
)
def test_parquet_of_other_lists_is_refused(tmp_path, rows, message):
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"embedding": rows}), tmp_path / "x.parquet")
    with pytest.raises(UsageError, match=message):
        read_vectors(tmp_path / "x.parquet")


def test_safetensors(tmp_path):
    path = safetensors(tmp_path / "x.safetensors", v=("F32", MATRIX), n=("I64", np.arange(4)))
    np.testing.assert_array_equal(read_vectors(path).vectors, MATRIX)
    halves = (MATRIX.view(np.uint32) >> 16).astype(np.uint16)
    path = safetensors(tmp_path / "y.safetensors", v=("BF16", halves))
    np.testing.assert_allclose(read_vectors(path).vectors, MATRIX, rtol=1e-2)


@pytest.mark.parametrize(
    "content",
    [
        b"", b"\x00" * 8, b"\xff" * 20, (2).to_bytes(8, "little") + b"[]",
        (60).to_bytes(8, "little")
        + b'{"v":{"dtype":"F32","shape":[9,9],"data_offsets":[0,324]}}  ' + b"1234",
    ],
)  # fmt: skip
def test_a_damaged_safetensors_file_is_told(tmp_path, content):
    (tmp_path / "x.safetensors").write_bytes(content)
    with pytest.raises((DatasetError, UsageError)):
        read_vectors(tmp_path / "x.safetensors")


class Evil:
    """Makes a folder when it is unpickled: not `print`, as libraries put their own in its place."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


def test_objects_are_never_unpickled(tmp_path):
    evil = Evil(tmp_path / "made")
    np.save(tmp_path / "x.npy", np.array([[evil]], dtype=object), allow_pickle=True)
    with pytest.raises(DatasetError, match="never unpickled"):
        read_vectors(tmp_path / "x.npy")
    np.savez(tmp_path / "x.npz", v=np.array([[evil]], dtype=object))
    with pytest.raises(DatasetError, match="never unpickled"):
        read_vectors(tmp_path / "x.npz")
    for protocol in (0, 2, 4):
        with zipfile.ZipFile(tmp_path / "x.pt", "w") as archive:
            archive.writestr("x/data.pkl", pickle.dumps(evil, protocol))
        with pytest.raises(DatasetError, match=r"it would run \w+\.mkdir"):
            read_vectors(tmp_path / "x.pt")
    assert not evil.folder.exists()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.npy", b"no array", "cannot be read"),
        ("x.npz", b"no archive", "cannot be read"),
        ("x.parquet", b"PAR1", "cannot be read"),
        ("x.pt", b"\x80\x02no archive", "present layout, a zip archive"),
        ("x.csv", b"1,2", "none of the files of vectors"),
    ],
)
def test_what_is_no_such_file_is_told(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises((DatasetError, UsageError), match=message):
        read_vectors(tmp_path / name)


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(DatasetError, match=r"x\.npy"):
        read_vectors(tmp_path / "x.npy")


@pytest.mark.parametrize("shape", [(12,), (2, 2, 3), (4, 0)])
def test_other_shapes_are_no_vectors(tmp_path, shape):
    np.save(tmp_path / "x.npy", np.zeros(shape))
    with pytest.raises(UsageError, match=r"vectors are \(n, d\) real numbers"):
        read_vectors(tmp_path / "x.npy")


@pytest.mark.slow
def test_tensors_of_pytorch_are_those_that_it_saved(tmp_path):
    torch = pytest.importorskip("torch")

    base = torch.arange(24, dtype=torch.float32).reshape(4, 6)
    saved = {
        "plain": base,
        "turned": base.T,
        "part": base[1:3, ::2],
        "half": base.half(),
        "brain": base.bfloat16(),
        "whole": base.long(),
        "nested": {"weight": torch.nn.Parameter(base * 2)},
        "several": [base + 1],
    }
    torch.save(saved, tmp_path / "x.pt")
    found = read_tensors(tmp_path / "x.pt")
    assert set(found) == {*saved, "nested.weight", "several.0"} - {"nested", "several"}
    np.testing.assert_array_equal(found["turned"], base.T.numpy())
    np.testing.assert_array_equal(found["part"], base[1:3, ::2].numpy())
    np.testing.assert_array_equal(found["brain"], base.numpy())
    np.testing.assert_array_equal(found["nested.weight"], 2 * base.numpy())
    np.testing.assert_array_equal(found["several.0"], base.numpy() + 1)
    torch.save(base, tmp_path / "alone.pt")
    np.testing.assert_array_equal(read_vectors(tmp_path / "alone.pt").vectors, base.numpy())
    torch.save(base, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    with pytest.raises(DatasetError, match="present layout"):
        read_vectors(tmp_path / "old.pt")


def described(path, offset, size, stride, *, numbers=12, claimed=None):
    """Write a `.pt` file by hand, whose tensor is described so."""
    opcodes = (
        b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storagectorch\n"
        b"FloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuJ"
        + (claimed or numbers).to_bytes(4, "little", signed=True) + b"tQJ"
        + offset.to_bytes(4, "little", signed=True)
        + b"(" + b"".join(b"J" + n.to_bytes(4, "little", signed=True) for n in size) + b"t"
        + b"(" + b"".join(b"J" + n.to_bytes(4, "little", signed=True) for n in stride) + b"t"
        + b"\x89ccollections\nOrderedDict\n)RtR."
    )  # fmt: skip
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x/data.pkl", opcodes)
        archive.writestr("x/data/0", np.arange(numbers, dtype="<f4").tobytes())
    return path


def test_a_tensor_lies_in_its_storage(tmp_path):
    path = described(tmp_path / "x.pt", 0, (4, 3), (3, 1))
    np.testing.assert_array_equal(read_vectors(path).vectors, np.arange(12).reshape(4, 3))
    for wrong in [
        {"offset": 1, "size": (4, 3), "stride": (3, 1)},
        {"offset": 0, "size": (4, 3), "stride": (-3, 1)},
        {"offset": -1, "size": (4, 3), "stride": (3, 1)},
        {"offset": 0, "size": (100_000, 100_000), "stride": (0, 0)},
        {"offset": 0, "size": (4, 3), "stride": (3, 1), "claimed": 1000},
    ]:
        with pytest.raises(DatasetError, match=r"tensor|storage"):
            read_vectors(described(tmp_path / "y.pt", **wrong))
