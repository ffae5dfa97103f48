"""Finds and digests the images of a benchmark's items."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ig4.core.contracts.evaluation import Item
from ig4.core.engine.ingesting.paths import ImageRoots
from ig4.core.errors import DatasetError, UsageError
from ig4.core.events import StageAdvanced, StageFinished, StageStarted

if TYPE_CHECKING:
    from ig4.core.engine.session import Session

STAGE = "images"
_READERS = 8


@dataclass(frozen=True, slots=True)
class ItemImages:
    """For each item: its image's path, the sha256 of the file, and why the image is missing.

    An item without an image has no path, an empty digest and no problem; one whose image cannot
    be read has the problem as its digest, so that a file put back is another input.
    """

    paths: Sequence[Path | None]
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
            f"none of the {len(names):,} images is in {where} (the first is {names[0]!r}: "
            f"{by_name[names[0]][2]}): say where they are with --image-root"
        )
    states = [
        (None, "", None) if item.image is None else by_name[item.image] for item in items
    ]  # fmt: skip
    return ItemImages(
        [path for path, _, _ in states],
        [digest for _, digest, _ in states],
        [problem for _, _, problem in states],
    )


_State = tuple[Path | None, str, str | None]


def _read(session: Session, names: Sequence[str], roots: ImageRoots) -> list[_State]:
    located = [roots.locate(name) for name in names]
    states: list[_State] = []
    session.emit(StageStarted(STAGE, len(names), "images"))
    with ThreadPoolExecutor(_READERS) as readers:
        for state in readers.map(_digest, names, located):
            states.append(state)
            session.emit(StageAdvanced(STAGE, 1, int(state[2] is not None)))
    session.emit(StageFinished(STAGE))
    return states


def _digest(name: str, located: tuple[str | None, str | None]) -> _State:
    path, problem = located
    if path is None:
        problem = problem or "the image has no file"
        return None, problem, problem
    try:
        with Path(path).open("rb") as file:
            return Path(path), hashlib.file_digest(file, "sha256").hexdigest(), None
    except FileNotFoundError:
        problem = f"{name}: the image file is missing"
    except (OSError, ValueError) as error:
        problem = f"{name}: the image cannot be read ({getattr(error, 'strerror', None) or error})"
    return None, problem, problem
