"""The promise of every format: whatever was read is written back, and reads the same."""

import csv
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ig4.core.records import Record, Turn
from ig4.plugins.formats.csv import Csv
from ig4.plugins.formats.hf import HuggingFace
from ig4.plugins.formats.jsonl import JsonLines
from ig4.plugins.formats.llava import Llava
from ig4.plugins.formats.minigpt4 import MiniGPT4
from ig4.plugins.formats.parquet import Parquet
from ig4.plugins.formats.sharegpt import ShareGPT

from .wholes import whole

pytestmark = pytest.mark.slow

quickly = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=12)  # lone surrogates, too
STORABLE = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3),
    max_leaves=6,
)
IDS = JUNK | st.integers(0, 99) | ANY_TEXT


def turns(role, text):
    speaker = st.sampled_from(["human", "gpt", "user", "assistant", "system"]) | JUNK
    said = ANY_TEXT.map(lambda t: "<image>\n" + t) | ANY_TEXT | JUNK
    return st.lists(st.fixed_dictionaries({role: speaker, text: said}) | JUNK, max_size=4)


def records(**fields):
    """Objects with some of these fields, in any order and among others, or anything at all."""
    known = st.fixed_dictionaries({}, optional=fields)
    extra = st.dictionaries(ANY_TEXT, JUNK, max_size=2)
    mixed = st.builds(
        lambda a, b, first: {**b, **a} if first else {**a, **b}, known, extra, st.booleans()
    )
    return st.lists(mixed | JUNK, min_size=1, max_size=5)


CAPTIONS = records(image_id=IDS, caption=ANY_TEXT | JUNK)
LLAVA = records(
    id=IDS,
    image=ANY_TEXT | st.lists(ANY_TEXT, max_size=3) | JUNK,
    conversations=turns("from", "value") | JUNK,
)
PARTS = st.fixed_dictionaries(
    {"type": st.sampled_from(["text", "image_url"]) | JUNK, "value": JUNK}
)
SHAREGPT = records(
    id=IDS,
    messages=turns("role", "content") | JUNK
    | st.lists(st.fixed_dictionaries({"role": st.just("user"), "content": st.lists(PARTS)})),
    conversations=turns("from", "value"),
    images=st.lists(ANY_TEXT, max_size=3) | JUNK,
    system=ANY_TEXT | JUNK,
)  # fmt: skip
FLAT = records(id=IDS, image=JUNK | ANY_TEXT, question=JUNK | ANY_TEXT, answer=JUNK | ANY_TEXT)


def read_and_written(form, source, target):
    """Return the records read, and those read after writing them by way of JSON text."""
    before = [whole(record) for record in form.read(source)]
    stored = [Record(r.id, r.turns, r.images, json.loads(json.dumps(r.raw))) for r in before]
    form.write(iter(stored), target, json.loads(json.dumps(form.header(source))))
    return before, [whole(record) for record in form.read(target)]


@pytest.mark.parametrize("ending", [".json", ".jsonl"])
@pytest.mark.parametrize(
    ("cls", "strategy"), [(Llava, LLAVA), (ShareGPT, SHAREGPT), (JsonLines, FLAT)]
)
def test_json_records(tmp_path, cls, strategy, ending):
    @quickly
    @given(strategy)
    def check(raws):
        source, target = tmp_path / f"in{ending}", tmp_path / f"out{ending}"
        marks = ("[", ",", "]") if ending == ".json" else ("", "\n", "\n")
        source.write_text(marks[0] + marks[1].join(map(json.dumps, raws)) + marks[2])
        before, after = read_and_written(cls(cls.Options()), source, target)
        assert [record.raw for record in before] == raws
        assert after == before
        assert json.dumps([r.raw for r in after]) == json.dumps(raws)  # order and number types

    check()


@quickly
@given(CAPTIONS, st.dictionaries(ANY_TEXT, JUNK, max_size=3), st.booleans())
def test_minigpt4(tmp_path, raws, beside, first):
    whole = {"annotations": raws, **beside} if first else {**beside, "annotations": raws}
    whole["annotations"] = raws
    (tmp_path / "in.json").write_text(json.dumps(whole))
    before, after = read_and_written(
        MiniGPT4(MiniGPT4.Options()), tmp_path / "in.json", tmp_path / "out.json"
    )
    assert after == before
    assert json.dumps(json.loads((tmp_path / "out.json").read_text("utf-8"))) == json.dumps(whole)


