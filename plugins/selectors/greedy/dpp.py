"""Determinantal point process: the rows whose vectors span the greatest volume, greedily."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

KernelName: TypeAlias = Literal["cosine", "shifted-cosine", "rbf"]

_LEAST = 1e-10  # a row that adds less volume than this share of its own adds none


@dataclass(frozen=True, slots=True)
class DppPicks:
    """Rows (size,) in order, the log of the volume that each added, and in which round.

    A kernel of rank r has no more than r rows with a volume; the next ones make a new round, with
    those before forgotten. Rows without any volume come last, with gain -inf, in round -1.
    """

    rows: NDArray[np.int64]
    gains: NDArray[np.float64]
    rounds: NDArray[np.int64]


class Kernel:
    """L = diag(q) S diag(q): quality q (n,) > 0, and how alike rows are (n, d, any length)."""

    def __init__(
        self,
        unit: NDArray[np.float32],
        quality: NDArray[np.float64],
        name: KernelName,
        gamma: float = 1.0,
    ) -> None:
        self.n, d = unit.shape
        self.rank = {"cosine": d, "shifted-cosine": d + 1, "rbf": self.n}[name]
        self.quality = quality
        # Rounding must not decide: without quality all rows add the same at first.
        points = unit.astype(np.float64)
        lengths = np.sqrt(np.einsum("ij,ij->i", points, points))
        self._points = points / np.where(lengths > 0, lengths, 1.0)[:, None]
        self._squares = (lengths > 0).astype(np.float64)
        self._name = name
        self._gamma = gamma

    def diagonal(self) -> NDArray[np.float64]:
        """Return L_ii, (n,)."""
        alike = {
            "cosine": self._squares,
            "shifted-cosine": (1 + self._squares) / 2,
            "rbf": np.ones(self.n),
        }[self._name]
        own: NDArray[np.float64] = self.quality**2 * alike
        return own

    def row(self, row: int) -> NDArray[np.float64]:
        """Return L_ij for one i, (n,)."""
        alike = np.einsum("ij,j->i", self._points, self._points[row])
        if self._name == "shifted-cosine":
            alike = (1 + alike) / 2
        elif self._name == "rbf":
            apart = np.maximum(self._squares + self._squares[row] - 2 * alike, 0)
            alike = np.exp(-self._gamma * apart)
        weighted: NDArray[np.float64] = self.quality[row] * self.quality * alike
        return weighted


def determinantal(kernel: Kernel, size: int) -> DppPicks:
    """Take `size` rows, each the one that adds most to log det L_S; ties go to the lower row.

    The fast greedy algorithm of Chen et al. 2018 (Algorithm 1): n x size multiplications a step,
    and min(size, rank) x n float64 of memory.
    """
    free = np.ones(kernel.n, dtype=bool)
    rows: list[int] = []
    gains: list[float] = []
    rounds: list[int] = []
    number = 0
    while len(rows) < size:
        took = _round(kernel, size - len(rows), free)
        if not took:
            break
        for row, gain in took:
            rows.append(row)
            gains.append(gain)
            rounds.append(number)
        number += 1
    rest = np.flatnonzero(free)
    rest = rest[np.argsort(-kernel.quality[rest], kind="stable")][: size - len(rows)]
    return DppPicks(
        np.array([*rows, *rest.tolist()], dtype=np.int64),
        np.array([*gains, *[-np.inf] * len(rest)], dtype=np.float64),
        np.array([*rounds, *[-1] * len(rest)], dtype=np.int64),
    )


def _round(kernel: Kernel, size: int, free: NDArray[np.bool_]) -> list[tuple[int, float]]:
    """Take up to `size` free rows as long as they add volume; `free` loses them."""
    own = kernel.diagonal()
    volume = np.where(free, own, -np.inf)
    factors = np.empty((min(size, kernel.rank), kernel.n))
    took: list[tuple[int, float]] = []
    while len(took) < len(factors):
        row = int(np.argmax(volume))
        if not volume[row] > _LEAST * own[row]:
            break
        done = factors[: len(took)]
        root = np.sqrt(volume[row])
        new = (kernel.row(row) - np.einsum("ti,t->i", done, done[:, row])) / root
        factors[len(took)] = new
        took.append((row, float(np.log(volume[row]))))
        free[row] = False
        volume -= new**2
        volume[row] = -np.inf
    return took
