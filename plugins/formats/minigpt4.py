"""MiniGPT-4's stage-two data: `filter_cap.json` with captions beside `image/<id>.jpg`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path

from ig4.core.contracts import Format
from ig4.core.contracts.format import ExtrasPlace
from ig4.core.extras import in_object
from ig4.core.files.formats import require_not_empty
from ig4.core.files.reading import jsonstream
from ig4.core.files.reading.encodings import first_text
from ig4.core.files.shards import shard_of
from ig4.core.files.writing.atomic import replacing
from ig4.core.records import JSON, Record, Turn
from ig4.plugins.formats import names
from ig4.plugins.formats.jsonrecords import dump_json, open_text
from ig4.plugins.formats.options import TextOptions
from ig4.plugins.formats.records.imagefields import shown
from ig4.plugins.formats.records.meta import with_meta
from ig4.plugins.formats.records.objects import record_of_other
from ig4.plugins.formats.records.turns import id_remarks, record_id, text_of_role, with_key_remark
from ig4.plugins.formats.splits import one_dataset

FILE = "filter_cap.json"
KEY = "annotations"
_LIST = re.compile(r'"annotations"\s*:\s*\[|^\s*\[')
_IMAGE = re.compile(r"image/(.+)\.jpg", re.DOTALL)
_FIRST = re.compile(r'"image_id"[^{}]*"caption"\s*:|"caption"[^{}]*"image_id"\s*:')


class MiniGPT4(Format):
    """Records are {"image_id", "caption"}; the image is always image/<image_id>.jpg.

    `path` is the folder or the JSON file (in a folder there may be shards of it instead), in
    which the records stand under "annotations" (a bare list is read, too). They carry no
    instruction. Records made from another format keep the first image only, and the caption is
    all answers, joined by newlines; an id that is no safe file name is replaced, as image_id
    names the file.
    """

    Options = TextOptions
    options: TextOptions
    version = "2"
    suffixes = (".json",)

    def detect(self, path: Path) -> bool:
        """See `Format.detect`."""
        files = _files(path) if path.is_dir() else [path]
        text = first_text(files[0]) if files else ""
        found = _LIST.search(text)
        if found is None or not text.lstrip().startswith(("{", "[")):
            return False
        return bool(_FIRST.search(text, found.end()))

    def sources(self, path: Path) -> list[Path]:
        """Return the JSON file of a data set, or its shards.

        Raises:
            DatasetError: there is none.
        """
        require_not_empty(path)
        return one_dataset(path, _files(path), None, FILE) if path.is_dir() else [path]

    def header(self, path: Path) -> JSON:
        """Return the (first) file's object with its "annotations" empty; [] for a bare list."""
        file = self.sources(path)[0]
        if jsonstream.layout(file) == "list":
            return []
        return jsonstream.outline(file, KEY, self.options.encoding)

    def read(self, path: Path) -> Iterator[Record]:
        """See `Format.read`. A record without a caption comes without turns."""
        items = chain.from_iterable(map(self._items, self.sources(path)))
        for row, raw in enumerate(items):
            yield with_key_remark(with_meta(self._record(raw, row), raw), raw)

    def _items(self, file: Path) -> Iterator[JSON]:
        if jsonstream.layout(file) == "list":
            return jsonstream.list_items(file, self.options.encoding)
        return jsonstream.nested_items(file, KEY, self.options.encoding)

    def _record(self, raw: JSON, row: int) -> Record:
        if not isinstance(raw, dict):
            return record_of_other(raw, row, self.options.instruction)
        caption, image_id = raw.get("caption"), raw.get("image_id")
        name = record_id(image_id, row)
        images = () if image_id is None else (f"image/{image_id}.jpg",)
        if image_id is not None and id_remarks(image_id):
            return Record(name, (), (), raw, f"its image_id is {shown(image_id)}, which is no id")
        if not isinstance(caption, str):
            problem = None if caption is None else f"its caption is {shown(caption)}, not a text"
            return Record(name, (), images, raw, problem)
        turns = (Turn("user", self.options.instruction), Turn("assistant", caption))
        return Record(name, turns, images, raw)

    def image_folder(self, path: Path) -> Path:
        """See `Format.image_folder`; also right for a target not written yet."""
        return names.target_folder(path)

    def image_name(self, record: Record, index: int, suffix: str) -> str:
        """Return image/<id>.jpg whatever the file holds: MiniGPT-4 opens no other name."""
        own = record.images[index] if index < len(record.images) else None
        if record.raw is not None and isinstance(own, str) and names.is_safe_path(own):
            return own
        return f"image/{_stem(record.id, index)}.jpg"

    def with_images(
        self, record: Record, images: Sequence[str | bytes], header: JSON = None
    ) -> JSON:
        """See `Format.with_images`: the image_id names the image, so it changes, too."""
        image = images[0] if len(images) == 1 else None
        if not isinstance(record.raw, dict) or not isinstance(image, str):
            return None
        found = _IMAGE.fullmatch(image)
        return None if found is None else {**record.raw, "image_id": found[1]}

    def carries_extras(self, header: JSON = None) -> ExtrasPlace | None:
        """See `Format.carries_extras`."""
        return "key"

    def write(self, records: Iterable[Record], target: Path, header: JSON = None) -> None:
        """See `Format.write`. A target without an ending is a folder for filter_cap.json."""
        encoding = self.options.encoding
        outline = {KEY: []} if header is None else header
        with (
            replacing(names.target_file(target, FILE)) as partial,
            open_text(partial, encoding) as file,
        ):
            for piece in self._pieces(records, outline):
                file.write(piece)

    def _pieces(self, records: Iterable[Record], outline: JSON) -> Iterator[str]:
        if not isinstance(outline, dict):
            yield from self._list(records)
            yield "\n"
            return
        for number, (key, value) in enumerate(outline.items()):
            yield ("{" if number == 0 else ",") + f"\n{dump_json(key, self.options.encoding)}: "
            if key == KEY:
                yield from self._list(records)
            else:
                yield dump_json(value, self.options.encoding)
        yield "\n}\n"

    def _list(self, records: Iterable[Record]) -> Iterator[str]:
        separator = "["
        for record in records:
            raw = in_object(_raw(record), record.extras)
            yield f"{separator}\n{dump_json(raw, self.options.encoding)}"
            separator = ","
        yield "[]" if separator == "[" else "\n]"


def _files(folder: Path) -> list[Path]:
    """Return filter_cap.json, or else the shards of one."""
    if (folder / FILE).is_file():
        return [folder / FILE]
    stem = FILE.removesuffix(".json")
    shards = ((shard_of(file), file) for file in folder.iterdir())
    return [
        file for shard, file in shards if shard and (shard.name, shard.suffix) == (stem, ".json")
    ]


def _raw(record: Record) -> JSON:
    if record.raw is not None:
        return record.raw
    if not record.turns and not record.images:
        return None  # nothing in it: it was a null
    image = record.images[0] if record.images else None
    found = _IMAGE.fullmatch(image) if isinstance(image, str) else None
    name = _stem(record.id, 0) if found is None else found[1]
    return {"image_id": name, "caption": text_of_role(record, "assistant")}


def _stem(name: str, index: int) -> str:
    return names.safe_stem(name) + (f"-{index}" if index else "")
