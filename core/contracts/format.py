"""The contract of formats, which read a data set into records and write a selection back."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import ClassVar, Literal, TypeAlias

from ig4.core.contracts.root import Configurable
from ig4.core.files.images.names import rename_texts
from ig4.core.records import JSON, Record

ExtrasPlace: TypeAlias = Literal["key", "columns"]
"""Where a format puts what an export writes beside a record."""


class Format(Configurable):
    """Reads a data set into records and writes a selection back."""

    embeds_images: ClassVar[bool] = False
    """Whether the data set contains the images; `write` then gets the bytes of every image.

    Only a record with a `raw` that names an image by its path comes with that path instead.
    """

    suffixes: ClassVar[tuple[str, ...] | None] = None
    """The endings (".json", the usual one first) of the files that `write` makes.

    () means that it makes folders only. An export takes its format from the ending of its target.
    None says nothing: the format is then only used where the user names it, or for a data set of
    this format.
    """

    generic: ClassVar[bool] = False
    """Whether `detect` accepts any file of its kind (any CSV); it is tried after other formats."""

    @abstractmethod
    def detect(self, path: Path) -> bool:
        """Tell from the names and the first bytes whether `path` is in this format."""

    @abstractmethod
    def sources(self, path: Path) -> Sequence[Path]:
        """Return the files that hold the records; unchanged files are not read again."""

    @abstractmethod
    def read(self, path: Path) -> Iterator[Record]:
        """Stream the records in data-set order; memory must not grow with their number.

        Every record comes out: what cannot be understood in one is its `problem`.

        Raises:
            DatasetError: the data set cannot be read; names file, line and column.
        """

    def header(self, path: Path) -> JSON:
        """Return what the data set holds beside its records, JSON-able; `write` gets it."""
        return None

    def image_folder(self, path: Path) -> Path:
        """Return the folder that relative image paths start from."""
        return path if path.is_dir() else path.parent

    @abstractmethod
    def image_name(self, record: Record, index: int, suffix: str) -> str:
        """Return the path below the target, with "/", at which this format wants an image.

        `suffix` is the image's own ending with its dot (".jpg").
        """

    @abstractmethod
    def write(
        self, records: Iterable[Record], target: Path, header: JSON = None
    ) -> Sequence[str] | None:
        """Write records to `target`, which may have another folder than the user named.

        A record whose `raw` is not None was read by this very format and is written as it
        was; for any other, the record is made from turns and images (paths below the target, as
        they are given: `image_name` is what was asked for, not always what is had). Nothing is
        written outside the target: for a folder inside it, for a file beside it at most.

        Returns sentences for the user, counts included, on what is not written as it was; None or
        empty where all is.
        """

    def read_along(self, target: Path, written: Path) -> Sequence[Path]:
        """Return the files at a target that a reader would take for parts of what was `written`.

        That is what an earlier export left there and this one does not replace. An export is then
        refused. Formats that write one file leave nothing.
        """
        return ()

    def describe(self, target: Path, header: JSON = None) -> dict[str, JSON] | None:
        """Return what a reader has to be told of what `write` makes; None if nothing.

        It is an entry of a dataset_info.json as LLaMA-Factory has it, `file_name` included, which
        an export then writes into `image_folder`.
        """
        return None

    def carries_extras(self, header: JSON = None) -> ExtrasPlace | None:
        """Return where `write` puts the `extras` of records, with this header; None: nowhere.

        "key": each record is an object, and they are one more key of it, "ig4". "columns": the data
        set is a table, and they are columns, as `ig4.core.extras.flat` names them. What is written
        reads as before: extras are nothing that a sample says or shows.
        """
        return None

    def with_images(
        self, record: Record, images: Sequence[str | bytes], header: JSON = None
    ) -> JSON:
        """Return `record.raw` with these names of its images, and changed in nothing else.

        An export has images of its own, so a record must not name those that it was read with.
        `images` has one for each of `record.images`; bytes stand for one that stays as it is.
        Returns None where that cannot be done: the record is then made from turns and images.
        """
        return rename_texts(record.raw, record, images)
