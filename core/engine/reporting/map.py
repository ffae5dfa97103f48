"""The map of a data set: each sample's place in two dimensions, so that alike samples are near."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ig4.core.engine.pooling.spaces import space_vectors
from ig4.core.errors import Ig4Error, UsageError
from ig4.core.records import Choice
from ig4.storage import clusters, spaces

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from ig4.core.engine.reporting.view import SelectionView
    from ig4.core.engine.session import Session

METHODS = ("pca", "tsne")
"""The embedders of ig4 that make maps; any other that gives two numbers does, too."""

WITHOUT_MODEL = "text"
"""The space that every data set can have, from which a map is made where there is no other."""

_MOST_TEXTS = 200_000


@dataclass(frozen=True, slots=True)
class SampleMap:
    """Where samples lie: `coordinates` (n, 2) float32, NaN for a sample without a vector.

    `space` is what was laid out and `method` how; `digest` is of all that they depend on.
    """

    coordinates: NDArray[np.float32]
    space: str
    method: str
    digest: str


def selection_map(
    session: Session, view: SelectionView, *, method: str = "pca", space: str | None = None
) -> SampleMap | None:
    """Return the map of a data set, made once and kept beside the database; None if it has none.

    By default of the space that the clusters were made in, else of one that is there.

    Raises:
        UsageError: the space or the method is not there, or does not give two numbers.
        MissingExtraError: the method needs a library that is not installed.
    """
    quiet = session.quiet()
    quiet.host.validate(Choice("embedder", method, {"space": space or WITHOUT_MODEL}))
    if space is not None:
        return _laid_out(quiet, view, method, space)
    why: Ig4Error | None = None
    for name in _usual_spaces(quiet, view):
        try:
            return _laid_out(quiet, view, method, name)
        except Ig4Error as error:
            why = error  # vectors of some samples are missing: the next space may be whole
    if why is not None and method != METHODS[0]:
        raise why  # it was asked for; without the usual one, a page does
    return None


def _laid_out(session: Session, view: SelectionView, method: str, space: str) -> SampleMap:
    label = f"{method} of {space}".replace(",", " + ").replace("=", " x ")  # names one space
    choice = Choice("embedder", method, {"space": space}, label)
    found = space_vectors(
        session, view.dataset, label, {label: choice}, view.sample_ids, view.contents
    )
    if found is None or found.vectors.shape[1] != 2:
        raise UsageError(
            f"{method} does not lay {space} out in two dimensions: `--map pca` does, and `tsne`"
        )
    return SampleMap(found.matrix(), space, method, found.digest)


def _usual_spaces(session: Session, view: SelectionView) -> Iterator[str]:
    with session.store.reading() as connection:
        known = [row.name for row in spaces.list_all(connection, view.dataset.id)]
        made = view.clustering and clusters.settings_of(connection, view.clustering.id)
    clustered = made and (made.get("space") or (made.get("embedder") or {}).get("label"))
    rest = sorted(known, key=lambda name: (name != "clip", name))
    yield from dict.fromkeys(name for name in (clustered, *rest) if name)
    if len(view) <= _MOST_TEXTS:
        yield WITHOUT_MODEL
