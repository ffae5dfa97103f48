"""Groups by data set, for several that are pooled."""

from __future__ import annotations

from ig4.core.contracts import Grouper, Groups, Needs, Options, Pool
from ig4.core.texts import one_line
from ig4.plugins.groupers.joining import grouped


class DatasetGrouper(Grouper):
    """The name of the data set that a sample belongs to."""

    version = "1"
    Options = Options

    def needs(self) -> Needs:
        """See `Grouper.needs`."""
        return Needs(meta=True)

    def group(self, pool: Pool) -> Groups:
        """See `Grouper.group`."""
        names = (meta.get("dataset") for meta in pool.meta)
        keys = ((one_line(str(name)),) if name else () for name in names)
        return grouped(keys, 1, "unknown data set")
