"""How many samples a scorer failed on, and how many have no image that it could score."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ig4.core.records import NO_IMAGE
from ig4.storage import scores

if TYPE_CHECKING:
    from sqlalchemy import Connection


class FailureCount(NamedTuple):
    """Samples that a component failed on, and others that it has nothing to say of.

    Where it has no value for any sample, all have failed: it was the wrong one to ask.
    """

    failed: int
    without_image: int = 0


def count_failures(connection: Connection, dataset_id: int, component_id: int) -> FailureCount:
    """Return how many samples of a data set a component failed on, and how many have no image."""
    errors = scores.count_errors(connection, dataset_id, component_id)
    if not errors:
        return FailureCount(0)
    imageless = scores.count_errors(connection, dataset_id, component_id, NO_IMAGE)
    if not imageless or not scores.has_values(connection, dataset_id, component_id):
        return FailureCount(errors)
    return FailureCount(errors - imageless, imageless)
