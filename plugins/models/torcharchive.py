"""Reads the tensors of what `torch.save` wrote, as data: no pickle is loaded and no code is run.

Such a file is a ZIP archive of stored entries: `data.pkl` describes the tensors in opcodes of
pickle, and `data/KEY` has their bytes. The few opcodes that describe tensors are followed here;
any other, and any name but those of tensors, is refused.
"""

from __future__ import annotations

import pickletools  # lists opcodes, and executes none
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MARK = object()
_STORAGES = {
    "DoubleStorage": "<f8", "FloatStorage": "<f4", "HalfStorage": "<f2", "LongStorage": "<i8",
    "IntStorage": "<i4", "ShortStorage": "<i2", "CharStorage": "i1", "ByteStorage": "u1",
    "BoolStorage": "?", "BFloat16Storage": "bf16",
}  # fmt: skip
_MOST_OPCODES = 1_000_000


@dataclass(frozen=True, slots=True)
class _Name:
    """A name in a module that the file refers to; nothing is imported."""

    path: str


def read_torch_archive(file: Path) -> dict[str, NDArray[Any]]:
    """Return the tensors of a state dict by name; one tensor alone is called "".

    A wrapping "model" or "state_dict" is unwrapped.

    Raises:
        ValueError, KeyError: the file holds something else than tensors.
    """
    try:
        archive = zipfile.ZipFile(file)
    except zipfile.BadZipFile:
        raise ValueError("it is no archive of torch.save: save it anew with torch 1.6") from None
    with archive:
        found = _Reader(archive).read()
    if isinstance(found, np.ndarray):
        return {"": found}
    for wrapper in ("model", "state_dict"):
        if isinstance(found, dict) and isinstance(found.get(wrapper), dict):
            found = found[wrapper]
    if not isinstance(found, dict):
        raise TypeError("it is neither a tensor nor a state dict")
    return {str(name): value for name, value in found.items() if isinstance(value, np.ndarray)}