@quickly
@given(st.dictionaries(ANY_TEXT, JUNK, min_size=1, max_size=5))
def test_an_object_of_answers(tmp_path, whole):
    (tmp_path / "in.json").write_text(json.dumps(whole))
    before, after = read_and_written(
        JsonLines(JsonLines.Options()), tmp_path / "in.json", tmp_path / "out.json"
    )
    assert after == before
    assert json.dumps(json.loads((tmp_path / "out.json").read_text("utf-8"))) == json.dumps(whole)


@quickly
@given(
    st.lists(STORABLE, max_size=3),
    st.lists(st.lists(STORABLE, min_size=1, max_size=6), max_size=5),
    st.sampled_from([",", ";", "\t", "|"]),
    st.sampled_from(["\n", "\r\n"]),
)
def test_csv(tmp_path, extra_columns, rows, delimiter, line_end):
    with (tmp_path / "in.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(
            file, delimiter=delimiter, lineterminator=line_end, quoting=csv.QUOTE_ALL
        )
        writer.writerows([["id", "caption", *extra_columns], *rows])
    form = Csv(Csv.Options(delimiter=delimiter))
    before, after = read_and_written(form, tmp_path / "in.csv", tmp_path / "out.csv")
    assert after == before
    assert [r.raw if isinstance(r.raw, list) else list(r.raw.values()) for r in after] == rows


SCALARS = {
    pa.int64(): st.integers(-(2**63), 2**63 - 1),
    pa.float64(): st.floats(allow_nan=False),
    pa.string(): STORABLE,
    pa.binary(): st.binary(max_size=5),
    pa.bool_(): st.booleans(),
    pa.timestamp("ns"): st.integers(-(2**62), 2**62),
    pa.struct([("bytes", pa.binary()), ("path", pa.string())]): st.fixed_dictionaries(
        {"bytes": st.none() | st.binary(max_size=5), "path": st.none() | STORABLE}
    ),
}


@st.composite
def tables(draw):
    """Tables with a caption and up to four other columns, one of them perhaps of images."""
    n = draw(st.integers(1, 4))
    columns = {
        "caption": pa.array(
            draw(st.lists(st.none() | STORABLE, min_size=n, max_size=n)), pa.string()
        )
    }
    names = st.sampled_from(["id", "image", "images", "question", "messages", "other", "ä.b"])
    for name in draw(st.sets(names, max_size=4)):
        kind = draw(st.sampled_from(list(SCALARS)))
        values = st.none() | SCALARS[kind]
        if draw(st.booleans()):
            kind, values = pa.list_(kind), st.none() | st.lists(values, max_size=3)
        columns[name] = pa.array(draw(st.lists(values, min_size=n, max_size=n)), kind)
    return pa.table(columns)


@quickly
@given(tables())
def test_parquet(tmp_path, table):
    pq.write_table(table, tmp_path / "in.parquet")
    before, after = read_and_written(
        Parquet(Parquet.Options()), tmp_path / "in.parquet", tmp_path / "out.parquet"
    )
    assert after == before
    assert pq.read_table(tmp_path / "out.parquet").equals(pq.read_table(tmp_path / "in.parquet"))


@quickly
@given(tables())
def test_hf(tmp_path, table):
    folder = tmp_path / "in"
    folder.mkdir(exist_ok=True)
    with (
        pa.OSFile(str(folder / "data.arrow"), "wb") as file,
        pa.ipc.new_stream(file, table.schema) as s,
    ):
        s.write_table(table)
    (folder / "state.json").write_text('{"_data_files": [{"filename": "data.arrow"}]}')
    before, after = read_and_written(HuggingFace(HuggingFace.Options()), folder, tmp_path / "out")
    assert after == before
    with pa.ipc.open_stream(
        (tmp_path / "out" / "data-00000-of-00001.arrow").read_bytes()
    ) as stream:
        assert stream.read_all().equals(table)


@pytest.mark.parametrize(
    ("cls", "name"), [(Csv, "out.csv"), (Parquet, "out.parquet"), (HuggingFace, "out")]
)
def test_a_text_that_only_json_can_hold_stops_no_table(tmp_path, cls, name):
    said = (Turn("user", "?\ud800"), Turn("assistant", "cut \ud83d"))
    records = [Record("a", said), Record("b", said * 2)]
    form = cls(cls.Options())
    form.write(records, tmp_path / name)
    again = list(form.read(tmp_path / name))
    assert [turn.text for turn in again[0].turns] == ["??", "cut ?"]
    assert len(again[1].turns) == 4
