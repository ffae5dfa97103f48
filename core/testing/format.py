"""Checks for data set formats."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

from ig4.core.contracts import Format
from ig4.core.errors import DatasetError
from ig4.core.extras import KEY, flat
from ig4.core.records import JSON, Image, ImagePart, Record, Turn
from ig4.core.testing.check import Check, checks_from, fail, opened, require
from ig4.core.testing.component import component_checks
from ig4.core.testing.samples import make_picture

Make = Callable[[], Format]
MakeDataset = Callable[[Path], Path]


def format_checks(make: Make, make_dataset: MakeDataset, target: str) -> list[Check]:
    """Return the checks of a format.

    `make_dataset(folder)` writes a data set of at least two records, each with an image,
    into an empty folder and returns the path a user would give. `target` is the name, below
    a folder, that `write` is called with ("out.json", or "out" for a folder).
    """
    return component_checks(make) + checks_from(
        check_detects_its_own,
        check_leaves_other_files_to_others,
        check_sources_are_files_that_exist,
        check_records_have_distinct_ids,
        check_records_are_json,
        check_reads_the_same_twice,
        check_reads_lazily,
        check_writes_back_what_it_read,
        check_writes_a_part_in_the_given_order,
        check_writes_records_from_elsewhere,
        check_images_survive_writing,
        check_records_name_other_images,
        check_extras_stand_beside_the_records,
        check_endings_are_those_it_writes,
        check_image_names_stay_below_the_target,
        check_missing_path_is_a_dataset_error,
        check_truncated_file_is_a_dataset_error_or_read,
        given=(make, make_dataset, target),
    )


def check_detects_its_own(make: Make, make_dataset: MakeDataset, target: str) -> None:
    """A data set in this format is recognised."""
    with TemporaryDirectory() as folder, opened(make) as reader:
        require(reader.detect(make_dataset(Path(folder))) is True, "detect did not return True")


def check_leaves_other_files_to_others(
    make: Make,
    make_dataset: MakeDataset,
    target: str,
) -> None:
    """An empty folder, a text and a picture are not in this format, and raise no error."""
    with TemporaryDirectory() as name, opened(make) as reader:
        folder = Path(name)
        (folder / "empty").mkdir()
        (folder / "notes.md").write_text("# Notes\n\nNothing here.\n", encoding="utf-8")
        (folder / "dot.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(64))
        for other in ("empty", "notes.md", "dot.png"):
            require(reader.detect(folder / other) is False, f"detect accepted {other}")


def check_sources_are_files_that_exist(
    make: Make,
    make_dataset: MakeDataset,
    target: str,
) -> None:
    """`sources` names the files whose change means reading again."""
    with TemporaryDirectory() as folder, opened(make) as reader:
        sources = reader.sources(make_dataset(Path(folder)))
        require(len(sources) > 0, "there are no sources")
        absent = [str(source) for source in sources if not source.is_file()]
        require(not absent, f"sources that are not files: {', '.join(absent)}")


def check_records_have_distinct_ids(
    make: Make,
    make_dataset: MakeDataset,
    target: str,
) -> None:
    """Every record has an id of its own, turns and images."""
    records, _ = _read(make, make_dataset)
    ids = [record.id for record in records]
    require(all(isinstance(id_, str) and id_ for id_ in ids), f"an id is not text, or empty: {ids}")
    require(len(set(ids)) == len(ids), f"two records share an id: {ids}")
    require(all(record.turns for record in records), "a record has no turns")
    require(all(record.images for record in records), "a record has no image")


def check_records_are_json(make: Make, make_dataset: MakeDataset, target: str) -> None:
    """`raw` and the header are JSON, as they are stored."""
    records, header = _read(make, make_dataset)
    for record in records:
        require(record.raw is not None, f"record {record.id} has no raw")
        require(json.loads(json.dumps(record.raw)) == record.raw, f"{record.raw} is not JSON")
    require(json.loads(json.dumps(header)) == header, f"the header {header} is not JSON")


def check_reads_the_same_twice(make: Make, make_dataset: MakeDataset, target: str) -> None:
    """Reading changes nothing, and keeps the order of the data set."""
    with TemporaryDirectory() as folder, opened(make) as reader:
        path = make_dataset(Path(folder))
        require(list(reader.read(path)) == list(reader.read(path)), "a second reading differs")


def check_reads_lazily(make: Make, make_dataset: MakeDataset, target: str) -> None:
    """`read` gives an iterator, so that memory need not grow with the data set."""
    with TemporaryDirectory() as folder, opened(make) as reader:
        records = reader.read(make_dataset(Path(folder)))
        require(iter(records) is records, "read gave a list, not an iterator")
        list(records)


def check_writes_back_what_it_read(make: Make, make_dataset: MakeDataset, target: str) -> None:
    """Exporting everything gives back the records that came in, JSON-equal."""
    records, header = _read(make, make_dataset)
    again, header_again = _write_and_read(make, records, target, header)
    require([r.raw for r in again] == [r.raw for r in records], "the records changed")
    require(header_again == header, f"the header {header} became {header_again}")


def check_writes_a_part_in_the_given_order(
    make: Make, make_dataset: MakeDataset, target: str
) -> None:
    """A selection is written best first, not in data-set order."""
    records, header = _read(make, make_dataset)
    part = records[::-1][:2]
    again, _ = _write_and_read(make, part, target, header)
    require([r.raw for r in again] == [r.raw for r in part], "the order or the records changed")


def check_writes_records_from_elsewhere(
    make: Make,
    make_dataset: MakeDataset,
    target: str,
) -> None:
    """Records of another format are made from their turns and images."""
    foreign = _foreign(make)
    again, _ = _write_and_read(make, foreign, target, None)
    answers = [record.turns[-1].text for record in again]
    require(answers == [r.turns[-1].text for r in foreign], f"the answers became {answers}")
    require([len(r.images) for r in again] == [1, 1, 1], "images were lost")


def check_images_survive_writing(make: Make, make_dataset: MakeDataset, target: str) -> None:
    """Images read back are those that were written: the same bytes, or the same paths.

    A format with `embeds_images` gets bytes also of a data set whose images are files.
    """
    foreign = _foreign(make)
    again, _ = _write_and_read(make, foreign, target, None)
    for record, written in zip(again, foreign, strict=True):
        for image, given in zip(record.images, written.images, strict=True):
            if isinstance(given, bytes):
                require(
                    isinstance(image, bytes) and len(image) > 0,
                    f"record {written.id} was given the bytes of an image, and reads {image!r:.40}",
                )
                require(image == given, f"the bytes of the image of record {written.id} changed")
            else:
                require(image == given, f"the image {given!r} became {image!r:.80}")


def check_records_name_other_images(make: Make, make_dataset: MakeDataset, target: str) -> None:
    """`with_images` gives a record's images other names, or None where it cannot."""
    records, header = _read(make, make_dataset)
    named = []
    with opened(make) as writer:
        for number, record in enumerate(records):
            images = tuple(
                image if isinstance(image, bytes)
                else writer.image_name(Record(f"new-{number}", record.turns, ()), index, ".jpg")
                for index, image in enumerate(record.images)
            )  # fmt: skip
            raw = writer.with_images(record, images, header)
            if raw is not None:
                named.append(Record(record.id, record.turns, images, raw))
    again, _ = _write_and_read(make, named, target, header)
    for record, wanted in zip(again, named, strict=True):
        require(
            record.images == wanted.images,
            f"the images {wanted.images!r:.200} became {record.images!r:.200}",
        )
        require(record.turns == wanted.turns, f"the turns of {wanted.id} changed")


