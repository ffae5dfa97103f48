"""Requests go no faster than allowed, and wait when the service says so."""

from __future__ import annotations

import asyncio

import pytest

from ig4.core.calls.limits import Limits


async def starts(limits, number, tokens=1, hold=0.0):
    """When each of so many requests started, in seconds from the first."""
    loop = asyncio.get_running_loop()
    times = []

    async def one():
        async with limits.slot(tokens):
            times.append(loop.time())
            await asyncio.sleep(hold)

    await asyncio.gather(*(one() for _ in range(number)))
    return [time - times[0] for time in times]


def test_as_many_go_at_a_time_as_allowed():
    async def most():
        limits, flying, seen = Limits(3), 0, []

        async def one():
            nonlocal flying
            async with limits.slot(1):
                flying += 1
                seen.append(flying)
                await asyncio.sleep(0.005)
                flying -= 1

        await asyncio.gather(*(one() for _ in range(12)))
        return max(seen)

    assert asyncio.run(most()) == 3


def test_requests_a_minute_are_spread_over_it():
    times = asyncio.run(starts(Limits(50, requests_per_minute=600), 15))
    # Ten a second: a burst of ten, then one every tenth of a second and never sooner.
    assert all(time >= 0.1 * (n - 9) - 0.02 for n, time in enumerate(times))


def test_few_requests_a_minute_do_not_come_in_a_burst():
    async def second():
        limits = Limits(50, requests_per_minute=30)
        async with limits.slot(1):
            pass
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(limits.slot(1).__aenter__(), 0.2)

    asyncio.run(second())


@pytest.mark.slow
def test_tokens_a_minute_are_kept():
    # 6,000 a minute: 600 in the first moment, then 100 a second.
    times = asyncio.run(starts(Limits(50, tokens_per_minute=6000), 7, tokens=100))
    assert times[6] >= 0.9


@pytest.mark.slow
def test_a_request_larger_than_the_limit_s_bucket_still_goes():
    async def huge():
        async with asyncio.timeout(3):
            return await starts(Limits(1, tokens_per_minute=60_000), 1, tokens=7000)

    assert len(asyncio.run(huge())) == 1


def test_a_pause_holds_back_all():
    async def paused():
        limits = Limits(5)
        limits.pause(0.2)
        limits.pause(0.1)  # a shorter one does not end it sooner
        loop = asyncio.get_running_loop()
        began = loop.time()
        await starts(limits, 3)
        return loop.time() - began

    assert asyncio.run(paused()) >= 0.19
