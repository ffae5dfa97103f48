"""The network of the InstructionGPT-4 authors' trained selector: attention over a whole pool."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

HEADS = 4
"""How many heads each attention has; the checkpoint does not say."""

_BLOCK = 1 << 23  # attentions at a time: 64 MB


@dataclass(frozen=True, slots=True)
class Affine:
    """x W^T + b."""

    weight: NDArray[np.float64]
    bias: NDArray[np.float64]

    def __call__(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Apply it to rows (n, d)."""
        return x @ self.weight.T + self.bias


@dataclass(frozen=True, slots=True)
class Layer:
    """Attention of all rows to all, added to them, and a linear map; no activation, no norm."""

    inward: Affine
    outward: Affine
    after: Affine

    def __call__(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the next rows (n, d)."""
        n, d = x.shape
        queries, keys, values = (
            part.reshape(n, HEADS, d // HEADS).transpose(1, 0, 2)
            for part in np.split(self.inward(x), 3, axis=1)
        )
        queries = queries / np.sqrt(d // HEADS)
        mixed = np.empty((n, d))
        step = max(1, _BLOCK // n)
        for head in range(HEADS):
            columns = slice(head * (d // HEADS), (head + 1) * (d // HEADS))
            for start in range(0, n, step):
                rows = slice(start, min(start + step, n))
                logits = queries[head, rows] @ keys[head].T
                logits -= logits.max(axis=1, keepdims=True)
                np.exp(logits, out=logits)
                mixed[rows, columns] = (logits @ values[head]) / logits.sum(axis=1, keepdims=True)
        return self.after(x + self.outward(mixed))


@dataclass(frozen=True, slots=True)
class Network:
    """Layers of attention, and a linear map to one number."""

    layers: tuple[Layer, ...]
    score: Affine

    @property
    def width(self) -> int:
        """How many features it reads."""
        return int(self.score.weight.shape[1])

    def __call__(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the score (n,) of each row of features (n, width), in float64."""
        x = features
        for layer in self.layers:
            x = layer(x)
        scores: NDArray[np.float64] = self.score(x)[:, 0]
        return scores


def network_of(state: Mapping[str, NDArray[Any]]) -> Network:
    """Return the network of a checkpoint.

    Raises:
        KeyError, ValueError: tensors are missing, or of shapes that do not fit.
    """
    state = {name.removeprefix("module."): value for name, value in state.items()}
    score = _affine(state, "linear.weight", "linear.bias")
    d = score.weight.shape[1]
    many = sum(name.startswith("linears.") and name.endswith(".weight") for name in state)
    layers = tuple(_layer(state, number) for number in range(many))
    parts = [part for layer in layers for part in (layer.inward, layer.outward, layer.after)]
    shapes = [part.weight.shape for part in parts]
    if (
        not many
        or d % HEADS
        or score.weight.shape != (1, d)
        or shapes != [(3 * d, d), (d, d), (d, d)] * many
    ):
        raise ValueError("the shapes of its tensors do not fit")
    return Network(layers, score)


def _layer(state: Mapping[str, NDArray[Any]], number: int) -> Layer:
    attention = f"multihead_attns.{number}"
    return Layer(
        _affine(state, f"{attention}.in_proj_weight", f"{attention}.in_proj_bias"),
        _affine(state, f"{attention}.out_proj.weight", f"{attention}.out_proj.bias"),
        _affine(state, f"linears.{number}.weight", f"linears.{number}.bias"),
    )


def _affine(state: Mapping[str, NDArray[Any]], weight: str, bias: str) -> Affine:
    matrix, offset = state[weight].astype(np.float64), state[bias].astype(np.float64)
    if matrix.ndim != 2 or offset.shape != matrix.shape[:1]:
        raise ValueError(f"{weight} is {matrix.shape} and {bias} {offset.shape}")
    return Affine(matrix, offset)
