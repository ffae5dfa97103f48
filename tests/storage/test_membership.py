"""Mixtures: they have the samples, ids and names of their members, and nothing of their own."""

from __future__ import annotations

import pytest
from sqlalchemy import delete, func, select, text

from ig4.storage import datasets, membership, runs, samples, scorecolumns, scores, selections
from ig4.storage.membership import Member
from ig4.storage.runs import ComponentRow
from ig4.storage.schema import Dataset, DatasetMember
from ig4.storage.selections import SelectionItem
from ig4.storage.store import Store

BOATS = [("1", "red"), ("2", "green"), ("2#2", "blue")]
CATS = [("1", "black"), ("2", "red"), ("9", "white")]


@pytest.fixture
def parts(store):
    """Two data sets, the second of which was stored first; both have a sample "red"."""
    return {"cats": put(store, "cats", CATS), "boats": put(store, "boats", BOATS)}


@pytest.fixture
def mixture(store, parts):
    wanted = [Member(parts[name], name) for name in ("boats", "cats")]
    with store.writing() as connection:
        return membership.put(connection, "boats+cats", wanted)


def put(store, name, rows):
    with store.writing() as connection:
        made = datasets.put(
            connection, name, path=name, format="f", options={}, image_root=None, header=None
        )
        contents = datasets.content_ids(connection, [answer for _, answer in rows])
        datasets.put_samples(
            connection,
            [
                (made.id, key, place, contents[answer], "i", answer, None, "{}", None, None, None,
                 None)
                for place, (key, answer) in enumerate(rows)
            ],
        )  # fmt: skip
    return made.id


def component(connection, fingerprint):
    row = ComponentRow("scorer", "clip", "ig4", "1", {"model": fingerprint}, fingerprint)
    return runs.component_id(connection, row)


def bind(store, dataset, name, fingerprint, values=()):
    with store.writing() as connection:
        number = component(connection, fingerprint)
        scores.put(connection, number, None, [(c, v, None, None) for c, v in values])
        scores.bind(connection, dataset, name, number)
    return number


def contents_of(store, dataset):
    with store.reading() as connection:
        return samples.ordered_ids(connection, dataset)[1].tolist()


def test_a_mixture_has_the_samples_of_its_members_in_their_order(store, parts, mixture):
    with store.reading() as connection:
        ids, contents = samples.ordered_ids(connection, mixture)
        rows = list(samples.stream(connection, mixture))
        assert datasets.count_samples(connection, mixture) == 6
    assert [row.answer for row in rows] == ["red", "green", "blue", "black", "red", "white"]
    assert [row.dataset for row in rows] == ["boats"] * 3 + ["cats"] * 3
    assert [row.id for row in rows] == ids.tolist()
    assert contents[0] == contents[4]


def test_ids_of_a_mixture_name_the_member(store, parts, mixture):
    with store.reading() as connection:
        ids = samples.ordered_ids(connection, mixture)[0].tolist()
        names = samples.external_ids(connection, ids, mixture)
        assert [names[one] for one in ids][:4] == ["boats/1", "boats/2", "boats/2#2", "cats/1"]
        assert samples.external_ids(connection, ids)[ids[3]] == "1"
        found = samples.find_ids(connection, mixture, ["cats/1", "boats/9", "1", "boats/1"])
        assert {name: place[0] for name, place in found.items()} == {
            "cats/1": ids[3],
            "boats/1": ids[0],
        }
        assert list(samples.numbered_ids(connection, mixture)["boats/2"]) == [
            "boats/2",
            "boats/2#2",
        ]
        assert list(samples.numbered_ids(connection, parts["boats"])) == ["2"]


def test_a_mixture_shows_what_its_members_have_now(store, parts, mixture):
    put(store, "cats", [("7", "grey")])
    with store.writing() as connection:
        connection.execute(text("UPDATE samples SET ordinal = NULL WHERE external_id = '9'"))
    with store.reading() as connection:
        found = [row.external_id for row in samples.stream(connection, mixture)]
    assert "cats/7" in found
    assert "cats/9" not in found


