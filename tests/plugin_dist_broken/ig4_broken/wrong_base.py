"""Declares a scorer that does not inherit from Scorer."""

from ig4.core.hookspecs import hookimpl
from ig4.core.records import Component


class Shout:
    """Scores, but is no Scorer."""

    def score(self, batch):
        """Give every sample 1."""
        return [1.0 for _ in batch]


@hookimpl
def ig4_components() -> list[Component]:
    """Declare it all the same."""
    return [Component("scorer", "shout", "ig4_broken.wrong_base:Shout", "Rates by loudness.")]
