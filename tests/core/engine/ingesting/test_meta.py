"""What a data set tells of a sample is stored, and read back with what its images tell."""

import io
import json

from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from ig4.core.engine.ingesting.meta import MOST_KEYS, folder_of, meta_of, stored_meta
from ig4.core.engine.scoring.samples import sample_of
from ig4.storage import samples

from ...conftest import record

values = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.text())


def stored(session):
    """Return the samples of the data set, as scorers and groupers see them."""
    with session.store.reading() as connection:
        dataset = session.dataset()
        rows = list(samples.stream(connection, dataset.id))
    return [sample_of(row, dataset=dataset.name, raw=True) for row in rows]


def test_a_sample_has_what_the_record_and_its_image_tell(session, folder, read):
    picture = io.BytesIO()
    Image.new("RGB", (6, 4)).save(picture, "png")
    train = folder.path.parent / "coco" / "train"
    train.mkdir(parents=True)
    (train / "1.png").write_bytes(picture.getvalue())
    folder.write({**record("a", "one"), "image": "coco/train/1.png", "source": "vqav2"})
    read()
    (sample,) = stored(session)
    assert sample.meta == {
        "source": "vqav2", "folder": "coco/train", "width": 6, "height": 4, "images": 1,
        "turns": 1, "dataset": session.dataset().name,
    }  # fmt: skip
    assert sample.record["source"] == "vqav2"


def test_a_record_that_tells_nothing_stores_null(session, folder, read):
    folder.write(record("a", "one"))
    read()
    with session.store.reading() as connection:
        (row,) = samples.stream(connection, session.dataset().id)
    assert row.meta is None
    assert sample_of(row).meta == {"dataset": "set", "images": 0, "turns": 1}
    assert sample_of(row).record is None


def test_a_sample_whose_source_alone_changed_is_updated_and_keeps_its_content(
    session, folder, read
):
    folder.write({**record("a", "one"), "source": "old"})
    read()
    with session.store.reading() as connection:
        before = samples.ordered_ids(connection, session.dataset().id)
    folder.write({**record("a", "one"), "source": "another"})
    read()
    with session.store.reading() as connection:
        after = samples.ordered_ids(connection, session.dataset().id)
    assert stored(session)[0].meta["source"] == "another"
    assert [part.tolist() for part in after] == [part.tolist() for part in before]


@given(st.dictionaries(st.text(), values, max_size=2 * MOST_KEYS))
def test_whatever_a_format_gives_is_stored_as_json_of_plain_values(meta):
    text = stored_meta(meta)
    if text is None:
        return
    found = json.loads(text)
    assert 0 < len(found) <= MOST_KEYS
    assert all(isinstance(value, (str, bool, int, float)) for value in found.values())
    text.encode("utf-8")


def test_one_and_true_stay_apart():
    assert stored_meta({"n": 1}) == '{"n": 1}'
    assert stored_meta({"n": True}) == '{"n": true}'


def test_the_folder_is_that_of_the_name_as_it_is_written():
    assert folder_of("coco/train2017/1.jpg") == "coco/train2017"
    assert folder_of("coco\\train\\1.jpg") == "coco\\train"
    assert folder_of("1.jpg") is None


def test_a_damaged_text_tells_nothing():
    row = samples.SampleRow(1, "a", 1, "", "", None, "{}", None, meta="{")
    assert meta_of(row, 1) == {"images": 0, "turns": 1}
