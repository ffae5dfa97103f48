"""NormSim: how close an image lies to a target set, or to the pool itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field, field_validator, model_validator

from ig4.core import contracts
from ig4.core.contracts import Digest, Needs, PoolScorer
from ig4.core.contracts.pool import normalised
from ig4.core.engine.selecting.scaling import share_of_longest
from ig4.core.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ig4.core.contracts import Pool
    from ig4.core.records import JSON

POOL = "pool"
_BLOCK = 1 << 24  # numbers at a time


class NormSimOptions(contracts.Options):
    """Options of the scorer `normsim`."""

    space: str = Field("clip", description="The space of the samples' vectors.")
    target: str = Field(
        POOL,
        min_length=1,
        description="A .npy, .npz, .safetensors or .pt file of target vectors, a row each, of the "
        'same model as the space; or "pool" for the pool itself.',
    )
    p: Literal["2", "inf"] = Field(
        "2", description="The norm: 2 adds up all targets, inf takes the nearest one."
    )

    @field_validator("p", mode="before")
    @classmethod
    def _as_text(cls, value: object) -> object:
        return "2" if value == 2 else value

    @model_validator(mode="after")
    def _nearest_of_others(self) -> NormSimOptions:
        if self.p == "inf" and self.target == POOL:
            raise ValueError(
                'p = "inf" with the pool itself as target is 1 for every sample: name a file of '
                "target vectors, or use the scorer density with k = 1"
            )
        return self


class NormSim(PoolScorer):
    """Wang and others 2024, arXiv 2405.19547: || F_target f_i ||_p over unit vectors."""

    version = "1"
    Options = NormSimOptions
    options: NormSimOptions

    def identity(self, digest: Digest) -> Mapping[str, JSON]:
        """Return the options, with the content of the target file for its path."""
        values = self.options.model_dump(mode="json")
        if self.options.target != POOL:
            values["target"] = digest(Path(self.options.target))
        return values

    def needs(self) -> Needs:
        """Return the space."""
        return Needs(spaces=(self.options.space,))

    def score_pool(self, pool: Pool) -> NDArray[np.float64]:
        """Return the norm (n,) of each row's similarities to the targets.

        With p = 2 it is at most the root of the number of targets, with p = inf at most 1.

        Raises:
            UsageError: the target vectors are of another length.
            PrerequisiteError: the target file is missing or broken.
        """
        vectors = pool.vectors(self.options.space)
        targets = vectors if self.options.target == POOL else self._targets(vectors.shape[1])
        if self.options.p == "2":
            return _root_of_squares(vectors, second_moment(targets))
        return _nearest(vectors, normalised(targets))

    def to_percent(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return 100 x cosine for p = inf, and 100 x share of the greatest for p = 2."""
        return share_of_longest(values) if self.options.p == "2" else 100.0 * values

    def _targets(self, width: int) -> NDArray[np.float32]:
        from ig4.plugins.models.tensorfiles import read_matrix

        targets = read_matrix(Path(self.options.target).expanduser())
        if targets.shape[1] != width:
            raise UsageError(
                f"normsim: vectors of the target {self.options.target} have {targets.shape[1]} "
                f"numbers, and those of the space {self.options.space} {width}: make both with "
                "one model"
            )
        return targets


def second_moment(vectors: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return F^T F (d, d) float64 of vectors (n, d) brought to length 1."""
    total = np.zeros((vectors.shape[1],) * 2)
    for _, unit in _blocks(vectors, vectors.shape[1]):
        total += unit.T @ unit
    return total


def _root_of_squares(
    vectors: NDArray[np.float32], moment: NDArray[np.float64]
) -> NDArray[np.float64]:
    values = np.empty(len(vectors))
    for start, unit in _blocks(vectors, vectors.shape[1]):
        values[start : start + len(unit)] = np.einsum("ij,ij->i", unit @ moment, unit)
    norms: NDArray[np.float64] = np.sqrt(values.clip(min=0.0))
    return norms


def _nearest(vectors: NDArray[np.float32], targets: NDArray[np.float32]) -> NDArray[np.float64]:
    values = np.empty(len(vectors))
    columns = targets.T.astype(np.float64)
    for start, unit in _blocks(vectors, max(len(targets), vectors.shape[1])):
        values[start : start + len(unit)] = np.abs(unit @ columns).max(axis=1)
    return values


def _blocks(vectors: NDArray[np.float32], width: int) -> Iterator[tuple[int, NDArray[np.float64]]]:
    """Yield unit vectors, as many at a time as keep (rows, width) small, and their first row."""
    step = max(1, _BLOCK // width)
    for start in range(0, len(vectors), step):
        yield start, normalised(vectors[start : start + step]).astype(np.float64)