def check_extras_stand_beside_the_records(
    make: Make, make_dataset: MakeDataset, target: str
) -> None:
    """Extras are where `carries_extras` says, and samples read as they do without them."""
    records, header = _read(make, make_dataset)
    for given, around in ((records, header), (_foreign(make), None)):
        with opened(make) as writer:
            place = writer.carries_extras(around)
        if place is None:
            continue
        require(place in ("key", "columns"), f"carries_extras returned {place!r}")
        extras = [_extras_of(number) for number in range(len(given))]
        told = [one._replace(extras=more) for one, more in zip(given, extras, strict=True)]
        plain, _ = _write_and_read(make, given, target, around)
        again, _ = _write_and_read(make, told, target, around)
        for one, other, more in zip(plain, again, extras, strict=True):
            same = (one.id, one.turns, one.images) == (other.id, other.turns, other.images)
            require(same, f"the sample {one.id} reads otherwise with extras: {other!r:.200}")
            require(other.problem is None, f"{one.id} has a problem with extras: {other.problem}")
            _require_extras(other.raw, more, place)


def _extras_of(number: int) -> dict[str, JSON]:
    """Return extras as an export has them; one value in three is missing."""
    value = None if number == 1 else number + 0.5
    return {
        "rank": number + 1,
        "cluster": None if number == 2 else number,
        "group": "a kind",
        "final": value,
        "scores": {"clip": value, "rank": 7.5},
        "percents": {"clip": value},
    }


