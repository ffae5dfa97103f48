"""Broken records: each becomes a record with turns or one with a problem, and none an error."""

import json
import random
from pathlib import Path

import pytest

from ig4.core.contracts import Format
from ig4.core.errors import DatasetError
from ig4.core.records import Record
from ig4.plugins.formats.csv import Csv
from ig4.plugins.formats.jsonl import JsonLines
from ig4.plugins.formats.llava import Llava
from ig4.plugins.formats.minigpt4 import MiniGPT4
from ig4.plugins.formats.options import ColumnOptions
from ig4.plugins.formats.records import columns
from ig4.plugins.formats.records.conversations import read_conversation, usual_turns
from ig4.plugins.formats.records.imagefields import ImageField
from ig4.plugins.formats.records.making import make_record
from ig4.plugins.formats.records.speakers import USUAL_SPEAKERS
from ig4.plugins.formats.sharegpt import ShareGPT

from .mutations import WHOLE, mutated, torn

CLASSES = [Llava, ShareGPT, JsonLines]
HERE = Path(__file__).parent


def is_sound(record: Record, raw: object) -> bool:
    """Tell whether a record is what the engine takes: nothing lost, nothing out of its place."""
    return (
        record.raw is raw
        and bool(record.id)
        and (bool(record.turns) or record.problem is not None)
        and all(isinstance(turn.role, str) and isinstance(turn.text, str) for turn in record.turns)
        and all(image and isinstance(image, (str, bytes)) for image in record.images)
        and all(len(one) < 300 for one in (record.problem or "", *record.remarks))
        and (record.places is None or len(record.places) == len(record.images))
        and all(0 <= at <= len(record.turns[n].text) for n, at in record.places or ())
    )


def read(reader: Format, file: Path) -> tuple[list[Record], str | None]:
    """Return the records up to the first error, and that error."""
    found = []
    try:
        found += reader.read(file)
    except DatasetError as error:
        return found, str(error)
    return found, None


@pytest.mark.parametrize("cls", CLASSES)
def test_every_broken_record_is_read_or_has_a_problem(cls):
    rng = random.Random(11)
    parse = cls(cls.Options()).parser(HERE / "mutations.py")
    unsound = [
        raw for raw in (mutated(rng) for _ in range(400)) if not is_sound(parse(raw, 0), raw)
    ]
    assert unsound == []


def test_the_fast_way_for_usual_conversations_reads_the_same():
    rng = random.Random(13)
    values = [record.get("conversations") for record in WHOLE] * 3
    values += [record["conversations"] for record in map(mutated, [rng] * 2000)
               if isinstance(record, dict) and "conversations" in record]  # fmt: skip
    fast = 0
    for value in values:
        for images in (ImageField(), ImageField(("a.png",))):
            turns = usual_turns(value, len(images.refs))
            slow = make_record("1", read_conversation(value), images, None, "?", marked=True)
            if turns is not None:
                fast += 1
                assert slow == Record("1", turns, images.refs)
    assert fast > 20


def test_the_fast_way_for_usual_pairs_reads_the_same(monkeypatch):
    rng = random.Random(14)
    texts = ["What?", "It.", "", " ", "<image>\nWhat?", "a < b", None, 3, ["a", "b"], "<video>"]
    keys = ["instruction", "answer", "input", "system", "history", "messages", "images"]
    rows = [{key: rng.choice(texts) for key in keys if rng.random() < 0.4} for _ in range(6000)]
    rows += [{"question": "What?", "answer": "It.", "image": image} for image in ("a.png", None)]
    read = JsonLines(JsonLines.Options()).parser(HERE / "mutations.py")
    fast = [read(row, n) for n, row in enumerate(rows)]
    took = [columns._usual_turns(row, columns.find_columns(row, ColumnOptions()), 0, USUAL_SPEAKERS)
            for row in rows]  # fmt: skip
    monkeypatch.setattr(columns, "_usual_turns", lambda *_: None)
    assert fast == [read(row, n) for n, row in enumerate(rows)]
    assert sum(turns is not None for turns in took) > 20


@pytest.mark.parametrize("cls", [*CLASSES, MiniGPT4, Csv])
def test_a_torn_file_is_read_or_says_where(cls, tmp_path):
    rng = random.Random(12)
    reader = cls(cls.Options())
    endings = {Csv: ".csv", MiniGPT4: ".json"}
    for _ in range(60):
        records = [mutated(rng) for _ in range(4)]
        lines = rng.random() < 0.5 and cls is not MiniGPT4
        text = "\n".join(map(json.dumps, records)) if lines else json.dumps(records)
        file = tmp_path / f"a{endings.get(cls, '.jsonl' if lines else '.json')}"
        file.write_bytes(torn(f"id,answer\n{text}" if cls is Csv else text, rng))
        reader.detect(file)
        found, error = read(reader, file)
        assert all(is_sound(record, record.raw) or not record.turns for record in found)
        assert error is None or (file.name in error and len(error) < 1000)
