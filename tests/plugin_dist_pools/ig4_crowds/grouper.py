"""Groups samples by the first word of their questions."""

from __future__ import annotations

import numpy as np

from ig4.core.contracts import Grouper, Groups, Needs, Pool


class FirstWord(Grouper):
    """One group for each first word, by name."""

    version = "1"

    def needs(self) -> Needs:
        """The texts."""
        return Needs(samples=True)

    def group(self, pool: Pool) -> Groups:
        """Return the group of each sample; names are sorted, so that no order of rows matters."""
        words = [(sample.instruction.lower().split() or ["(none)"])[0] for sample in pool.samples]
        names = sorted(set(words))
        place = {name: n for n, name in enumerate(names)}
        return Groups(tuple(names), np.array([place[word] for word in words], dtype=np.int64))
