"""A service in this process that answers by what it is asked, and a scorer that asks it.

It is installed as a plugin by the fixture `plugin`; see conftest.py.
"""

SERVICE = '''
    import asyncio
    import os
    import time
    from datetime import datetime

    from ig4.core.calls.prices import Price
    from ig4.core.calls.provider import BatchLimitError, BatchState, Provider
    from ig4.core.calls.request import (
        NotFoundError, RejectedError, Reply, ServiceError, TransientError, UnreadableError,
    )
    from ig4.core.contracts import AsyncScorer, Options
    from ig4.core.records import Score

    class World:
        """What the service has seen; tests look at it and tell it how to behave."""
        def __init__(self):
            self.asked = []
            self.times = []
            self.flying = self.most = 0
            self.batches = {}
            self.pause = float(os.environ.get("COUNTING_PAUSE", 0.0))
            self.worst = 1
            self.ready = True
            self.lose_answer = False
            self.cut_after = None
            self.on_first = None
            self.down = False
            self.room = None  # how many requests may be in line, in all batches
            self.refuses_later = False  # it takes the batch first, and then fails it
            self.absent = self.no_results = 0  # how often a batch, its results, are not found
            self.times_out = False  # it makes the batch, and does not reply
            self.unlisted = 0  # how often a new batch is not listed yet
            self.unwritten = ()  # what its results leave out
            self.done_before = 0  # how many requests of a batch it has answered when cancelled

        def in_line(self):
            "How many requests the service is at work on."
            return sum(len(r) for _, r, state in self.batches.values() if state == "running")

    world = World()

    class Service(Provider):
        name = "test"
        prices = {"priced": Price(input=1e6, output=0.0, cached=None)}
        batch_requests = 3
        batch_bytes = 10**9

        async def open(self):
            pass

        async def close(self):
            pass

        def tokens(self, request):
            return world.worst

        async def send(self, request):
            world.asked.append(request.prompt)
            if log := os.environ.get("COUNTING_LOG"):  # of several processes
                with open(log, "a") as file:
                    file.write(request.prompt + "\\n")
            if world.on_first:
                first, world.on_first = world.on_first, None
                first()
            world.times.append(time.perf_counter())
            world.flying += 1
            world.most = max(world.most, world.flying)
            try:
                await asyncio.sleep(world.pause)
                return answer(request)
            finally:
                world.flying -= 1

        async def submit(self, key, requests):
            if world.down:
                raise TransientError("503: away")
            remote = f"remote-{len(world.batches) + 1}"
            if world.room is not None and world.in_line() + len(requests) > world.room:
                if not world.refuses_later:
                    raise BatchLimitError("400: too much in line")
                world.batches[remote] = (key, {}, "failed")
                return remote
            world.batches[remote] = (key, dict(requests), "running")
            world.asked += [request.prompt for request in requests.values()]
            if world.lose_answer:
                world.lose_answer = False
                raise SystemExit("killed before the id was written down")
            if world.times_out:
                world.times_out = False
                raise TransientError("no reply in time")
            return remote

        async def find(self, key, custom, since):
            if world.unlisted:
                world.unlisted -= 1
                return None
            found = [remote for remote, (known, _, _) in world.batches.items() if known == key]
            return found[0] if found else None

        async def batch(self, remote):
            if world.absent or remote not in world.batches:
                world.absent = max(0, world.absent - 1)
                raise NotFoundError("404: no such batch")
            key, requests, state = world.batches[remote]
            if state == "failed":
                return BatchState(state, error=BatchLimitError("failed: too much in line"))
            if state == "running" and world.ready:
                world.batches[remote] = (key, requests, "ended")
                state = "ended"
            return BatchState(state, replies=len(requests) if world.unwritten else None)

        async def results(self, remote):
            if world.no_results:
                world.no_results -= 1
                raise NotFoundError("404: no such file")
            for custom, request in reversed(list(world.batches[remote][1].items())):
                if request.prompt in world.unwritten:
                    continue
                if world.cut_after == 0:
                    world.cut_after = None
                    raise TransientError("the connection was cut")
                if world.cut_after:
                    world.cut_after -= 1
                try:
                    yield custom, answer(request)
                except (RejectedError, TransientError) as error:
                    yield custom, error

        async def cancel(self, remote):
            key, requests, _ = world.batches[remote]
            done = dict(list(requests.items())[: world.done_before])
            world.batches[remote] = (key, done, "cancelled")

    def answer(request):
        prompt = request.prompt
        seen = world.asked.count(prompt)
        if "no key" in prompt:
            raise ServiceError("401: no such key")
        if "reject" in prompt:
            raise RejectedError("400: not this one")
        if "limited" in prompt and seen == 1:
            raise TransientError("429: slow down", retry_after=0.5, limited=True)
        if "come back tomorrow" in prompt:
            raise TransientError("429: no more today", retry_after=86_400.0, limited=True)
        if "always busy" in prompt or ("busy" in prompt and seen < 3):
            raise TransientError("503: busy", retry_after=0.0)
        if "uncounted" in prompt:
            return Reply("5")
        if "defect" in prompt:
            raise KeyError("defect")
        if "lone half" in prompt:
            return Reply("\\ud800\\x00", input_tokens=10**30)
        if "garbage" in prompt:
            return Reply("I like it", input_tokens=1)
        return Reply(str(len(prompt)), input_tokens=1, output_tokens=1)

    class AskingOptions(Options):
        model: str = "free"
        repeats: int = 1

    class Asking(AsyncScorer):
        "The length of the answer, as the service tells it."
        Options = AskingOptions

        def provider(self):
            return Service()

        async def rate(self, sample, ask):
            from ig4.core.calls.request import Request

            def read(reply):
                try:
                    return float(reply.text)
                except ValueError:
                    raise UnreadableError(f"no number: {reply.text}") from None

            asks = [
                ask(Request(self.options.model, sample.answer, repeat=n, max_tokens=1), read)
                for n in range(self.options.repeats)
            ]
            return Score((await asyncio.gather(*asks))[0])

    class AskingGrades(Asking):
        "The same, with its half as an output."
        outputs = ("half",)

        async def rate(self, sample, ask):
            score = await super().rate(sample, ask)
            return Score(score.value, outputs={"half": score.value / 2})
'''
