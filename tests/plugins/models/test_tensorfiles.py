"""Arrays from files of NumPy, safetensors and torch, of which none is run."""

import json
import os
import pickle
import zipfile

import numpy as np
import pytest

from ig4.core.errors import PrerequisiteError
from ig4.plugins.models.tensorfiles import read_matrix, read_tensors

ROWS = np.arange(6, dtype=np.float32).reshape(2, 3)


def safetensors(file, entries, data=b""):
    """Write a file of the format's few bytes by hand."""
    header = json.dumps({"__metadata__": {"format": "pt"}, **entries}).encode()
    file.write_bytes(len(header).to_bytes(8, "little") + header + (data or ROWS.tobytes()))
    return file


def entry(dtype="F32", shape=(2, 3), end=24):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [0, end]}


def archive(file, described, data=b"", *, compression=zipfile.ZIP_STORED):
    """Write an archive as torch.save lays it out, with a description of our own."""
    with zipfile.ZipFile(file, "w", compression) as made:
        made.writestr("x/data.pkl", described)
        made.writestr("x/data/0", data)
    return file


def test_numpys_files(tmp_path):
    np.save(tmp_path / "a.npy", ROWS)
    np.savez(tmp_path / "b.npz", first=ROWS, second=ROWS[0])
    assert read_matrix(tmp_path / "a.npy").tolist() == ROWS.tolist()
    assert {k: v.tolist() for k, v in read_tensors(tmp_path / "b.npz").items()} == {
        "first": ROWS.tolist(),
        "second": ROWS[0].tolist(),
    }


def test_safetensors(tmp_path):
    file = safetensors(tmp_path / "a.safetensors", {"w": entry()})
    assert read_matrix(file).tolist() == ROWS.tolist()
    halves = (ROWS.view(np.uint32) >> 16).astype("<u2").tobytes()
    file = safetensors(tmp_path / "b.safetensors", {"w": entry("BF16", end=12)}, halves)
    assert read_matrix(file).tolist() == ROWS.tolist()


@pytest.mark.slow
def test_what_safetensors_and_torch_write_is_read(tmp_path):
    torch = pytest.importorskip("torch")
    from safetensors.torch import save_file

    tensor = torch.arange(24, dtype=torch.float32).reshape(4, 6)
    state = {"a": tensor[1:, ::2], "b.c": tensor.T, "d": tensor.to(torch.bfloat16),
             "e": torch.tensor([True, False]), "f": torch.zeros(0, 3)}  # fmt: skip
    torch.save(state, tmp_path / "state.pth")
    torch.save({"model": state, "epoch": 3}, tmp_path / "wrapped.pth")
    torch.save(tensor, tmp_path / "one.pt")
    linear = torch.nn.Linear(2, 3)
    torch.save(linear.state_dict(), tmp_path / "linear.pth")
    save_file({k: v.contiguous() for k, v in state.items()}, tmp_path / "state.safetensors")

    expected = {name: value.float().tolist() for name, value in state.items()}
    for name in ("state.pth", "wrapped.pth", "state.safetensors"):
        found = read_tensors(tmp_path / name)
        assert {k: v.astype(np.float32).tolist() for k, v in found.items()} == expected
    assert read_matrix(tmp_path / "one.pt").tolist() == tensor.tolist()
    found = read_tensors(tmp_path / "linear.pth")
    assert found["weight"].tolist() == linear.weight.tolist()


