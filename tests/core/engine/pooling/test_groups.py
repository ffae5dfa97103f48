"""Groups of a data set: made once of all samples, kept, and made again when something changed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from ig4.core.contracts import Groups
from ig4.core.engine.pooling.groupchecking import checked_groups
from ig4.core.engine.pooling.groups import GroupSources, groups_of
from ig4.core.engine.pooling.storedsamples import PAGE, StoredMeta, StoredSamples
from ig4.core.engine.scoring.plan import ScoreRequest
from ig4.core.engine.scoring.score import score
from ig4.core.errors import PluginError, UsageError
from ig4.core.events import StageAdvanced, StageStarted
from ig4.core.records import Choice
from ig4.storage import samples

from ...conftest import record

FORM = Choice("grouper", "form", {"min_size": 1}, "form")
SOURCE = Choice("grouper", "source", {"min_size": 1}, "source")


@pytest.fixture
def dataset(folder, read):
    folder.write(
        {**record("1", "red", instruction="what color is it?"), "source": "x", "tags": ["a", "b"]},
        {**record("2", "two", instruction="how many are there?"), "source": "y", "tags": ["b"]},
        {**record("3", "blue", instruction="what color is that?"), "source": "y"},
        record("4", "", instruction="what shape is it?"),
    )
    return read().dataset


def ordered(session, dataset):
    with session.store.reading() as connection:
        return samples.ordered_ids(connection, dataset.id)


def grouped(session, dataset, choice, sources=None, rows=None):
    """Return the names of the groups of (some of) the samples."""
    ids, contents = ordered(session, dataset)
    if rows is not None:
        ids, contents = ids[rows], contents[rows]
    return named(groups_of(session, dataset, choice, ids, contents, sources).groups)


def named(groups):
    if groups.members is None:
        return [None if n < 0 else groups.names[n] for n in groups.labels.tolist()]
    starts, ids = groups.members
    rows = zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True)
    return [[groups.names[n] for n in ids[s:e].tolist()] for s, e in rows]


@pytest.fixture
def stages(session):
    """The stages that were started, as they come."""
    found = []
    session.listeners = [
        lambda event: isinstance(event, StageStarted) and found.append(event.stage)
    ]
    return found


def test_of_no_samples_there_are_the_same_groups_without_members(session, dataset):
    ids, contents = ordered(session, dataset)
    none = groups_of(session, dataset, FORM, ids[:0], contents[:0])
    whole = groups_of(session, dataset, FORM, ids, contents)
    assert none.digest == whole.digest
    assert none.groups.names == whole.groups.names
    assert none.groups.labels.tolist() == []


def test_groups_are_made_once(session, dataset, stages):
    names = ["what color", "how many", "what color", "what shape"]
    assert grouped(session, dataset, FORM) == names
    assert grouped(session, dataset, FORM) == names
    assert stages == ["groups form"]


def test_groups_are_those_of_the_whole_data_set_whatever_rows_are_asked_for(session, dataset):
    two = Choice("grouper", "form", {"min_size": 2}, "form")
    assert grouped(session, dataset, two, rows=[2, 1]) == ["what color", "rest (groups under 2)"]


def test_options_and_samples_that_changed_make_groups_anew(session, dataset, stages, folder, read):
    grouped(session, dataset, FORM)
    grouped(session, dataset, Choice("grouper", "form", {"min_size": 2}, "form"))
    folder.write(record("1", "Yes.", instruction="is it red?"))
    changed = read().dataset
    assert grouped(session, changed, FORM) == ["yes/no: is"]
    assert [one for one in stages if one.startswith("groups")] == ["groups form"] * 3


def test_a_record_whose_source_changed_makes_groups_anew(session, dataset, folder, read):
    assert grouped(session, dataset, SOURCE) == ["x", "y", "y", "no source"]
    folder.write(
        *({**record(str(n), "red", instruction="what?"), "source": "other"} for n in range(1, 5))
    )
    assert grouped(session, read().dataset, SOURCE) == ["other"] * 4


def test_of_several_groups_the_largest_comes_first_made_or_read(session, dataset):
    tags = Choice("grouper", "source", {"key": "$.tags[*]", "min_size": 1}, "tags")
    none = ["no $.tags[*]"]
    expected = [["b", "a"], ["b"], none, none]
    for _ in range(2):
        assert sorted(map(sorted, grouped(session, dataset, tags))) == sorted(map(sorted, expected))
    ids, contents = ordered(session, dataset)
    made = groups_of(session, dataset, tags, ids, contents).groups
    assert made.labels.tolist() == made.members[1][made.members[0][:-1]].tolist()


def test_a_product_is_made_from_other_groups(session, dataset, stages):
    product = Choice("grouper", "product", {"of": ["source", "form"], "min_size": 1}, "both")
    sources = GroupSources({"source": SOURCE, "form": FORM})
    found = grouped(session, dataset, product, sources)
    assert found == ["x · what color", "y · how many", "y · what color", "no source · what shape"]
    assert sorted(stages) == ["groups both", "groups form", "groups source"]


def test_a_product_of_itself_is_refused(session, dataset):
    product = Choice("grouper", "product", {"of": ["product", "form"]}, "product")
    with pytest.raises(UsageError, match="made from itself: product from product"):
        grouped(session, dataset, product, GroupSources({"product": product}))


def test_clusters_of_a_space_leave_out_what_has_no_vector(session, dataset, folder, read):
    folder.write(*(record(str(n), "x", instruction=t) for n, t in enumerate(("aa", "cc", "ca"))),
                 record("9", "x", instruction="z"))  # fmt: skip
    changed = read().dataset
    score(session, changed, ScoreRequest((), spaces=[Choice("embedder", "letters")]))
    clusters = Choice("grouper", "clusters", {"space": "letters", "k": 3}, "clusters")
    found = grouped(session, changed, clusters)
    assert found[3] is None  # z is refused
    assert sorted(found[:3]) == ["cluster 0", "cluster 1", "cluster 2"]


def test_missing_vectors_and_clusters_name_the_command(session, dataset):
    with pytest.raises(UsageError, match=r"run `ig4 score --spaces letters`"):
        grouped(session, dataset, Choice("grouper", "clusters", {"space": "letters"}, "clusters"))
    with pytest.raises(UsageError, match=r"run `ig4 cluster`"):
        grouped(session, dataset, Choice("grouper", "clusters", {}, "clusters"))


def test_a_path_that_matches_nothing_stores_nothing(session, dataset):
    wrong = Choice("grouper", "source", {"key": "$.metadata.kind"}, "source")
    with pytest.raises(UsageError, match=r"\$\.metadata\.kind leads to no text"):
        grouped(session, dataset, wrong)
    with session.store.reading() as connection:
        assert connection.scalar(text("SELECT count(*) FROM groupings")) == 0


def test_a_run_records_what_was_made(session, dataset):
    grouped(session, dataset, FORM)
    with session.store.reading() as connection:
        sql = "SELECT r.command, r.dataset_id FROM groupings g JOIN runs r ON r.id = g.run_id"
        assert connection.execute(text(sql)).one() == ("groups", dataset.id)


def test_progress_counts_each_sample_once(session, dataset):
    done = []
    session.listeners = [lambda event: isinstance(event, StageAdvanced) and done.append(event.done)]
    grouped(session, dataset, Choice("grouper", "auto", {"min_size": 1}, "auto"))
    assert sum(done) == 4


def test_what_is_told_of_samples_is_what_the_samples_have(session, dataset):
    ids, _ = ordered(session, dataset)
    twice = np.concatenate([ids, ids[::-1]])
    told = StoredMeta(session.store, twice)
    assert list(told) == [sample.meta for sample in StoredSamples(session.store, twice)]
    assert told[0] == {"source": "x", "images": 0, "turns": 1, "dataset": dataset.name}
    assert len(told) < PAGE


ROWS = 4


@pytest.mark.parametrize(
    ("found", "what"),
    [
        (None, "a NoneType, not Groups"),
        (Groups(("a",), np.zeros(3, dtype=np.int64)), r"labels of shape \(3,\)"),
        (Groups(("a",), np.zeros(ROWS)), "type float64"),
        (Groups(("a",), np.ones(ROWS, dtype=np.int64)), "labels from 0 to 1 for 1 groups"),
        (Groups(("a",), np.full(ROWS, -2)), "labels from -2"),
        (Groups(("a", "a"), np.array([0, 1, 0, 1])), "two groups with the name 'a'"),
        (Groups(("a", " "), np.array([0, 1, 0, 1])), "not one line of a few words"),
        (Groups(("a\nb",), np.zeros(ROWS, dtype=np.int64)), "not one line"),
        (Groups(["a"], np.zeros(ROWS, dtype=np.int64)), "no tuple of texts"),
        (
            Groups(("a",), np.zeros(ROWS, dtype=np.int64), (np.arange(4), np.zeros(3, dtype=int))),
            "does not cut 3 entries in 4 rows",
        ),
        (
            Groups(("a",), np.zeros(ROWS, dtype=np.int64), (np.arange(5), np.full(4, 1))),
            "members from 0 to 1",
        ),
        (
            Groups(
                ("a",),
                np.zeros(ROWS, dtype=np.int64),
                (np.array([0, 2, 2, 2, 2]), np.zeros(2, dtype=int)),
            ),
            "in one group twice",
        ),
    ],
)
def test_wrong_groups_are_a_fault_of_the_grouper_that_is_named(found, what):
    with pytest.raises(PluginError, match=f"grouper mine returned .*{what}"):
        checked_groups(found, ROWS, "mine")


def test_groups_without_members_are_left_out():
    found = checked_groups(Groups(("a", "b", "c"), np.array([2, -1, 0, 2])), ROWS, "mine")
    assert found.names == ("a", "c")
    assert found.labels.tolist() == [1, -1, 0, 1]


@given(st.lists(st.sets(st.integers(0, 4)), min_size=1, max_size=20))
def test_several_groups_of_a_row_stay_its_groups(rows):
    names = ("v", "w", "x", "y", "z")
    starts = np.cumsum([0, *map(len, rows)])
    ids = np.array([n for row in rows for n in sorted(row, reverse=True)], dtype=np.int64)
    first = np.array([max(row) if row else -1 for row in rows])
    found = checked_groups(Groups(names, first, (starts, ids)), len(rows), "mine")
    assert named(found) == [[names[n] for n in sorted(row)] for row in rows]
    assert found.names == tuple(names[n] for n in sorted(set().union(*rows)))
    lowest = [names[min(row)] if row else None for row in rows]
    assert [None if n < 0 else found.names[n] for n in found.labels.tolist()] == lowest
