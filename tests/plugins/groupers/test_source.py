"""Groups by what the data set tells: meta, folders, fields of records."""

import pytest

from ig4.core.errors import UsageError
from ig4.plugins.groupers.auto import AutoGrouper, telling_folder
from ig4.plugins.groupers.dataset import DatasetGrouper
from ig4.plugins.groupers.jsonpath import parse_path, values_at
from ig4.plugins.groupers.source import SourceGrouper

from .pools import group, names_of, sample, sizes


def source(samples=(), meta=(), **options):
    """Return the groups of the source grouper."""
    return group(SourceGrouper(SourceGrouper.Options(**options)), samples, meta)


def test_sources_are_groups_and_small_ones_a_rest():
    meta = [{"source": "gqa"}] * 30 + [{"source": "vg"}] * 19 + [{}] * 5
    assert sizes(source(meta=meta)) == {"gqa": 30, "rest (groups under 20)": 19, "no source": 5}


def test_auto_takes_the_source_else_the_task_else_the_folder():
    both = [{"source": "gqa", "task": "vqa", "folder": "f"}, {"task": "caption", "folder": "g"}]
    assert names_of(source(meta=both, min_size=1)) == ["gqa", "no source"]
    tasks = [{"task": "vqa", "folder": "f"}, {"folder": "g"}]
    assert names_of(source(meta=tasks, min_size=1)) == ["vqa", "no task"]
    assert names_of(source(meta=[{"folder": "f"}, {}], min_size=1)) == ["f", "no folder"]


def test_a_key_that_no_sample_has_is_an_error_that_says_what_is_there():
    with pytest.raises(UsageError, match="tells no 'kind' of its samples: what it tells is folder"):
        source(meta=[{"folder": "f", "turns": 1}], key="kind")


def test_a_data_set_that_tells_nothing_is_an_error_that_names_form():
    with pytest.raises(UsageError, match=r"neither source nor task.*group by form"):
        source(meta=[{"turns": 1}])


def test_a_path_leads_into_the_record():
    samples = [
        sample(("Q?", "a"), record={"metadata": {"kind": kind}})
        for kind in ("chart", "chart", 7, True, None, {"x": 1})
    ]
    found = source(samples, key="$.metadata.kind", min_size=1)
    none = "no $.metadata.kind"
    assert names_of(found) == ["chart", "chart", "7", "true", none, none]


def test_a_path_to_each_of_a_list_gives_several_groups():
    samples = [
        sample(("Q?", "a"), record={"tags": tags}) for tags in (["x", "y"], ["y", "y"], [], ["z"])
    ]
    found = source(samples, key="$.tags[*]", min_size=1)
    assert sizes(found) == {"y": 2, "no $.tags[*]": 1, "x": 1, "z": 1}
    assert names_of(found) == ["x", "y", "no $.tags[*]", "z"]
    starts, ids = found.members
    assert starts.tolist() == [0, 2, 3, 4, 5]
    assert [found.names[n] for n in ids.tolist()] == ["x", "y", "y", "no $.tags[*]", "z"]


def test_several_small_groups_of_a_sample_are_one_rest():
    samples = [sample(("Q?", "a"), record={"tags": ["x", "y"]})]
    found = source(samples, key="$.tags[*]", min_size=2)
    assert sizes(found) == {"rest (groups under 2)": 1}


def test_a_path_that_matches_nothing_says_what_is_there():
    samples = [sample(("Q?", "a"), record={"id": 1, "metadata": {"split": "x"}})]
    with pytest.raises(UsageError, match=r"leads to no text.*where it ends, is the keys split"):
        source(samples, key="$.metadata.kind")
    with pytest.raises(UsageError, match="the keys id, metadata"):
        source(samples, key="$.kind")
    with pytest.raises(UsageError, match="is no path into a record"):
        source(samples, key="$metadata")


def test_paths_may_quote_keys_and_count_from_the_end():
    record = {"a key": [{"b": 1}, {"b": 2}]}
    assert list(values_at(record, parse_path('$["a key"][-1].b'))) == [2]
    assert list(values_at(record, parse_path("$['a key'][*].b"))) == [1, 2]
    assert list(values_at(record, parse_path("$['a key'][5].b"))) == []


def test_a_source_that_is_called_like_the_rest_stays_apart():
    meta = [{"source": "no source"}] * 20 + [{}] * 20 + [{"source": "x"}] * 20
    assert len(source(meta=meta).names) == 3


def test_names_are_short_and_on_one_line():
    meta = [{"source": "two\nlines"}, {"source": "x" * 100}]
    first, second = names_of(source(meta=meta, min_size=1))
    assert first == "two lines"
    assert len(second) == 60


def auto(meta, **options):
    """Return the groups of the auto grouper, of samples that ask for color or number."""
    asked = ("what color is it?", "how many are there?")
    samples = [sample((asked[n % 2], "2")) for n in range(len(meta))]
    return group(AutoGrouper(AutoGrouper.Options(**options)), samples, meta)


def test_auto_groups_by_sources_that_cover_the_data_set():
    meta = [{"source": "gqa"}] * 60 + [{"source": "vg"}] * 36 + [{}] * 4
    assert sizes(auto(meta)) == {"gqa": 60, "vg": 36, "no source": 4}


@pytest.mark.parametrize(
    "meta",
    [
        [{"source": "gqa"}] * 100,
        [{"source": "gqa"}] * 85 + [{"source": "vg"}] * 15,
        [{"source": "gqa"}] * 50 + [{"source": "vg"}] * 40 + [{}] * 10,
        [{"folder": "coco/train2017"}] * 50 + [{"folder": "coco/val2017"}] * 50,
    ],
    ids=["one", "a small one", "ninety percent", "splits alone"],
)
def test_auto_groups_by_form_where_sources_tell_too_little(meta):
    assert sizes(auto(meta)) == {"how many": 50, "what color": 50}


def test_auto_takes_folders_and_knows_samples_without_an_image():
    meta = [{"folder": "coco/train2017", "images": 1}] * 50 + [{"images": 0}] * 50
    assert sizes(auto(meta)) == {"coco": 50, "no image": 50}


@pytest.mark.parametrize(
    ("folder", "part"),
    [
        ("coco/train2017", ("coco",)),
        ("images/gqa", ("gqa",)),
        ("train\\vg\\VG_100K", ("vg",)),
        ("00012", ()),
        ("ab/cd", ()),
        ("image", ()),
        ("val2014", ()),
    ],
)
def test_the_folder_that_tells_is_no_split_and_no_shard(folder, part):
    assert telling_folder(folder) == part


def test_data_sets_are_groups():
    meta = [{"dataset": "a"}, {"dataset": "b"}, {"dataset": "a"}, {}]
    grouper = DatasetGrouper(DatasetGrouper.Options())
    assert names_of(group(grouper, meta=meta)) == ["a", "b", "a", "unknown data set"]
