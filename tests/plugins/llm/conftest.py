"""The two vendors' providers, opened on the server of this machine."""

from __future__ import annotations

import asyncio

import pytest

from ig4.core.calls.request import Request
from ig4.plugins.llm.prompt import SCHEMA

ASKED = Request("m-1", "How good is this?", max_tokens=50, temperature=0.0)
STRICT = Request("m-1", "How good is this?", max_tokens=50, temperature=0.0, schema=SCHEMA)


def run(make, use, **options):
    """Open a provider, do something with it, close it; all in one event loop."""

    async def _run():
        provider = make(**options)
        await provider.open()
        try:
            return await use(provider)
        finally:
            await provider.close()

    return asyncio.run(_run())


@pytest.fixture
def send(make, llm_server):
    """Send requests through one provider; return the reply of the last."""

    def _send(*requests, **options):
        async def use(provider):
            replies = [await provider.send(request) for request in requests]
            return replies[-1]

        return run(make, use, **options)

    return _send
