"""A Provider for Anthropic's messages API."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from ig4.core.calls.prices import Price
from ig4.core.calls.provider import BatchState
from ig4.core.calls.request import (
    CallError,
    NotFoundError,
    Reply,
    Request,
    ServiceError,
    TransientError,
)
from ig4.core.errors import PrerequisiteError
from ig4.plugins.llm import batches, connection, prices, replies
from ig4.plugins.llm.bodyerrors import error_in, find_error
from ig4.plugins.llm.errors import call_error, service_message
from ig4.plugins.llm.httpprovider import HttpProvider

_TOOL = "rate"
_SERVICE, _KEY = "Anthropic", "ANTHROPIC_API_KEY"


class AnthropicProvider(HttpProvider):
    """Makes a schema a tool that the model must call; see `HttpProvider`."""

    endpoint = "/v1/messages"
    schema_key = "tools"
    structured_option = "claude.structured"
    name = "anthropic"
    prices: Mapping[str, Price] = prices.ANTHROPIC
    batch_requests: int = 100_000
    batch_bytes: int = 240 * 2**20  # the service takes 256 MB

    async def open(self) -> None:
        """Make the client.

        Raises:
            PrerequisiteError: there is no key.
            UsageError: the address is not valid.
        """
        import anthropic

        self._client_error = anthropic.AnthropicError
        address = self.base_url or os.environ.get("ANTHROPIC_BASE_URL")
        connection.check_address(address=address, variable="ANTHROPIC_API_KEY")

        self._client = anthropic.AsyncAnthropic(
            base_url=self.base_url,
            max_retries=0,
            timeout=self.timeout,
            http_client=connection.http_client(anthropic, self.timeout),
        )
        self._response = connection.response_type(anthropic)
        if not any(
            getattr(self._client, name, None) for name in ("api_key", "auth_token", "credentials")
        ):
            await self.close()
            raise PrerequisiteError(f"{self.component} has no key: set ANTHROPIC_API_KEY")

    def body(self, request: Request, *, plain: bool = False) -> dict[str, Any]:
        """See `HttpProvider.body`.

        Raises:
            ServiceError: log-probabilities are wanted, which this service does not give.
        """
        if request.logprobs:
            raise ServiceError(
                "Anthropic's API gives no log-probabilities: name a server of OpenAI's interface "
                "for this scorer"
            )
        body: dict[str, Any] = {
            "model": request.model,
            "max_tokens": request.max_tokens,
            "messages": _messages(request),
        }
        if request.system:
            body["system"] = request.system
        if request.temperature is not None and not self._no_temperature:
            body["temperature"] = min(request.temperature, 1.0)  # the maximum
        if request.schema is not None and not self.schemas.refused and not plain:
            tool = {
                "name": _TOOL,
                "description": "Hand in the rating and its explanation.",
                "input_schema": dict(request.schema),
            }
            body |= {"tools": [tool], "tool_choice": {"type": "tool", "name": _TOOL}}
        return body | dict(request.extra)

    def read_reply(self, content: Any) -> Reply:
        """See `HttpProvider.read_reply`."""
        return _reply(content)

    def adapt(self, error: Exception, body: Mapping[str, Any]) -> None:
        """See `HttpProvider.adapt`."""
        status, message = getattr(error, "status_code", None), service_message(error)
        if "tools" in body:
            self.schemas.note_error(status, message)
        if status not in (400, 404, 422) or ("tools" in body and self.schemas.refused):
            return
        if "temperature" in body and "temperature" in message:
            self._no_temperature = True

    def to_call_error(self, error: Exception) -> CallError:
        """See `HttpProvider.to_call_error`."""
        return call_error(error, _SERVICE, _KEY, hint=self.schemas.hint(service_message(error)))

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
            raise batches.submission_error(error, self.to_call_error(error)) from None
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
            raise self.to_call_error(error) from None
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
                yield str(line.custom_id), _outcome(line.model_dump(warnings=False).get("result"))
        except ValueError:
            raise TransientError("a line of the batch's results is not JSON") from None
        except (anthropic.AnthropicError, connection.connection_error(anthropic)) as error:
            if "results_url" in str(error):  # the client's own: the batch names no results
                raise NotFoundError("the service has no results of it (any more)") from None
            raise self.to_call_error(error) from None

    async def cancel(self, remote_id: str) -> None:
        """Ask the service to stop a batch."""
        await self._await_response(self._client.messages.batches.cancel(remote_id))


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
    finish = replies.finish_of(body.get("stop_reason"))
    reply = Reply(
        text=_text(body["content"]),
        finish=finish,
        # The service counts cached tokens separately.
        input_tokens=replies.token_count(usage, "input_tokens") + cached + written,
        cached_tokens=cached,
        output_tokens=replies.token_count(usage, "output_tokens"),
        refused=replies.is_refusal(finish),
    )
    if reply.cut and any(block.get("type") == "tool_use" for block in body["content"]):
        # The service closes what was cut; without its last brace it can be told from a whole one.
        return replace(reply, text=reply.text.removesuffix("}"))
    return reply


def _text(blocks: list[Any]) -> str:
    """Return a tool's input as JSON text, a list of several of them, or the texts."""
    inputs = [block.get("input") for block in blocks if block.get("type") == "tool_use"]
    if not inputs:
        return replies.message_text(blocks)
    return json.dumps(inputs if len(inputs) > 1 else inputs[0], ensure_ascii=False)


def _outcome(result: Any) -> Reply | CallError:
    """Return the outcome of a request of a batch."""
    result = result if isinstance(result, dict) else {}
    kind, message, error = result.get("type"), result.get("message"), result.get("error")
    found = find_error(message)
    if kind == "errored" or error:
        inner = error.get("error", error) if isinstance(error, dict) else error
        return error_in(inner or "no reply in the batch", _SERVICE, _KEY)
    if found is not None:
        return call_error(found, _SERVICE, _KEY)
    if kind == "succeeded":
        try:
            return _reply(message)
        except TransientError as broken:
            return broken
    return TransientError(f"Anthropic had no reply in the batch: it {kind or 'has no outcome'}")
