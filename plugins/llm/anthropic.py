"""A Provider for Anthropic's messages API."""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import Any

from ig4.core.calls.prices import Price
from ig4.core.calls.provider import BatchState, Provider
from ig4.core.calls.request import (
    CallError,
    NotFoundError,
    RejectedError,
    Reply,
    Request,
    TransientError,
)
from ig4.core.errors import PrerequisiteError
from ig4.plugins.llm import batches, connection, prices, replies
from ig4.plugins.llm.errors import call_error, redact, service_message

_TOOL = "rate"
_TOOLS_REFUSED = re.compile(r"\btools?\b|tool_choice", re.IGNORECASE)


class AnthropicProvider(Provider):
    """Takes keys and addresses from the options and the client's own environment variables.

    A schema becomes a tool that the model must call. `structured` says whether to use it: None
    uses it until the server refuses.
    """

    name = "anthropic"
    prices: Mapping[str, Price] = prices.ANTHROPIC
    batch_requests: int = 100_000
    batch_bytes: int = 240 * 2**20  # the service takes 256 MB

    def __init__(
        self,
        *,
        base_url: str | None = None,
        timeout: float = 120.0,
        structured: bool | None = None,
        batch_requests: int | None = None,
        batch_tokens: int | None = None,
    ) -> None:
        self.batch_requests = min(batch_requests or self.batch_requests, self.batch_requests)
        self.batch_tokens = batch_tokens or 0
        self.base_url = base_url
        self.timeout = timeout
        self.structured = structured
        self._no_schema = structured is False
        self._no_temperature = False
        self._client: Any = None

    async def open(self) -> None:
        """Make the client.

        Raises:
            PrerequisiteError: there is no key.
            UsageError: the address is not valid.
        """
        import anthropic

        address = self.base_url or os.environ.get("ANTHROPIC_BASE_URL")
        connection.check_address(address=address, variable="ANTHROPIC_API_KEY")

        self._client = anthropic.AsyncAnthropic(
            base_url=self.base_url,
            max_retries=0,
            timeout=self.timeout,
            http_client=connection.http_client(anthropic, self.timeout),
        )
        self._response: Any = connection.response_type(anthropic)
        if not any(
            getattr(self._client, name, None) for name in ("api_key", "auth_token", "credentials")
        ):
            await self.close()
            raise PrerequisiteError("claude has no key: set ANTHROPIC_API_KEY")

    async def close(self) -> None:
        """Close the client's connections."""
        if self._client is not None:
            await self._client.close()

    async def send(self, request: Request) -> Reply:
        """Send one request.

        Raises:
            TransientError, RejectedError, ServiceError: as `errors.call_error` says.
        """
        import anthropic

        while True:
            body = self.body(request)
            try:
                response = await self._client.post(
                    "/v1/messages", cast_to=self._response, body=body
                )
            except anthropic.AnthropicError as error:
                self._adapt(error, body)
                # Another request may have changed the settings meanwhile.
                if body != self.body(request):
                    continue
                raise self._error(error) from None
            return _reply(replies.parse_json(response.content))

    def body(self, request: Request) -> dict[str, Any]:
        """Return the body of a request, without what this server has refused before."""
        body: dict[str, Any] = {
            "model": request.model,
            "max_tokens": request.max_tokens,
            "messages": _messages(request),
        }
        if request.system:
            body["system"] = request.system
        if request.temperature is not None and not self._no_temperature:
            body["temperature"] = min(request.temperature, 1.0)  # the maximum
        if request.schema is not None and not self._no_schema:
            tool = {
                "name": _TOOL,
                "description": "Hand in the rating and its explanation.",
                "input_schema": dict(request.schema),
            }
            body |= {"tools": [tool], "tool_choice": {"type": "tool", "name": _TOOL}}
        return body | dict(request.extra)

    def _adapt(self, error: Exception, body: Mapping[str, Any]) -> None:
        """Find out from a refusal what this server does not accept."""
        if getattr(error, "status_code", None) not in (400, 404, 422):
            return
        message = service_message(error)
        if "tools" in body and self.structured is None and _TOOLS_REFUSED.search(message):
            self._no_schema = True
        elif "temperature" in body and "temperature" in message:
            self._no_temperature = True

    def _error(self, error: Exception) -> CallError:
        return call_error(error, "Anthropic", "ANTHROPIC_API_KEY")

    # Batches

    async def submit(self, key: str, requests: Mapping[str, Request]) -> str:
        """Start a batch and return its id. The service does not store the key.

        Raises:
            BatchLimitError, NotSubmittedError: as `Provider.submit` says.
            TransientError, RejectedError, ServiceError: as for `send`.
        """
        import anthropic

        lines = [
            {"custom_id": custom_id, "params": self.body(request)}
            for custom_id, request in requests.items()
        ]
        try:
            batch = await self._client.messages.batches.create(requests=lines)
        except anthropic.AnthropicError as error:
            raise batches.submission_error(error, self._error(error)) from None
        return str(batch.id)

    async def find(self, key: str, custom: set[str], since: datetime) -> str | None:
        """Find a batch by its requests among all of the account: no two clocks are compared.

        Raises:
            TransientError: a batch that has not ended might be the one.
        """
        import anthropic

        candidate = None
        try:
            async for batch in self._client.messages.batches.list(limit=100):
                if _size(batch) != len(custom) or batch.archived_at is not None:
                    continue
                if batch.processing_status != "ended":
                    candidate = str(batch.id)
                    continue
                async for custom_id, _ in self.results(batch.id):
                    if custom_id in custom:
                        return str(batch.id)
                    break
        except anthropic.AnthropicError as error:
            raise self._error(error) from None
        if candidate is not None:
            raise TransientError(
                f"batch {candidate} is still at work, and may be the one whose id was lost"
            )
        return None

    async def batch(self, remote_id: str) -> BatchState:
        """Return the progress of a batch."""
        batch = await self._await_response(self._client.messages.batches.retrieve(remote_id))
        counts = batch.request_counts
        total = _size(batch)
        done = total - counts.processing
        if batch.processing_status != "ended":
            return BatchState("running", done, total)
        state: Any = "cancelled" if counts.canceled > 0 else "ended"
        return BatchState(state, done, total, replies=counts.succeeded)

    async def results(self, remote_id: str) -> AsyncIterator[tuple[str, Reply | CallError]]:
        """Yield the outcome of each request of an ended batch.

        Raises:
            NotFoundError: the results are not there; after 29 days they are not kept.
        """
        import anthropic

        try:
            async for line in await self._client.messages.batches.results(remote_id):
                yield line.custom_id, _outcome(line.result)
        except ValueError:
            raise TransientError("a line of the batch's results is not JSON") from None
        except (anthropic.AnthropicError, connection.connection_error(anthropic)) as error:
            if "results_url" in str(error):  # the client's own: the batch names no results
                raise NotFoundError("the service has no results of it (any more)") from None
            raise self._error(error) from None

    async def cancel(self, remote_id: str) -> None:
        """Ask the service to stop a batch."""
        await self._await_response(self._client.messages.batches.cancel(remote_id))

    async def _await_response(self, awaitable: Any) -> Any:
        import anthropic

        try:
            return await awaitable
        except anthropic.AnthropicError as error:
            raise self._error(error) from None


