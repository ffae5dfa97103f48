"""The memory that threads share to decode images."""

from __future__ import annotations

import threading
import time

from ig4.core.files.images.decoding.memory import DecodingMemory


def highest(memory, sizes, keep=False):
    """Take each size in a thread of its own; return the most that was taken at a time."""
    taken, most, lock = 0, 0, threading.Lock()

    def work(size):
        nonlocal taken, most
        with memory.taken(size):
            with lock:
                taken += size
                most = max(most, taken)
            time.sleep(0.01)
            with lock:
                taken -= size

    threads = [threading.Thread(target=work, args=(size,)) for size in sizes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert not any(thread.is_alive() for thread in threads)
    return most


def test_threads_wait_until_there_is_room_for_them():
    assert highest(DecodingMemory(100), [40] * 12) == 80


def test_what_needs_more_than_there_is_runs_alone():
    assert highest(DecodingMemory(100), [40, 1000, 40, 40]) == 1000


def test_a_large_one_does_not_wait_forever_for_small_ones():
    memory, order, started = DecodingMemory(100), [], threading.Event()

    def work(name, size, pause):
        with memory.taken(size):
            started.set()
            order.append(name)
            time.sleep(pause)

    threads = [threading.Thread(target=work, args=("first", 60, 0.2))]
    threads[0].start()
    started.wait()
    for name, size in [("large", 90), ("small", 30)]:
        threads.append(threading.Thread(target=work, args=(name, size, 0)))
        threads[-1].start()
        time.sleep(0.03)
    for thread in threads:
        thread.join(20)
    assert order == ["first", "large", "small"]


def test_what_is_kept_is_given_back_at_the_end_of_the_block():
    memory = DecodingMemory(100)
    with memory.kept():
        with memory.taken(70):
            pass
        with memory.taken(70):  # a thread that has some does not wait for itself
            pass
        waiting = threading.Thread(target=highest, args=(memory, [50]))
        waiting.start()
        waiting.join(0.1)
        assert waiting.is_alive()
    waiting.join(20)
    assert not waiting.is_alive()
