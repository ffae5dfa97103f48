"""The tasks of a run on several actors: their order, and how many are taken ahead."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ig4.plugins.executors.taskqueue import TaskQueue


def given_out(queue):
    found = []
    while (given := queue.give(idle=True)) is not None:
        found.append(given)
    return found


def test_no_more_are_taken_than_may_be_ahead_of_the_first_result():
    taken = []
    queue = TaskQueue((taken.append(one) or one for one in "abcdef"), ahead=3)
    assert given_out(queue) == [(0, "a", False), (1, "b", False), (2, "c", False)]
    queue.finish()
    assert given_out(queue) == [(3, "d", False)]
    assert taken == list("abcd")


def test_tasks_of_a_lost_actor_come_before_new_ones_in_their_order():
    queue = TaskQueue("abcdef", ahead=4)
    given_out(queue)
    queue.finish()
    queue.give_again([3, 1])
    assert [task for _, task, _ in given_out(queue)] == ["b", "d", "e"]


def test_a_suspect_goes_to_an_idle_actor_alone_and_before_all_others():
    queue = TaskQueue("abc", ahead=9)
    queue.give(idle=True)
    assert queue.try_alone(0)
    assert queue.give(idle=False) is None
    assert queue.may_give
    assert queue.give(idle=True) == (0, "a", True)
    assert queue.give(idle=False) == (1, "b", False)


def test_a_suspect_is_tried_alone_once_and_stays_alone_where_its_actor_is_lost():
    queue = TaskQueue("ab", ahead=9)
    queue.give(idle=True)
    queue.try_alone(0)
    queue.give(idle=True)
    queue.give_again([0])
    assert queue.give(idle=False) is None
    assert queue.give(idle=True) == (0, "a", True)
    assert not queue.try_alone(0)


@given(st.integers(0, 40), st.integers(1, 9))
def test_every_task_comes_out_once(count, ahead):
    queue = TaskQueue(range(count), ahead)
    out = []
    while not queue.is_done:
        for number, task, _ in given_out(queue):
            assert number == task
            assert number - queue.first < ahead
        if not queue.is_done:
            out.append(queue.first)
            queue.finish()
    assert out == list(range(count))
    assert not queue.may_give