def _size(batch: Any) -> int:
    """Return the number of requests in a batch."""
    counts = batch.request_counts
    done = counts.succeeded + counts.errored + counts.canceled + counts.expired
    return int(done + counts.processing)


def _messages(request: Request) -> list[dict[str, Any]]:
    content: Any = request.prompt
    if request.images:
        content = [
            {
                "type": "image",
                "source": {
                    "type": "base64",
                    "media_type": "image/jpeg",
                    "data": base64.b64encode(image).decode(),
                },
            }
            for image in request.images
        ] + [{"type": "text", "text": request.prompt}]
    first = {"role": "user", "content": content}
    return [first, *({"role": role, "content": text} for role, text in request.history)]


def _reply(body: Any) -> Reply:
    """Return the reply in a message.

    Raises:
        TransientError: the message has no reply.
    """
    return replies.parse_reply(body, _make_reply, "content")


def _make_reply(body: Any) -> Reply:
    usage = body.get("usage")
    cached = replies.token_count(usage, "cache_read_input_tokens")
    written = replies.token_count(usage, "cache_creation_input_tokens")
    finish = str(body.get("stop_reason") or "")
    return Reply(
        text=_text(body["content"]),
        finish=finish,
        # The service counts cached tokens separately.
        input_tokens=replies.token_count(usage, "input_tokens") + cached + written,
        cached_tokens=cached,
        output_tokens=replies.token_count(usage, "output_tokens"),
        refused=finish == "refusal",
    )


def _text(blocks: list[Any]) -> str:
    """Return a tool's input as JSON text, or the texts."""
    for block in blocks:
        if block.get("type") == "tool_use":
            return json.dumps(block.get("input"), ensure_ascii=False)
    return replies.message_text(blocks)


def _outcome(result: Any) -> Reply | CallError:
    if result.type == "succeeded":
        try:
            return _reply(result.message.model_dump())
        except TransientError as error:
            return error
    if result.type == "errored":
        inner = getattr(result.error, "error", result.error)
        text = redact(str(getattr(inner, "message", inner)))
        if getattr(inner, "type", "") == "invalid_request_error":
            return RejectedError(f"Anthropic rejected the request: {text}")
        return TransientError(f"Anthropic had no reply in the batch: {text}")
    return TransientError(f"Anthropic had no reply in the batch: it {result.type}")
