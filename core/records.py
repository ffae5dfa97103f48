"""The plain values that travel between components of different kinds, and the engine.

The modules in which plugins declare components load this one, so it must load fast: it imports
the standard library alone, neither pydantic nor numpy.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image as Picture

JSON: TypeAlias = Any
"""Any value that `json.loads` returns."""

Kind: TypeAlias = Literal[
    "scorer",
    "embedder",
    "grouper",
    "clusterer",
    "index",
    "selector",
    "recipe",
    "trainer",
    "judge",
    "benchmark",
    "format",
    "executor",
]

API_VERSION = 2
"""The newest version of the component contract that this ig4 supports; it supports all before."""


@dataclass(frozen=True, slots=True)
class Component:
    """A component that a plugin declares: its kind, its name, and where its class is.

    `target` ("package.module:Class") is imported on first use, so that listing components
    never imports their libraries. `requires` names the top-level modules that the class
    imports; `extra` is the extra of the declaring distribution that installs them. `api` is the
    version of the contract that it was written for. `docs` is where it is described: an address,
    or a page of ig4's own documentation ("methods/deita").
    """

    kind: Kind
    name: str
    target: str
    summary: str = ""
    requires: tuple[str, ...] = ()
    extra: str | None = None
    api: int = 1  # not API_VERSION: a plugin that names none was written for the first
    docs: str | None = None


class Turn(NamedTuple):  # a tuple: a million of them are made when a data set is read
    """One turn of a conversation; `role` is "user", "assistant", "system" or "tool"."""

    role: str
    text: str


class ImagePart(NamedTuple):
    """An image that lies inside of a larger file of the data set, such as a shard.

    `place` says where, as `ig4.core.files.images.parts` has it; `name` is what the image is called
    there, one name for one image of the data set. Its bytes stay where they lie.
    """

    file: str
    place: str
    name: str


class Record(NamedTuple):
    """One record of a data set as a format reads it.

    `images` holds paths as the data set writes them, the bytes of embedded images, or the parts of
    files that are images.
    `raw` is the record itself, JSON-equal to what was read (embedded bytes left out), so
    that an export in the same format loses nothing.

    `problem` says why the record is no sample to train on, if the format knows; such a sample is
    stored and counted, and never selected. `remarks` say what else the user should know of it, in
    texts that many records share. `places` holds for each image where it stands: the number of a
    turn, and a position in its text (in characters); None stands for the usual place, before the
    first question. `meta` is what the data set tells of the sample beside its texts and images,
    in the terms of `Sample.meta`. `extras` is what an export writes beside the record, where its
    format can (see `Format.carries_extras`); one that was read has none.
    """

    id: str
    turns: tuple[Turn, ...]
    images: tuple[str | bytes | ImagePart, ...] = ()
    raw: JSON = None
    problem: str | None = None
    remarks: tuple[str, ...] = ()
    places: tuple[tuple[int, int], ...] | None = None
    meta: Mapping[str, JSON] | None = None
    extras: Mapping[str, JSON] | None = None


@dataclass(frozen=True, slots=True)
class Image:
    """One image of a sample: its path, its hash, and how to get its pixels.

    `sha256` is the hex digest of the image's bytes; it is None, and `problem` says why, when it
    could not be read. `roots` are the folders (real paths) that the file may lie in where data
    names it; None for a file that the user named. Of an image that has no file of its own `path`
    is None, and `source` is the address or the file that it is read from; `part` is its place
    inside of that (see `ImagePart`), None for all of it.
    """

    path: Path | None
    sha256: str | None = None
    problem: str | None = None
    loader: Callable[[], Picture] | None = field(default=None, compare=False, repr=False)
    roots: tuple[str, ...] | None = None
    source: str | None = None
    part: str | None = None

    @property
    def is_there(self) -> bool:
        """Whether there is anything to read."""
        return self.path is not None or self.source is not None

    @property
    def name(self) -> str:
        """What messages call it: the name of its file."""
        if self.path is not None:
            return self.path.name
        if self.source is None:
            return "the image"
        name = self.source.partition("?")[0].rstrip("/").rpartition("/")[2]
        return name if self.part is None else f"{name} ({self.part})"

    def pixels(self) -> Picture:
        """Decode the image as RGB.

        Raises:
            ImageError: as `read`, or it cannot be decoded, or has too many pixels.
        """
        if self.loader is not None:
            return self.loader()
        from ig4.core.files.images.decode import decode

        return decode(io.BytesIO(self.read()), self.name)

    def read(self) -> bytes:
        """Return the bytes of the image's file.

        Raises:
            ImageError: the file is missing, unreadable, too large, no regular file, outside of
                `roots`, or holds something else than `sha256` says.
        """
        from ig4.core.files.images.files import read_image

        return read_image(self._source(), self.roots, self.name, self.sha256, self.part)

    @property
    def is_elsewhere(self) -> bool:
        """Whether it has to be fetched: it lies at an address, and the cache does not have it."""
        if self.source is None or self.sha256 is None or "://" not in self.source:
            return False
        from ig4.core.files.remote.images import is_kept

        return not is_kept(self.source, self.part, self.sha256)

    def fetch(self) -> None:
        """Fetch it, if it lies elsewhere, so that `read` need not wait; never fails."""
        if self.source is not None and self.sha256 is not None and self.is_elsewhere:
            from ig4.core.files.images.files import read_ahead

            read_ahead(self.source, self.roots, self.sha256, self.part)

    def digest(self) -> str:
        """Return the sha256 of what the image's file holds now, as hex digits.

        Raises:
            ImageError: as `read`, whatever the file holds.
        """
        from ig4.core.files.images.files import digest, open_image

        with open_image(self._source(), self.roots, self.name, self.part) as file:
            return digest(file).sha256

    def _source(self) -> Path | str:
        from ig4.core.files.images.decode import ImageError

        source = self.path or self.source
        if source is None:
            raise ImageError(self.problem or "the image has no file")
        return source


@dataclass(frozen=True, slots=True)
class Sample:
    """One (image, instruction, answer) sample, as scorers see it.

    For a conversation, `instruction` and `answer` are its user and assistant turns, each
    joined by a newline. `embeddings` is (n_images, d) float32, as the embedder returned them,
    when the scorer names an embedder; else None. `meta` is what the data set tells of the sample:
    `source`, `task`, `split`, `folder` (of its first image), `width` and `height` (of that image,
    in pixels), `images` and `turns` (the numbers of images and of answers), `dataset` (its name);
    a key that is not known is absent. `raw` is the record itself as JSON text, where who reads the
    samples asks for it; `record` is its value.
    """

    id: str
    instruction: str
    answer: str
    turns: tuple[Turn, ...] = ()
    images: tuple[Image, ...] = ()
    embeddings: NDArray[np.float32] | None = field(default=None, compare=False)
    meta: Mapping[str, JSON] = field(default_factory=dict)
    raw: str | None = field(default=None, compare=False, repr=False)

    @property
    def record(self) -> JSON:
        """The record that the sample was read from; None where it is not known."""
        return None if self.raw is None else json.loads(self.raw)


@dataclass(frozen=True, slots=True)
class Score:
    """A scorer's result for one sample: a finite value in the scorer's own unit.

    `outputs` has the further values of a scorer that declares such, by name; one that is left out
    counts as failed.
    """

    value: float
    details: Mapping[str, JSON] | None = None
    outputs: Mapping[str, float] | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """Why one sample could not be scored, in a sentence a user can act on."""

    reason: str


NO_IMAGE = "the sample has no image"
"""The reason of a `Failure` of a text-only sample that a scorer of images is given.

Nothing went wrong there, so ig4 counts these apart from failures."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A component that the user chose by name, with the options to build it with."""

    kind: Kind
    use: str
    options: Mapping[str, JSON] = field(default_factory=dict)
    name: str = ""

    @property
    def label(self) -> str:
        """The name the user gave it: `clip-l` for `[scorers.clip-l] use = "clip"`."""
        return self.name or self.use

    def to_dict(self) -> dict[str, JSON]:
        """Return the choice as a table of `ig4.toml` would say it: its options, and `use`."""
        return {"use": self.use, **self.options}