def test_a_name_that_means_one_thing_in_all_members_is_the_mixtures_too(store, parts, mixture):
    for name in parts:
        number = bind(store, parts[name], "clip", "x")
    bind(store, parts["cats"], "length", "y")
    with store.reading() as connection:
        assert [row.name for row in scorecolumns.list_all(connection, mixture)] == ["clip"]
        assert scores.bindings(connection, mixture) == {"clip": (number, False)}
        assert scores.differing(connection, mixture) == []


def test_a_name_that_means_different_things_is_left_out_until_the_mixture_has_its_own(
    store, parts, mixture
):
    bind(store, parts["boats"], "clip", "x")
    bind(store, parts["cats"], "clip", "y")
    with store.reading() as connection:
        assert scores.bindings(connection, mixture) == {}
        assert scores.differing(connection, mixture) == ["clip"]
    own = bind(store, mixture, "clip", "z")
    with store.reading() as connection:
        assert scores.bindings(connection, mixture) == {"clip": (own, False)}
        assert scores.differing(connection, mixture) == []


def test_names_are_bound_in_members_where_they_are_free(store, parts, mixture):
    kept = bind(store, parts["cats"], "clip", "x")
    with store.writing() as connection:
        number = component(connection, "y")
        scores.bind_members(connection, mixture, {"clip": number})
    with store.reading() as connection:
        assert scores.bindings(connection, parts["cats"]) == {"clip": (kept, False)}
        assert scores.bindings(connection, parts["boats"]) == {"clip": (number, False)}


def test_the_views_have_each_score_once(store, parts, mixture):
    values = [(content, float(content)) for content in set(contents_of(store, mixture))]
    bind(store, mixture, "clip", "x", values)
    for name in parts:
        bind(store, parts[name], "clip", "x")
    with store.reading() as connection:
        long = connection.execute(text("SELECT dataset, external_id FROM scores_long")).all()
        wide = connection.execute(text("SELECT dataset, clip FROM scores_wide")).all()
    assert len(long) == len(set(long)) == len(wide) == 6
    assert {row.dataset for row in long} == {"boats", "cats"}
    assert all(row.clip is not None for row in wide)


def test_counts_are_of_all_members(store, parts, mixture):
    first, *others = contents_of(store, mixture)
    number = bind(store, mixture, "clip", "x", [(first, 2.0)])
    with store.writing() as connection:
        scores.put(connection, number, None, [(others[0], None, "no image", None)])
    with store.reading() as connection:
        counts = scorecolumns.counts(connection, mixture, number)
        assert (counts.values, counts.failures) == (2, 1)
        assert scores.errors(connection, mixture, number) == [("boats/2", "no image")]
        assert scores.count_errors(connection, mixture, number) == 1
    with store.writing() as connection:
        scores.delete_failures(connection, mixture, [number])
    with store.reading() as connection:
        assert scores.count_errors(connection, mixture, number) == 0


def test_a_dropped_column_goes_from_the_members_that_have_the_same(store, parts, mixture):
    values = [(content, 1.0) for content in set(contents_of(store, mixture))]
    number = bind(store, mixture, "clip", "x", values)
    bind(store, parts["cats"], "clip", "x")
    other = bind(store, parts["boats"], "clip", "y")
    with store.writing() as connection:
        (row,) = scorecolumns.list_all(connection, mixture)
        assert scorecolumns.drop(connection, mixture, row) == len(values)
    with store.reading() as connection:
        assert scores.bindings(connection, mixture) == {}
        assert scores.bindings(connection, parts["cats"]) == {}
        assert scores.bindings(connection, parts["boats"]) == {"clip": (other, False)}
        assert len(scores.scored_ids(connection, number)) == 0


