"""Finds and digests the images of a benchmark's items."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ig4.core.contracts.evaluation import Item
from ig4.core.counts import counted
from ig4.core.engine.ingesting.paths import ImageRoots
from ig4.core.errors import DatasetError, UsageError
from ig4.core.events import StageAdvanced, StageFinished, StageStarted
from ig4.core.files.images.decode import ImageError
from ig4.core.records import Image

if TYPE_CHECKING:
    from ig4.core.engine.session import Session

STAGE = "images"
_READERS = 8


@dataclass(frozen=True, slots=True)
class ItemImages:
    """For each item: its image as it is now, its sha256, and why the image is missing.

    An item without an image has none, an empty digest and no problem; one whose image cannot
    be read has the problem as its digest, so that a file put back is another input.
    """

    images: Sequence[Image | None]
    digests: Sequence[str]
    problems: Sequence[str | None]


def item_images(
    session: Session, items: Sequence[Item], folder: Path | None, allowed: Path | None
) -> ItemImages:
    """Find and digest the images of items below `folder`, the benchmark's, or the one allowed.

    Raises:
        UsageError: items have images, and there is no folder to look for them in.
        DatasetError: none of the images is there.
    """
    names = list(dict.fromkeys(item.image for item in items if item.image is not None))
    if not names:
        return ItemImages([None] * len(items), [""] * len(items), [None] * len(items))
    home = folder or allowed
    if home is None:
        raise UsageError("the questions are about images: say where they are with --image-root")
    roots = ImageRoots(home, allowed)
    by_name = dict(zip(names, _read(session, names, roots), strict=True))
    if all(problem is not None for _, _, problem in by_name.values()):
        where = home if allowed in (None, home) else f"{allowed} nor {home}"
        raise DatasetError(
            f"none of the {counted(len(names), 'image')} is in {where} (the first is {names[0]!r}: "
            f"{by_name[names[0]][2]}): say where they are with --image-root"
        )
    states = [
        (None, "", None) if item.image is None else by_name[item.image] for item in items
    ]  # fmt: skip
    return ItemImages(
        [image for image, _, _ in states],
        [digest for _, digest, _ in states],
        [problem for _, _, problem in states],
    )


_State = tuple[Image | None, str, str | None]


def _read(session: Session, names: Sequence[str], roots: ImageRoots) -> list[_State]:
    images = [roots.image(name) for name in names]
    states: list[_State] = []
    session.emit(StageStarted(STAGE, len(names), "images"))
    with ThreadPoolExecutor(_READERS) as readers:
        for state in readers.map(_digest, images):
            states.append(state)
            session.emit(StageAdvanced(STAGE, 1, int(state[2] is not None)))
    session.emit(StageFinished(STAGE))
    return states


def _digest(image: Image) -> _State:
    try:
        found = image.digest()
    except ImageError as error:
        return None, str(error), str(error)
    return replace(image, sha256=found), found, None
