"""Reads tensors of a `.pt` or `.pth` file of PyTorch, without PyTorch and without running a pickle.

Such a file is a zip archive: the bytes of each storage, and a pickle that says which tensors lie in
them. The pickle is read by a reader that knows tensors, containers and plain values, and nothing
else: what would call any other function is refused.
"""

from __future__ import annotations

import io
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray

from ig4.core.errors import DatasetError
from ig4.core.files.opening import open_file
from ig4.core.files.reading.encodings import unreadable_error

_MOST_PICKLE = 1 << 26
_BFLOAT16 = "bfloat16"
_TYPES: Mapping[str, str] = {
    "FloatStorage": "f4", "DoubleStorage": "f8", "HalfStorage": "f2", "BFloat16Storage": _BFLOAT16,
    "LongStorage": "i8", "IntStorage": "i4", "ShortStorage": "i2", "CharStorage": "i1",
    "ByteStorage": "u1", "BoolStorage": "?",
}  # fmt: skip


class TorchFileError(Exception):
    """Why a file holds no tensors that are read; without the file's name."""


@dataclass(frozen=True, slots=True)
class _StorageType:
    name: str


@dataclass(frozen=True, slots=True)
class _Storage:
    values: NDArray[Any]
    is_bfloat16: bool


def read_tensors(path: Path) -> dict[str, NDArray[Any]]:
    """Return the tensors of a file by their names; "" names one that is the whole of the file.

    A list of texts or whole numbers in a dict, such as ids, is an array (n,) too.
    Names of nested containers are joined by a dot: "model.weight", "0". bfloat16 becomes float32.

    Raises:
        DatasetError: it cannot be read, is of PyTorch's old layout, or holds more than tensors.
    """
    try:
        with open_file(path) as file:
            return _read(file)
    except OSError as error:
        raise unreadable_error(path, error) from None
    except TorchFileError as error:
        raise DatasetError(f"{path}: {error}") from None
    except zipfile.BadZipFile as error:
        raise DatasetError(
            f"{path} is no tensor file of PyTorch's present layout, a zip archive ({error}): read "
            "it with PyTorch, and save the tensor again, or as .npy"
        ) from None
    except Exception as error:  # noqa: BLE001 - a damaged pickle raises whatever it hits on
        raise DatasetError(f"{path} is damaged: {type(error).__name__}: {error}") from None


def _read(file: BinaryIO) -> dict[str, NDArray[Any]]:
    with zipfile.ZipFile(file) as archive:
        names = [name for name in archive.namelist() if name.rpartition("/")[2] == "data.pkl"]
        if len(names) != 1:
            raise TorchFileError("the archive has no data.pkl, so it is no tensor file of PyTorch")
        if archive.getinfo(names[0]).file_size > _MOST_PICKLE:
            raise TorchFileError("its description of tensors is larger than any")
        folder = names[0].removesuffix("data.pkl")
        order: Literal["<", ">"] = ">" if _has(archive, f"{folder}byteorder", b"big") else "<"
        loaded = _Reader(archive, folder, order, archive.read(names[0])).load()
    found = dict(_flat("", loaded))
    if all(one.dtype.kind == "O" for one in found.values()):
        raise TorchFileError("it holds no tensor")
    return found


def _has(archive: zipfile.ZipFile, name: str, content: bytes) -> bool:
    return name in archive.namelist() and archive.read(name).strip() == content


def _flat(name: str, value: Any) -> list[tuple[str, NDArray[Any]]]:
    if isinstance(value, np.ndarray):
        return [(name, value)]
    if name and isinstance(value, list) and value and {type(one) for one in value} <= {str, int}:
        return [(name, np.array(value, dtype=object))]
    items: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, (list, tuple)):
        items = list(enumerate(value))
    return [
        pair for key, inner in items for pair in _flat(f"{name}.{key}" if name else str(key), inner)
    ]


class _Reader(pickle.Unpickler):
    """An unpickler that can make tensors and ordered dicts, and calls nothing else."""

    def __init__(
        self, archive: zipfile.ZipFile, folder: str, order: Literal["<", ">"], described: bytes
    ) -> None:
        super().__init__(io.BytesIO(described))
        self.archive = archive
        self.folder = folder
        self.order = order
        self.storages: dict[str, _Storage] = {}

    def find_class(self, module: str, name: str) -> Any:
        """Return what stands for a name of a pickle."""
        known: dict[tuple[str, str], Callable[..., Any]] = {
            ("collections", "OrderedDict"): OrderedDict,
            ("torch._utils", "_rebuild_tensor_v2"): _rebuilt,
            ("torch._utils", "_rebuild_parameter"): _parameter,
        }
        if (module, name) in known:
            return known[module, name]
        if module == "torch" and name in _TYPES:
            return _StorageType(name)
        raise TorchFileError(
            f"it would run {module}.{name}, which is no part of a tensor: save the tensor alone, "
            "as torch.save(tensor, file), or as .npy"
        )

    def persistent_load(self, reference: Any) -> _Storage:
        """Return a storage of the archive."""
        match reference:
            case ("storage", _StorageType(name=kind), str(key), _, int(count)):
                if key not in self.storages:
                    self.storages[key] = self._storage(kind, key, count)
                return self.storages[key]
        raise TorchFileError("it refers to something else than a storage of its own")

    def _storage(self, kind: str, key: str, count: int) -> _Storage:
        name = f"{self.folder}data/{key}"
        if name not in self.archive.namelist():
            raise TorchFileError(f"the storage {key} is missing")
        is_bfloat16 = _TYPES[kind] == _BFLOAT16
        dtype = np.dtype("u2" if is_bfloat16 else _TYPES[kind]).newbyteorder(self.order)
        if self.archive.getinfo(name).file_size != count * dtype.itemsize:
            raise TorchFileError(f"the storage {key} has not the {count:,} numbers that it claims")
        return _Storage(np.frombuffer(self.archive.read(name), dtype=dtype), is_bfloat16)


def _rebuilt(storage: Any, offset: Any, size: Any, stride: Any, *_: Any) -> NDArray[Any]:
    """Return a tensor of a storage; what lies outside of it is refused."""
    whole = isinstance(storage, _Storage) and isinstance(size, tuple) and isinstance(stride, tuple)
    numbers = [offset, *size, *stride] if whole else []
    if not whole or len(size) != len(stride) or any(type(n) is not int or n < 0 for n in numbers):
        raise TorchFileError("a tensor is described in a way that PyTorch does not write")
    count = int(np.prod(size, dtype=object))
    last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    if count and (last >= len(storage.values) or count > len(storage.values)):
        raise TorchFileError("a tensor reaches beyond its storage")
    if not count:
        return np.empty(size, dtype=np.float32)
    values = storage.values[offset:]
    steps = [step * values.itemsize for step in stride]
    found = np.array(np.lib.stride_tricks.as_strided(values, size, steps))
    if storage.is_bfloat16:
        return (found.astype(np.uint32) << 16).view(np.float32)
    return found.astype(found.dtype.newbyteorder("="))


def _parameter(tensor: Any, *_: Any) -> Any:
    return tensor
