"""The contract of groupers, which tell the kinds of samples that a mixture is made of."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from ig4.core.contracts.needs import Needs
from ig4.core.contracts.root import Configurable

if TYPE_CHECKING:
    from ig4.core.contracts.pool import Groups, Pool


class Grouper(Configurable):
    """Sorts samples into groups that have names: sources, forms of questions, clusters of texts."""

    def needs(self) -> Needs:
        """Return what `group` reads of the pool, with these options; by default texts and meta."""
        return Needs(samples=True, meta=True)

    @abstractmethod
    def group(self, pool: Pool) -> Groups:
        """Return the group of each row of the pool.

        Equal pools give equal groups, whatever the order of the rows; `names` do not repeat.

        Raises:
            UsageError: the pool does not allow what the options ask for.
        """