def test_a_member_that_drops_a_column_leaves_the_mixture_its_values(store, parts, mixture):
    values = [(content, 1.0) for content in set(contents_of(store, mixture))]
    number = bind(store, mixture, "clip", "x", values)
    bind(store, parts["cats"], "clip", "x")
    with store.writing() as connection:
        (row,) = scorecolumns.list_all(connection, parts["cats"])
        assert scorecolumns.drop(connection, parts["cats"], row) == 0
    with store.reading() as connection:
        assert len(scores.scored_ids(connection, number)) == len(values)


def test_a_renamed_column_is_renamed_in_the_members(store, parts, mixture):
    for name in parts:
        number = bind(store, parts[name], "clip", "x")
    with store.writing() as connection:
        scorecolumns.rename(connection, mixture, "clip", "fit")
    with store.reading() as connection:
        assert scores.bindings(connection, mixture) == {"fit": (number, False)}
        assert scorecolumns.names_taken(connection, mixture) == {"fit"}


def test_a_selection_of_a_mixture_names_samples_as_the_mixture_does(store, parts, mixture):
    with store.writing() as connection:
        number = component(connection, "selector")
        ids, contents = samples.ordered_ids(connection, mixture)
        items = [
            SelectionItem(int(ids[row]), int(contents[row]), "", rank, 0, 0.5)
            for rank, row in enumerate((3, 0), start=1)
        ]
        made = selections.put(
            connection, dataset_id=mixture, component_id=number, clustering_id=None, config={},
            digest="d", run_id=None, items=items,
        )  # fmt: skip
    with store.reading() as connection:
        chosen = selections.samples(connection, made)
    assert [one.external_id for one in chosen] == ["cats/1", "boats/1"]


def test_a_mixture_that_is_removed_takes_no_sample_with_it(store, parts, mixture):
    with store.writing() as connection:
        membership.remove(connection, parts["cats"])  # no mixture: it stays
        membership.remove(connection, mixture)
    with store.reading() as connection:
        assert {row.name for row in datasets.list_all(connection)} == {"boats", "cats"}
        assert connection.scalar(select(func.count()).select_from(DatasetMember)) == 0
        assert datasets.count_samples(connection, parts["cats"]) == 3


def test_a_data_set_that_is_removed_is_no_member_any_more(store, parts, mixture):
    with store.writing() as connection:
        connection.execute(delete(Dataset).where(Dataset.id == parts["cats"]))
    with store.reading() as connection:
        assert membership.members(connection, mixture) == [Member(parts["boats"], "boats")]
        assert membership.prefixes(connection, mixture) == {parts["boats"]: "boats/"}
        assert datasets.count_samples(connection, mixture) == 3


def test_a_planned_mixture_is_what_a_stored_one_would_be_and_is_not_stored(store, location, parts):
    shared = bind(store, parts["boats"], "clip", "a")
    bind(store, parts["cats"], "clip", "a")
    wanted = [Member(parts[name], name) for name in ("boats", "cats")]
    number = membership.plan(store.engine, "boats+cats", wanted)
    with Store.open(location) as other, other.writing() as connection:
        stored = membership.put(connection, "boats+cats", wanted)
    for connect in (store.reading, store.writing):
        with connect() as connection:
            for ask in (
                datasets.count_samples,
                datasets.count_images,
                datasets.source_states,
                membership.members,
                membership.owners,
                membership.prefixes,
            ):
                assert ask(connection, number) == ask(connection, stored)
            ids = [samples.ordered_ids(connection, one)[0].tolist() for one in (number, stored)]
            assert ids[0] == ids[1]
            assert scores.bindings(connection, number) == {"clip": (shared, False)}
            assert membership.member_ids(connection)[number] == [one.id for one in wanted]
            row = datasets.find(connection, "boats+cats")
            assert (row.id, row.is_mixture) == (number, True)
            assert [one.id for one in datasets.list_all(connection)][-2:] == [stored, number]
    with Store.open(location) as other, other.reading() as connection:
        assert [row.id for row in datasets.list_all(connection) if row.is_mixture] == [stored]
