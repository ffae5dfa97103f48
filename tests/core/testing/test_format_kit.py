"""The kit for formats finds those that lose images; the engine gives them what they declare."""

from __future__ import annotations

import base64
import json
import textwrap
from io import BytesIO

import pytest

from ig4.core.contracts import Format
from ig4.core.errors import DatasetError
from ig4.core.records import Record, Turn
from ig4.core.testing import ConformanceError
from ig4.core.testing.format import format_checks
from ig4.core.testing.samples import make_picture


class Shards(Format):
    """A third party's: lines with the images in base64, and one line of text before them."""

    embeds_images = True
    suffixes = (".shard",)

    def detect(self, path):
        return path.suffix == ".shard" and path.is_file() and path.stat().st_size > 0

    def sources(self, path):
        return [path]

    def read(self, path):
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
            for line in lines:
                row = json.loads(line)
                images = tuple(base64.b64decode(one) for one in row.pop("images"))
                turns = (Turn("user", row["q"]), Turn("assistant", row["a"]))
                yield Record(row["id"], turns, images, row)
        except (OSError, ValueError) as error:
            raise DatasetError(f"{path} cannot be read: {error}") from None

    def image_name(self, record, index, suffix):
        from ig4.core.files.writing.names import safe_stem

        return f"images/{safe_stem(record.id)}-{index}{suffix}"

    def images_of(self, record):
        return [base64.b64encode(image).decode() for image in record.images]

    def write(self, records, target, header=None):
        with target.open("w", encoding="utf-8") as file:
            for record in records:
                raw = record.raw or {
                    "id": record.id, "q": record.turns[0].text, "a": record.turns[-1].text,
                }  # fmt: skip
                file.write(json.dumps({**raw, "images": self.images_of(record)}) + "\n")


class Empty(Shards):
    """Writes images only if they are paths, and others as nothing."""

    def images_of(self, record):
        return ["" for _ in record.images]


class Sloppy(Shards):
    def images_of(self, record):
        return [base64.b64encode(image[:-1]).decode() for image in record.images]


class Misnamed(Shards):
    suffixes = ("json",)


def dataset(folder):
    picture = BytesIO()
    make_picture(3).save(picture, "PNG")
    image = base64.b64encode(picture.getvalue()).decode()
    rows = [{"id": str(n), "q": "what?", "a": f"a{n}", "images": [image]} for n in range(2)]
    (folder / "in.shard").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder / "in.shard"


def failing(cls):
    said = {}
    for check in format_checks(lambda: cls(cls.Options()), dataset, "out.shard"):
        try:
            check()
        except ConformanceError as error:
            said[check.name] = str(error)
    return said


def test_a_good_format_passes():
    assert failing(Shards) == {}


@pytest.mark.parametrize(
    ("cls", "check", "told"),
    [
        (Empty, "images_survive_writing", "was given the bytes of an image, and reads b''"),
        (Sloppy, "images_survive_writing", "bytes of the image of record 0 changed"),
        (Misnamed, "endings_are_those_it_writes", "suffixes are"),
    ],
)
def test_one_that_loses_images_does_not(cls, check, told):
    assert told in failing(cls)[check]


def test_a_format_of_a_third_party_gets_the_bytes_of_images_that_are_files(tmp_path, monkeypatch):
    import inspect
    import sys

    from ig4.core.engine.exporting.export import ExportTarget, export
    from ig4.core.engine.ingesting.ingest import DatasetSource, ingest
    from ig4.core.engine.session import Session
    from ig4.core.host.host import Host
    from ig4.storage.store import Store

    site = tmp_path / "site"
    (site / "shardy").mkdir(parents=True)
    (site / "shardy" / "__init__.py").write_text(
        textwrap.dedent("""\
            from ig4.core.hookspecs import hookimpl
            from ig4.core.records import Component

            @hookimpl
            def ig4_components():
                return [Component("format", "shards", "shardy.format:Shards")]
        """)
    )
    head = "import base64, json\nfrom ig4.core.contracts import Format\n"
    head += (
        "from ig4.core.errors import DatasetError\nfrom ig4.core.records import Record, Turn\n\n"
    )
    (site / "shardy" / "format.py").write_text(head + inspect.getsource(Shards))
    info = site / "shardy-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: shardy\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[ig4]\nshardy = shardy\n")
    monkeypatch.syspath_prepend(site)
    (tmp_path / "set").mkdir()
    make_picture(5).save(tmp_path / "set" / "a.png")
    talk = [{"from": "human", "value": "<image>\nWhat?"}, {"from": "gpt", "value": "A box."}]
    records = [{"id": "a", "image": "a.png", "conversations": talk}]
    (tmp_path / "set" / "llava.json").write_text(json.dumps(records))
    try:
        with Store.open(tmp_path / "ig4.db") as store:
            session = Session(store, Host.discover())
            made = ingest(session, DatasetSource(tmp_path / "set" / "llava.json")).dataset
            done = export(session, made, ExportTarget(tmp_path / "out.shard"))
            assert (done.format, done.inside, done.images) == ("shards", 1, 1)
            row = json.loads((tmp_path / "out.shard").read_text())
            content = (tmp_path / "set" / "a.png").read_bytes()
            assert base64.b64decode(row["images"][0]) == content
            again = ingest(session, DatasetSource(tmp_path / "out.shard", name="again")).dataset
            back = export(session, again, ExportTarget(tmp_path / "back.json", format="llava"))
            assert back.copied == 1
    finally:
        for name in [name for name in sys.modules if name.split(".")[0] == "shardy"]:
            del sys.modules[name]
