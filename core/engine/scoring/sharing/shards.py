"""Shares of scoring: `--shard 3/16` computes the third of sixteen parts of what is to be done."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ig4.core.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Shard:
    """The part `number` (from 1 on) of `of` parts, as in `3/16`."""

    number: int
    of: int

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Return the shard that a text names.

        Raises:
            UsageError: it is no K/N with K from 1 to N.
        """
        match = re.fullmatch(r"([0-9]{1,9})/([0-9]{1,9})", text.strip())
        if match is None or not 1 <= int(match[1]) <= int(match[2]):
            raise UsageError(
                f"--shard {text}: write K/N with K from 1 to N, as in 3/16 for the third of "
                "sixteen parts (a job array that counts from 0 has to add 1)"
            )
        return cls(int(match[1]), int(match[2]))

    def parts(self, ordinals: NDArray[np.int64], size: int, units: int) -> NDArray[np.int64]:
        """Return of which part (m,), from 0 on, some units are, by their ordinals.

        A part has whole batches of `size`, side by side, so that its samples share their images
        with few others. The data set has `units`, done or not: what is done changes no part.
        """
        batches = max(1, -(-units // size))
        number: NDArray[np.int64] = ordinals // size * self.of // batches
        return number

    def owns(self, ordinals: NDArray[np.int64], size: int, units: int) -> NDArray[np.bool_]:
        """Return which of some units (m,) are of this part; see `parts`."""
        own: NDArray[np.bool_] = self.parts(ordinals, size, units) == self.number - 1
        return own