class Evil:
    """What makes a directory as soon as somebody unpickles it."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


@pytest.mark.parametrize("protocol", [2, 4])
def test_nothing_in_a_file_of_torch_is_run(tmp_path, protocol):
    described = pickle.dumps({"w": Evil(tmp_path / "made")}, protocol)
    with pytest.raises(PrerequisiteError, match=r"it calls (posix|nt) mkdir"):
        read_tensors(archive(tmp_path / "evil.pth", described))
    assert not (tmp_path / "made").exists()


def test_nothing_in_a_file_of_numpy_is_run(tmp_path):
    np.save(
        tmp_path / "a.npy", np.array([Evil(tmp_path / "made")], dtype=object), allow_pickle=True
    )
    with pytest.raises(PrerequisiteError, match="holds no plain arrays"):
        read_tensors(tmp_path / "a.npy")
    assert not (tmp_path / "made").exists()


def tensor_pickle(offset, size, stride):
    """Describe one tensor as torch.save does, opcode by opcode."""

    def number(value):
        return b"J" + value.to_bytes(4, "little", signed=True)

    def numbers(values):
        return b"(" + b"".join(map(number, values)) + b"t"

    def text(value):
        return b"X" + len(value).to_bytes(4, "little") + value.encode()

    storage = (
        b"(" + text("storage") + b"ctorch\nFloatStorage\n" + text("0") + text("cpu") + number(6)
        + b"tQ"
    )  # fmt: skip
    return (
        b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n("
        + storage + number(offset) + numbers(size) + numbers(stride)
        + b"\x89ccollections\nOrderedDict\n)RtR."
    )  # fmt: skip


def test_a_tensor_is_where_its_strides_say(tmp_path):
    file = archive(tmp_path / "a.pt", tensor_pickle(1, (2, 2), (3, 1)), ROWS.tobytes())
    assert read_matrix(file).tolist() == [[1, 2], [4, 5]]


@pytest.mark.parametrize(
    ("offset", "size", "stride"),
    [(0, (2, 4), (4, 1)), (5, (2,), (1,)), (-1, (2,), (1,)), (0, (2,), (-1,)), (0, (2, 2), (1,)),
     (0, (2**31 - 1,), (2**31 - 1,))],
)  # fmt: skip
def test_a_tensor_outside_of_its_storage_is_refused(tmp_path, offset, size, stride):
    file = archive(tmp_path / "a.pt", tensor_pickle(offset, size, stride), ROWS.tobytes())
    with pytest.raises(PrerequisiteError, match="holds no plain arrays"):
        read_tensors(file)


def test_a_compressed_archive_is_refused(tmp_path):
    file = archive(tmp_path / "a.pt", tensor_pickle(0, (6,), (1,)), bytes(10**6),
                   compression=zipfile.ZIP_DEFLATED)  # fmt: skip
    with pytest.raises(PrerequisiteError, match="is compressed"):
        read_tensors(file)


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.npy", b"", "holds no plain arrays"),
        ("a.pt", b"\x80\x02}.", "no archive of torch.save"),
        ("a.safetensors", b"\xff" * 30, "header is longer than the file"),
        ("a.txt", b"1 2", r"must end in \.npy"),
    ],
)
def test_a_broken_file_is_named(tmp_path, name, content, told):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(PrerequisiteError, match=told):
        read_tensors(tmp_path / name)


def test_a_tensor_outside_of_a_safetensors_file_is_refused(tmp_path):
    file = safetensors(tmp_path / "a.safetensors", {"w": entry(end=28, shape=(7,))})
    with pytest.raises(PrerequisiteError, match="lies outside of the file"):
        read_tensors(file)


@pytest.mark.parametrize(
    ("arrays", "told"),
    [
        ({"a": ROWS, "b": ROWS}, "holds 2 arrays"),
        ({"a": ROWS[0]}, r"an array \(3,\) of float32, not rows of numbers"),
        ({"a": np.array([["x"]])}, "not rows of numbers"),
        ({"a": np.array([[np.nan]])}, "values that are not finite"),
    ],
)
def test_a_matrix_is_one_array_of_finite_rows(tmp_path, arrays, told):
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(PrerequisiteError, match=told):
        read_matrix(tmp_path / "a.npz")


@pytest.mark.shared
def test_the_authors_files_are_plain(shared):
    folder = shared / "data" / "instructiongpt4" / "selector"
    assert read_matrix(folder / "all_image_matrix.pt").shape == (3439, 6)
    assert read_tensors(folder / "image_matrix.pt")[""].shape == (30, 114, 6)
    assert read_tensors(folder / "best_model.pth")["module.linear.weight"].shape == (1, 16)
