"""Arrays from files of NumPy, safetensors and torch, without torch and without unpickling."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

import numpy as np

from ig4.core.errors import PrerequisiteError
from ig4.plugins.models.torcharchive import read_torch_archive

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SAFETENSORS = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2",
    "I8": "i1", "U8": "u1", "BOOL": "?",
}  # fmt: skip
_LONGEST_HEADER = 100_000_000  # bytes; what the reference implementation allows


def read_tensors(file: Path) -> dict[str, NDArray[Any]]:
    """Return the arrays of a .npy, .npz, .safetensors, .pt or .pth file by name; nothing is run.

    A file with one array that has no name calls it "".

    Raises:
        PrerequisiteError: it is missing or broken, or holds something else.
    """
    try:
        return _READERS.get(file.suffix.lower(), _refuse)(file)
    except FileNotFoundError:
        raise PrerequisiteError(f"{file}: there is no such file") from None
    except (
        OSError,
        EOFError,
        ValueError,
        LookupError,
        TypeError,
        OverflowError,
        BadZipFile,
    ) as error:
        raise PrerequisiteError(
            f"{file} holds no plain arrays ({type(error).__name__}: {str(error)[:200]})"
        ) from error


def read_matrix(file: Path) -> NDArray[np.float32]:
    """Return the one matrix (n, d) float32 of a file.

    Raises:
        PrerequisiteError: as `read_tensors`, or it has no, or more than one matrix, or no numbers.
    """
    arrays = read_tensors(file)
    if len(arrays) != 1:
        raise PrerequisiteError(
            f"{file} holds {len(arrays)} arrays: save the one matrix of vectors alone"
        )
    (array,) = arrays.values()
    if array.ndim != 2 or 0 in array.shape or array.dtype.kind not in "fiu":
        raise PrerequisiteError(
            f"{file} holds an array {array.shape} of {array.dtype}, not rows of numbers"
        )
    matrix = array.astype(np.float32)
    if not np.isfinite(matrix).all():
        raise PrerequisiteError(f"{file} holds values that are not finite")
    return matrix


def _read_npy(file: Path) -> dict[str, NDArray[Any]]:
    return {"": np.load(file, allow_pickle=False)}


def _read_npz(file: Path) -> dict[str, NDArray[Any]]:
    with np.load(file, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def _read_safetensors(file: Path) -> dict[str, NDArray[Any]]:
    with file.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        if length > min(_LONGEST_HEADER, file.stat().st_size):
            raise ValueError("its header is longer than the file")
        header = json.loads(stream.read(length))
        data = np.frombuffer(stream.read(), dtype=np.uint8)
    entries = {name: entry for name, entry in header.items() if name != "__metadata__"}
    return {name: _tensor(data, entry) for name, entry in entries.items()}


def _tensor(data: NDArray[np.uint8], entry: dict[str, Any]) -> NDArray[Any]:
    start, end = entry["data_offsets"]
    if not 0 <= start <= end <= len(data):
        raise ValueError("a tensor lies outside of the file")
    part = data[start:end]
    if entry["dtype"] == "BF16":
        return widened(part.view("<u2")).reshape(entry["shape"])
    return part.view(_SAFETENSORS[entry["dtype"]]).reshape(entry["shape"])


def widened(halves: NDArray[np.uint16]) -> NDArray[np.float32]:
    """Return bfloat16 values, given as their 16 bits, as float32."""
    return (halves.astype(np.uint32) << 16).view(np.float32)


def _refuse(file: Path) -> dict[str, NDArray[Any]]:
    raise ValueError("its name must end in .npy, .npz, .safetensors, .pt or .pth")


_READERS = {
    ".npy": _read_npy,
    ".npz": _read_npz,
    ".safetensors": _read_safetensors,
    ".pt": read_torch_archive,
    ".pth": read_torch_archive,
}