class _Reader:
    """Follows the opcodes of one archive."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}
        (self._root,) = (
            name.removesuffix("data.pkl")
            for name in archive.namelist()
            if name.count("/") <= 1 and name.endswith("data.pkl")
        )

    def read(self) -> Any:
        for count, (opcode, argument, _) in enumerate(pickletools.genops(self._entry("data.pkl"))):
            if opcode.name not in _OPCODES or count > _MOST_OPCODES:
                raise ValueError(f"it holds more than tensors (opcode {opcode.name})")
            _OPCODES[opcode.name](self, argument)
        return self._stack[-1]

    def _entry(self, name: str) -> bytes:
        info = self._archive.getinfo(self._root + name)
        if info.compress_type != zipfile.ZIP_STORED:
            raise ValueError(f"its entry {name[:40]} is compressed, which torch.save does not do")
        return self._archive.read(info)

    def push(self, value: Any) -> None:
        self._stack.append(value)

    def pop(self) -> Any:
        return self._stack.pop()

    def since_mark(self) -> list[Any]:
        place = next(i for i in range(len(self._stack) - 1, -1, -1) if self._stack[i] is _MARK)
        found, self._stack = self._stack[place + 1 :], self._stack[:place]
        return found

    def tuple_of(self, many: int) -> None:
        parts = tuple(self._stack[len(self._stack) - many :])
        del self._stack[len(self._stack) - many :]
        self.push(parts)

    def put(self, place: int) -> None:
        self._memo[place] = self._stack[-1]

    def memoize(self) -> None:
        self.put(len(self._memo))

    def get(self, place: int) -> None:
        self.push(self._memo[place])

    def set_items(self, pairs: list[Any]) -> None:
        self._stack[-1].update(zip(pairs[::2], pairs[1::2], strict=True))

    def append(self, values: list[Any]) -> None:
        self._stack[-1].extend(values)

    def name(self, path: str) -> None:
        self.push(_Name(path))

    def stack_global(self) -> None:
        name, module = self.pop(), self.pop()
        self.push(_Name(f"{module} {name}"))

    def storage(self) -> None:
        """Push the values of the storage that stands on the stack."""
        kind, name, key, _, length = self.pop()
        if kind != "storage":
            raise ValueError("it refers to something that is no storage")
        dtype = _STORAGES[name.path.removeprefix("torch ")]
        data = self._entry(f"data/{key}")
        if dtype == "bf16":
            values = (np.frombuffer(data, "<u2").astype(np.uint32) << 16).view(np.float32)
        else:
            values = np.frombuffer(data, dtype)
        self.push(values[:length])

    def reduce(self) -> None:
        arguments, what = self.pop(), self.pop()
        if not isinstance(what, _Name) or what.path not in _MADE:
            raise ValueError(f"it calls {str(getattr(what, 'path', what))[:60]}")
        self.push(_MADE[what.path](*arguments))

    def build(self) -> None:
        self.pop()  # a state dict's own attributes: versions of modules


def _ordered(*arguments: Any) -> dict[Any, Any]:
    return dict(*arguments)


def _tensor(
    values: NDArray[Any], offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: Any
) -> NDArray[Any]:
    """Return a tensor of a storage; its elements must lie in it."""
    if min((offset, *size, *stride), default=0) < 0 or len(size) != len(stride):
        raise ValueError("a tensor has a negative size")
    last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    if 0 in size:
        return np.empty(size, values.dtype)
    if last >= len(values):
        raise ValueError("a tensor lies outside of its storage")
    steps = [step * values.itemsize for step in stride]
    return np.lib.stride_tricks.as_strided(values[offset:], size, steps, writeable=False).copy()


def _parameter(tensor: NDArray[Any], *_: Any) -> NDArray[Any]:
    return tensor


_MADE: dict[str, Callable[..., Any]] = {
    "collections OrderedDict": _ordered,
    "torch._utils _rebuild_tensor_v2": _tensor,
    "torch._utils _rebuild_parameter": _parameter,
}

_OPCODES: dict[str, Callable[[_Reader, Any], None]] = {
    "PROTO": lambda reader, _: None,
    "FRAME": lambda reader, _: None,
    "STOP": lambda reader, _: None,
    "MARK": lambda reader, _: reader.push(_MARK),
    "EMPTY_DICT": lambda reader, _: reader.push({}),
    "EMPTY_LIST": lambda reader, _: reader.push([]),
    "EMPTY_TUPLE": lambda reader, _: reader.push(()),
    "NONE": lambda reader, _: reader.push(None),
    "NEWTRUE": lambda reader, _: reader.push(value=True),
    "NEWFALSE": lambda reader, _: reader.push(value=False),
    "BINUNICODE": lambda reader, value: reader.push(value),
    "SHORT_BINUNICODE": lambda reader, value: reader.push(value),
    "BININT": lambda reader, value: reader.push(value),
    "BININT1": lambda reader, value: reader.push(value),
    "BININT2": lambda reader, value: reader.push(value),
    "LONG1": lambda reader, value: reader.push(value),
    "BINFLOAT": lambda reader, value: reader.push(value),
    "TUPLE": lambda reader, _: reader.push(tuple(reader.since_mark())),
    "TUPLE1": lambda reader, _: reader.tuple_of(1),
    "TUPLE2": lambda reader, _: reader.tuple_of(2),
    "TUPLE3": lambda reader, _: reader.tuple_of(3),
    "APPEND": lambda reader, _: reader.append([reader.pop()]),
    "APPENDS": lambda reader, _: reader.append(reader.since_mark()),
    "SETITEM": lambda reader, _: reader.set_items([reader.pop(), reader.pop()][::-1]),
    "SETITEMS": lambda reader, _: reader.set_items(reader.since_mark()),
    "BINPUT": lambda reader, place: reader.put(place),
    "LONG_BINPUT": lambda reader, place: reader.put(place),
    "MEMOIZE": lambda reader, _: reader.memoize(),
    "BINGET": lambda reader, place: reader.get(place),
    "LONG_BINGET": lambda reader, place: reader.get(place),
    "GLOBAL": lambda reader, path: reader.name(path),
    "STACK_GLOBAL": lambda reader, _: reader.stack_global(),
    "BINPERSID": lambda reader, _: reader.storage(),
    "REDUCE": lambda reader, _: reader.reduce(),
    "BUILD": lambda reader, _: reader.build(),
}
