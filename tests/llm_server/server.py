"""The server itself: `python server.py` prints its port and answers until it is killed.

HTTP by hand, since it is driven at hundreds of requests a second beside the client under test.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import anthropic_api
import openai_api
from world import World

STATUS_FAULTS = {"400", "401", "403", "404", "408", "409", "413", "422", "429", "500", "503", "529"}


class Connection(asyncio.Protocol):
    """One connection, kept alive; requests come one after another."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (request := self._request()) is not None:
            task = asyncio.ensure_future(self._answer(*request))
            task.add_done_callback(_complain)

    def _request(self) -> tuple[str, str, dict[str, str], bytes] | None:
        """Take a whole request from the buffer, if there is one."""
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            return None
        first, *lines = self.buffer[:end].decode("latin-1").split("\r\n")
        headers = {}
        for line in lines:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        rest = self.buffer[end + 4 :]
        if headers.get("transfer-encoding") == "chunked":
            body, left = _unchunked(rest)
            if body is None:
                return None
        else:
            length = int(headers.get("content-length", 0))
            if len(rest) < length:
                return None
            body, left = rest[:length], rest[length:]
        self.buffer = left
        method, target, _ = first.split(" ", 2)
        return method, target, headers, body

    async def _answer(self, method: str, target: str, headers: dict[str, str], body: bytes) -> None:
        parts = urlsplit(target)
        query = dict(parse_qsl(parts.query))
        if parts.path.startswith("/_control/"):
            self._send(200, _control(self.world, parts.path[10:], body))
        elif not self._allowed(headers):
            self._send(401, openai_api.error(401, "Incorrect API key provided", "invalid_api_key"))
        elif method == "POST" and parts.path in (openai_api.CHAT, anthropic_api.MESSAGES):
            await self._rate(parts.path, json.loads(body))
        else:
            await self._look(method, parts.path, query, headers, body)

    def _allowed(self, headers: dict[str, str]) -> bool:
        key = headers.get("x-api-key") or headers.get("authorization", "").removeprefix("Bearer ")
        wanted = self.world.config["require_key"]
        return bool(key) and wanted in (None, key)

    async def _rate(self, path: str, body: dict[str, Any]) -> None:
        world = self.world
        vendor = "openai" if path == openai_api.CHAT else "anthropic"
        prompt = openai_api.prompt_of(body)
        entry = world.note(vendor, path, prompt, body)
        fault = world.fault(json.dumps(body, ensure_ascii=False), path)
        name = fault["fault"] if fault else ""
        world.flying += 1
        world.most = max(world.most, world.flying)
        try:
            await asyncio.sleep(float(fault["seconds"]) if name == "slow" else world.delay())
        finally:
            world.flying -= 1
        entry["outcome"] = name or "ok"
        if self.transport.is_closing():
            entry["outcome"] += " unread"
            return
        if not self._spoil(fault, vendor, body):
            make = openai_api.completion if vendor == "openai" else anthropic_api.message
            self._send(200, make(world, body, fault))

    def _spoil(self, fault: dict[str, Any] | None, vendor: str, body: dict[str, Any]) -> bool:
        """Do what a fault of the connection or the status wants; tell whether it was one."""
        name = fault["fault"] if fault else ""
        if name == "reset":
            self.transport.abort()
        elif name == "cut":
            self.transport.write(b'HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{"choices": [')
            self.transport.close()
        elif name == "broken-json":
            self._send(200, b'{"choices": [{"mess')
        elif name == "body":
            self._send(200, str((fault or {})["body"]).encode())
        elif name == "no-schema" and ("response_format" in body or "tools" in body):
            told = "response_format json_schema is not supported here; nor are tools"
            self._send(400, openai_api.error(400, told))
        elif name == "crash" and ("response_format" in body or "tools" in body):
            self._send(500, openai_api.error(500, str((fault or {}).get("message", "crashed"))))
        elif name == "renamed" and "max_tokens" in body:
            told = "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."
            self._send(400, openai_api.error(400, told, "unsupported_parameter"))
        elif name == "insufficient-quota":
            told = "You exceeded your current quota, please check your plan and billing details."
            self._send(429, openai_api.error(429, told, "insufficient_quota"))
        elif name == "credit":
            told = "Your credit balance is too low to access the Anthropic API."
            self._send(400, anthropic_api.error(told, "invalid_request_error"))
        elif name in STATUS_FAULTS:
            told = str((fault or {}).get("message", f"scripted {name}"))
            made = (
                openai_api.error(int(name), told)
                if vendor == "openai"
                else anthropic_api.error(told, "api_error")
            )
            self._send(int(name), made, (fault or {}).get("headers"))
        else:
            return False
        return True

    async def _look(
        self, method: str, path: str, query: dict[str, str], headers: dict[str, str], body: bytes
    ) -> None:
        """Files and batches."""
        world = self.world
        base = f"http://{headers.get('host', '')}"
        reads = path.endswith(("/content", "/results"))
        fault = world.fault("", path) if method == "POST" or reads else None
        name = fault["fault"] if fault else ""
        if name in ("hold", "late"):  # it hangs: the service never gets to it, or later
            world.held += 1
            if name == "hold":
                return
            await asyncio.sleep(float((fault or {})["seconds"]))
        elif name not in ("", "lost", "mute") and self._spoil(fault, "openai", {}):
            return
        *_, last = path.rstrip("/").split("/")
        before = path.rstrip("/").split("/")[-2]
        told: Any
        if (method, path) == ("POST", "/v1/files"):
            told = openai_api.store_file(world, headers, body)
        elif before in world.files and last == "content":
            told = world.files[before]
        elif (method, path) == ("POST", "/v1/batches"):
            made = json.loads(body)
            refusal = world.config["batch_refusal"]
            if refusal and world.is_full(len(openai_api.lines_of(world, made))):
                told = openai_api.error(refusal, openai_api.FULL, "token_limit_exceeded")
                self._send(refusal, told)
                return
            told = openai_api.make_batch(world, made)
        elif (method, path) == ("GET", "/v1/batches"):
            told = openai_api.list_batches(world, query)
        elif (method, path) == ("POST", "/v1/messages/batches"):
            made = json.loads(body)
            if world.is_full(len(made["requests"])):
                queue = "Your batch would exceed the limit of requests in the processing queue."
                self._send(429, anthropic_api.error(queue, "rate_limit_error"))
                return
            told = anthropic_api.make_batch(world, made)
        elif (method, path) == ("GET", "/v1/messages/batches"):
            told = anthropic_api.list_batches(world, query, base)
        elif last == "results" and before in world.batches:
            told = anthropic_api.results(world, before)
        elif last == "cancel" and before in world.batches:
            world.batches[before]["cancelled"] = True
            told = self._shown(before, base)
        elif last in world.batches:
            told = self._shown(last, base)
        else:
            self._send(404, openai_api.error(404, f"no {path} here"))
            return
        if name == "lost":
            self.transport.abort()
        if name == "mute":  # done, but nobody is told
            world.held += 1
        if name in ("lost", "mute"):
            return
        self._send(200, told)

    def _shown(self, number: str, base: str) -> dict[str, Any]:
        if self.world.batches[number]["vendor"] == "openai":
            return openai_api.show_batch(self.world, number)
        return anthropic_api.show_batch(self.world, number, base)

    def _send(self, status: int, told: Any, more: dict[str, str] | None = None) -> None:
        content = told if isinstance(told, bytes) else json.dumps(told).encode()
        lines = [
            f"HTTP/1.1 {status} {'OK' if status == 200 else 'Error'}",
            "content-type: application/json",
            f"content-length: {len(content)}",
            *(f"{name}: {value}" for name, value in (more or {}).items()),
        ]
        self.transport.write("\r\n".join(lines).encode() + b"\r\n\r\n" + content)


def _unchunked(rest: bytes) -> tuple[bytes | None, bytes]:
    body = b""
    while True:
        line, found, rest = rest.partition(b"\r\n")
        if not found:
            return None, b""
        size = int(line.split(b";")[0], 16)
        if len(rest) < size + 2:
            return None, b""
        body += rest[:size]
        rest = rest[size + 2 :]
        if size == 0:
            return body, rest


def _control(world: World, what: str, body: bytes) -> Any:
    if what == "configure":
        world.configure(json.loads(body))
    elif what == "reset":
        world.reset()
    elif what == "calls":
        return {"calls": world.log, "most": world.most, "held": world.held}
    elif what == "batches":
        return {
            number: {"requests": len(batch["lines"]), "cancelled": batch["cancelled"]}
            for number, batch in world.batches.items()
        }
    return {}


def _complain(task: asyncio.Future[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        sys.stderr.write(f"{task.exception()!r}\n")


async def main() -> None:
    """Serve on a free port of the loopback interface."""
    world = World()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(world), "127.0.0.1", 0, backlog=1024)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
