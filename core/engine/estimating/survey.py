"""Looks through a data set that is not in the database: what is in it, and what scoring takes."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from ig4.core.contracts import Embedder
from ig4.core.counts import counted, verb
from ig4.core.engine.estimating.workload import Workload
from ig4.core.engine.ingesting import origin
from ig4.core.engine.ingesting.ingest import ResolvedSource, resolve_source
from ig4.core.engine.ingesting.reader import DatasetReader
from ig4.core.engine.scoring.estimate import ESTIMATED_FROM, ScoreEstimate, estimate
from ig4.core.engine.session import Session
from ig4.core.errors import DatasetError
from ig4.core.events import StageAdvanced, StageFinished, StageStarted
from ig4.core.files.images.parts import byte_range
from ig4.core.files.opening import only_beneath
from ig4.core.files.reading.parquetcells import is_cell
from ig4.core.files.remote.addresses import is_address
from ig4.core.files.remote.places import opened_place
from ig4.core.records import ImagePart
from ig4.storage import datasets
from ig4.storage.store import Store

if TYPE_CHECKING:
    from ig4.core.contracts import Format
    from ig4.core.engine.ingesting.ingest import DatasetSource
    from ig4.core.engine.ingesting.paths import ImageRoots
    from ig4.core.engine.scoring.plan import ScoreRequest
    from ig4.core.records import Record
    from ig4.storage.datasets import DatasetRow

STAGE = "look through"
_TOLD = 1000


@dataclass(frozen=True, slots=True)
class DatasetSurvey:
    """What a data set holds: records, distinct images and their bytes.

    `missing` images are not where the records say; images inside records count with their bytes.
    `unsized` images are there, but only reading them tells their size: then `image_bytes` is None,
    and `known_bytes` are those of the others.
    """

    name: str
    samples: int
    images: int
    image_bytes: int | None
    missing: int
    unsized: int = 0
    known_bytes: int = 0


def stored(session: Session, source: DatasetSource) -> DatasetRow | None:
    """Return the data set if the database has it as it is now, None if it has to be read.

    Raises:
        DatasetError, UsageError: as `ingest`.
    """
    with _resolved(session, source) as found:
        state = found.state(source.duplicates)
        origin.refuse_mixture(session, found.name)
        origin.refuse_name(session, found.name)
        if not source.replace:
            origin.refuse_other(session, found.name, found.place.text, state)
    with session.store.reading() as connection:
        known = datasets.find(connection, found.name)
    return known if known is not None and known.source_state == state else None


def survey(session: Session, source: DatasetSource) -> DatasetSurvey:
    """Read the records of a data set without storing any; images are not opened.

    Raises:
        DatasetError: the path is missing, in no known format, or cannot be read.
        UsageError: an option is wrong.
    """
    with _resolved(session, source) as found:
        return _survey(session, found)


def _survey(session: Session, found: ResolvedSource) -> DatasetSurvey:
    session.emit(StageStarted(STAGE, None, "records"))
    count = missing = elsewhere = size = 0
    images: set[bytes] = set()
    roots = found.roots
    for record in _records(found, roots):
        count += 1
        for image in record.images:
            key = _image_key(image)
            if key in images:
                continue
            images.add(key)
            length = _length(image, roots)
            missing += length is None
            elsewhere += length == _UNKNOWN
            size += max(0, length or 0)
        if count % _TOLD == 0:
            session.emit(StageAdvanced(STAGE, _TOLD))
    if not count:
        raise DatasetError(f"{found.place.text} holds no records.")
    session.emit(StageFinished(STAGE, counted(count, "record")))
    if missing:
        session.notice(
            f"{counted(missing, 'image')} of {found.name} {verb(missing, 'is', 'are')} not where "
            "the records say, or may not be read from there: their bytes are not counted"
        )
    if elsewhere:
        session.notice(
            f"{counted(elsewhere, 'image')} of {found.name} {verb(elsewhere, 'lies', 'lie')} where "
            "only reading tells the size: their bytes are not counted"
        )
    total = None if elsewhere else size
    return DatasetSurvey(found.name, count, len(images), total, missing, elsewhere, size)


@contextmanager
def _resolved(session: Session, source: DatasetSource) -> Iterator[ResolvedSource]:
    origin.require_names(source.path, source.image_root, source.name)
    with opened_place(source.path) as place:
        found = resolve_source(session, source, place)
        origin.refuse_outside(found.form, place.path, found.roots)
        yield found


def _records(found: ResolvedSource, roots: ImageRoots) -> Iterator[Record]:
    path = found.place.path
    allowed = origin.record_roots(path, roots) if path.is_dir() else None
    stream = iter(found.form.read(path))
    while True:
        with only_beneath(allowed):
            record = next(stream, None)
        if record is None:
            return
        yield record


def _image_key(image: str | bytes | ImagePart) -> bytes:
    if isinstance(image, ImagePart):
        image = f"{image.file}\0{image.place}"
    named = image.encode(errors="surrogatepass") if isinstance(image, str) else image
    return blake2b(named, digest_size=12).digest()


_UNKNOWN = -1


def _length(image: str | bytes | ImagePart, roots: ImageRoots) -> int | None:
    """Return the bytes of an image, None if its file is not there or may not be read.

    _UNKNOWN where only reading it tells: at an address, or in a cell of a table.
    """
    if isinstance(image, bytes):
        return len(image)
    if isinstance(image, ImagePart):
        return _UNKNOWN if is_cell(image.place) else byte_range(image.place).length
    path, _ = roots.locate(image)
    if path is not None and is_address(path):
        return _UNKNOWN
    try:
        return None if path is None else os.stat(path).st_size  # noqa: PTH116 - of a million
    except (OSError, ValueError):
        return None


class _FirstRecords:
    """A format that reads no more than the first records of a data set."""

    def __init__(self, form: Format, count: int) -> None:
        self._form = form
        self._count = count

    def __getattr__(self, name: str) -> Any:
        return getattr(self._form, name)

    def read(self, path: Path) -> Iterator[Record]:
        """Stream the first records."""
        return islice(self._form.read(path), self._count)


def estimate_unstored(
    session: Session,
    source: DatasetSource,
    request: ScoreRequest,
    *,
    devices: int | None = None,
) -> ScoreEstimate:
    """Return what scoring a data set takes that is not in the database, counted as all new.

    All records are counted; the first of them are looked at more closely, in a database of their
    own that is thrown away, and the numbers of the others concluded from these.

    Raises:
        DatasetError, UsageError: as `survey` and `estimate`.
    """
    seen = survey(session, source)
    with tempfile.TemporaryDirectory() as folder, Store.open(Path(folder) / "ig4.db") as store:
        scratch = Session(store, session.host)
        dataset = _ingest_first(scratch, source)
        first = estimate(scratch, dataset, request, devices=devices, experience=session.store)
        return _scaled(scratch, first, seen, request)


def _ingest_first(scratch: Session, source: DatasetSource) -> DatasetRow:
    with _resolved(scratch, source) as found, scratch.recorded("ingest", {}):
        form = cast("Format", _FirstRecords(found.form, ESTIMATED_FROM))
        reader = DatasetReader(scratch, form, found.place, found.roots)
        return reader.read(found.config, "", refuse_duplicates=False).dataset


def _scaled(
    scratch: Session, first: ScoreEstimate, seen: DatasetSurvey, request: ScoreRequest
) -> ScoreEstimate:
    """Conclude from the first records to all."""
    assert first.data is not None
    if seen.samples <= first.samples:
        share = image_share = 1.0
    else:
        share = seen.samples / max(1, first.samples)
        image_share = seen.images / max(1, first.data.images)
    of_images = _image_embedders(scratch, request)
    factors = {name: image_share if name in of_images else share for name in first.calls}
    calls = {name: round(count * factors[name]) for name, count in first.calls.items()}
    seconds = {
        name: None if one is None else one * factors[name] for name, one in first.seconds.items()
    }
    asking = {
        name: replace(
            one,
            requests=round(one.requests * share),
            input_tokens=round(one.input_tokens * share),
            output_tokens=round(one.output_tokens * share),
            cost=None if one.cost is None else one.cost * share,
        )
        for name, one in first.asking.items()
    }
    vectors = {
        name: None if size is None else round(size * factors[name])
        for name, size in first.data.vectors.items()
    }
    reads = first.data.read_images > 0
    data = Workload(
        seen.images,
        seen.image_bytes,
        seen.images if reads else 0,
        seen.image_bytes if reads else 0,
        vectors,
        seen.unsized,
        seen.known_bytes,
    )
    return replace(
        first, dataset=seen.name, samples=seen.samples, calls=calls, seconds=seconds, asking=asking,
        data=data, stored=False,
    )  # fmt: skip


def _image_embedders(scratch: Session, request: ScoreRequest) -> set[str]:
    """Return the names of embedders, as an estimate has them, whose inputs are images."""
    found = set()
    choices = [*request.embedders, *request.spaces]
    for choice in request.scorers:
        component: Any = scratch.host.build(choice, runnable=False)
        own = component.embedder() if hasattr(component, "embedder") else None
        choices += [own] if own is not None else []
    for choice in choices:
        component = scratch.host.build(choice, runnable=False)
        if isinstance(component, Embedder) and component.reads == "image":
            found.add(f"embedder {choice.label}")
    return found