def _require_extras(raw: JSON, extras: Mapping[str, JSON], place: str) -> None:
    if place == "key":
        require(
            isinstance(raw, dict) and raw.get(KEY) == extras, f"{extras} is not in {raw!r:.200}"
        )
        return
    for name, value in flat(extras).items():
        found = raw.get(name) if isinstance(raw, dict) else None
        empty = value is None and found in (None, "")
        same = empty or str(found) == str(value)
        require(same, f"the column {name} holds {found!r}, and {value!r} was written")


def check_endings_are_those_it_writes(make: Make, make_dataset: MakeDataset, target: str) -> None:
    """`suffixes` has the ending of the target; a target without one fits any format."""
    suffixes, ending = make().suffixes, Path(target).suffix.lower()
    require(
        suffixes is None or not ending or ending in suffixes,
        f"{target} ends in {ending}, and suffixes are {suffixes}",
    )
    require(
        all(one.startswith(".") and one == one.lower() for one in suffixes or ()),
        f"suffixes are lower case and begin with a dot: {suffixes}",
    )


def check_image_names_stay_below_the_target(
    make: Make,
    make_dataset: MakeDataset,
    target: str,
) -> None:
    """Images get distinct relative names that stay below the target."""
    records, _ = _read(make, make_dataset)
    with opened(make) as writer:
        names = [writer.image_name(r, i, ".webp") for r in records for i in range(len(r.images))]
        outside = writer.image_name(
            Record("../../etc/passwd", (Turn("assistant", "x"),), ("a.png",)), 0, ".png"
        )
    require(len(set(names)) == len(names), f"two images share a name: {names}")
    for name in [*names, outside]:
        steps = name.split("/")
        require(
            "\\" not in name and ".." not in steps and steps[0] != "",
            f"{name!r} is not below the target",
        )


def check_missing_path_is_a_dataset_error(
    make: Make,
    make_dataset: MakeDataset,
    target: str,
) -> None:
    """The error for a path that does not exist names it."""
    with TemporaryDirectory() as folder, opened(make) as reader:
        path = Path(folder) / f"absent-{target}"
        require(reader.detect(path) is False, "detect accepted a path that does not exist")
        try:
            list(reader.read(path))
        except DatasetError as error:
            require(path.name in str(error), f"the message does not name {path.name}: {error}")
        else:
            fail("reading a path that does not exist raised nothing")


def check_truncated_file_is_a_dataset_error_or_read(
    make: Make,
    make_dataset: MakeDataset,
    target: str,
) -> None:
    """A file cut short raises DatasetError, or yields the whole records; never another error."""
    for share in (0.0, 0.4, 0.9):
        with TemporaryDirectory() as folder, opened(make) as reader:
            path = make_dataset(Path(folder))
            source = max(reader.sources(path), key=lambda file: file.stat().st_size)
            content = source.read_bytes()
            source.write_bytes(content[: int(len(content) * share)])
            try:
                list(reader.read(path))
            except DatasetError as error:
                require(bool(str(error)), "the error has no message")


def _foreign(make: Make) -> list[Record]:
    """Return records of another format, with one image each as the engine gives them."""
    with opened(make) as writer:
        records = []
        for number in range(3):
            picture = BytesIO()
            make_picture(number).save(picture, "PNG")
            turns = (
                Turn("user", "What is this?"),
                Turn("assistant", f'"No. {number}", ünder\na tree'),
            )
            bare = Record(str(number), turns, (f"images/{number}.jpg",))
            image = writer.image_name(bare, 0, ".jpg")
            records.append(bare._replace(
                images=(picture.getvalue() if writer.embeds_images else image,)
            ))  # fmt: skip
        return records


def _read(make: Make, make_dataset: MakeDataset) -> tuple[list[Record], object]:
    with TemporaryDirectory() as folder, opened(make) as reader:
        path = make_dataset(Path(folder))
        records = [_whole(record) for record in reader.read(path)]
        require(len(records) > 1, "make_dataset must write at least two records")
        return records, reader.header(path)


def _write_and_read(
    make: Make, records: list[Record], target: str, header: object
) -> tuple[list[Record], object]:
    """Write records, and read them back."""
    with TemporaryDirectory() as folder, opened(make) as writer:
        path = Path(folder) / target
        writer.write(iter(records), path, header)
        return [_whole(record) for record in writer.read(path)], writer.header(path)


def _whole(record: Record) -> Record:
    """Return a record with the bytes of images that are parts of files, which an export gives."""
    images = [
        Image(None, source=image.file, part=image.place).read()
        if isinstance(image, ImagePart)
        else image
        for image in record.images
    ]
    return record._replace(images=tuple(images))
