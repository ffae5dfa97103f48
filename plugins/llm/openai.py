"""A Provider for OpenAI's chat completions API, and for every compatible server."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from ig4.core.calls.prices import Price
from ig4.core.calls.provider import BatchState
from ig4.core.calls.request import CallError, Reply, Request, ServiceError, TransientError
from ig4.core.errors import PrerequisiteError
from ig4.plugins.llm import batches, connection, prices, replies
from ig4.plugins.llm.bodyerrors import error_in, find_error
from ig4.plugins.llm.errors import call_error, redact, service_message
from ig4.plugins.llm.httpprovider import HttpProvider
from ig4.plugins.llm.images import tiles
from ig4.plugins.llm.logprobs import ABOUT_LOGPROBS, MISSING, read_logprobs
from ig4.plugins.llm.structured import is_endless_space

_REASONING = re.compile(r"^(?:o\d|gpt-5)")
_OPENAI_ADDRESS = re.compile(r"//[^/]*\b(?:openai\.com|openai\.azure\.com|azure\.com)(?:[:/]|$)")
_COSTLY_IMAGES = (
    "gpt-4o-mini"  # counts more tokens for an image, which then costs as much as with gpt-4o
)
_ENDPOINT = "/v1/chat/completions"
_STATES = {
    "completed": "ended",
    "expired": "ended",
    "cancelled": "cancelled",
    "failed": "failed",
}


class OpenAIProvider(HttpProvider):
    """Sends a JSON schema with the requests that have one; see `HttpProvider`."""

    endpoint = "/chat/completions"
    schema_key = "response_format"
    structured_option = "gpt.structured"
    name = "openai"
    prices: Mapping[str, Price] = prices.OPENAI
    batch_requests: int = 50_000
    batch_bytes: int = 190 * 2**20  # the service takes 200 MB

    _wants_completion_tokens = False
    """Whether this server has max_completion_tokens in the place of max_tokens."""

    async def open(self) -> None:
        """Make the client.

        Raises:
            PrerequisiteError: there is no key, and the server is not a local one.
            UsageError: the address is not valid.
        """
        import openai

        self._client_error = openai.OpenAIError
        shared: dict[str, Any] = {"max_retries": 0, "timeout": self.timeout}
        shared["http_client"] = connection.http_client(openai, self.timeout)
        has_key = bool(os.environ.get("OPENAI_API_KEY"))
        address = self.base_url or os.environ.get("OPENAI_BASE_URL")
        connection.check_address(address=address, variable="OPENAI_API_KEY")
        try:
            if not has_key and not address and os.environ.get("AZURE_OPENAI_ENDPOINT"):
                self._client = openai.AsyncAzureOpenAI(**shared)
            else:
                # Local servers need no key, but the client does.
                if not has_key and address and not _OPENAI_ADDRESS.search(address):
                    shared["api_key"] = "none"
                self._client = openai.AsyncOpenAI(base_url=self.base_url, **shared)
        except openai.OpenAIError:
            raise PrerequisiteError(
                f"{self.component} has no key: set OPENAI_API_KEY, or name a local server with "
                f"-o {self.component}.base_url=http://localhost:8000/v1 or OPENAI_BASE_URL"
            ) from None
        self._response = connection.response_type(openai)

    def tokens(self, request: Request) -> int:
        """Return the approximate input tokens of a request; small models count images as more."""
        if not request.model.startswith(_COSTLY_IMAGES):
            return super().tokens(request)
        first, tile = 2833, 5667  # as OpenAI publishes them
        return request.text_tokens + sum(first + tile * tiles(image) for image in request.images)

    def body(self, request: Request, *, plain: bool = False) -> dict[str, Any]:
        """See `HttpProvider.body`."""
        body: dict[str, Any] = {"model": request.model, "messages": _messages(request)}
        reasons = self._wants_completion_tokens or (
            self._is_openai and bool(_REASONING.match(request.model))
        )
        body["max_completion_tokens" if reasons else "max_tokens"] = request.max_tokens
        if request.temperature is not None and not reasons and not self._no_temperature:
            body["temperature"] = request.temperature
        if request.schema is not None and not self.schemas.refused and not plain:
            schema = {"name": "rating", "strict": True, "schema": dict(request.schema)}
            body["response_format"] = {"type": "json_schema", "json_schema": schema}
        if request.logprobs:
            body |= {"logprobs": True, "top_logprobs": request.logprobs}
        return body | dict(request.extra)

    async def send(self, request: Request) -> Reply:
        """Send one request; see `HttpProvider.send`.

        Raises:
            ServiceError: it asks for log-probabilities, and the server has never told any.
        """
        reply = await super().send(request)
        if not request.logprobs or reply.refused:
            return reply
        if reply.logprobs is not None:
            self._tells_logprobs = True
            return reply
        if self._tells_logprobs:
            return replace(reply, finish=MISSING)
        raise ServiceError(
            f"{self._service} tells no log-probabilities of {request.model}, which this scorer "
            "reads: name a model or a server that does (OpenAI's gpt-4o-mini, vLLM, llama.cpp), "
            "or a scorer that needs none"
        )

    _tells_logprobs = False
    """Whether this server has told log-probabilities in this run."""

    @property
    def _is_openai(self) -> bool:
        return bool(_OPENAI_ADDRESS.search(str(self._client.base_url))) if self._client else False

    def read_reply(self, content: Any) -> Reply:
        """See `HttpProvider.read_reply`."""
        return _reply(content)

    def adapt(self, error: Exception, body: Mapping[str, Any]) -> None:
        """See `HttpProvider.adapt`."""
        status, message = getattr(error, "status_code", None), service_message(error)
        if "response_format" in body:
            self.schemas.note_error(status, message)
        if status not in (400, 404, 422) or ("response_format" in body and self.schemas.refused):
            return
        if "max_tokens" in body and "max_completion_tokens" in message:
            self._wants_completion_tokens = True
        elif "temperature" in body and "temperature" in message:
            self._no_temperature = True

    def to_call_error(self, error: Exception) -> CallError:
        """See `HttpProvider.to_call_error`."""
        message = service_message(error)
        if getattr(error, "status_code", None) in (400, 422) and ABOUT_LOGPROBS.search(message):
            return ServiceError(
                f"{self._service} does not give the log-probabilities that this scorer reads: "
                f"{message}. Fewer tokens may be allowed, -o {self.component}.top_logprobs=5; "
                "else name another model or server"
            )
        hint = self.schemas.hint(message)
        return call_error(error, self._service, "OPENAI_API_KEY", hint=hint)

    @property
    def _service(self) -> str:
        return "OpenAI" if self._is_openai else f"the server at {self._client.base_url.host}"

    # Batches

    async def submit(self, key: str, requests: Mapping[str, Request]) -> str:
        """Upload the file of a batch, start the batch, and return its id.

        Raises:
            BatchLimitError, NotSubmittedError: as `Provider.submit` says.
            TransientError, RejectedError, ServiceError: as for `send`.
        """
        import openai

        # A batch is no place to find out: a server without schemas may fill all of it with space.
        plain = not self.schemas.settled and not self._is_openai
        lines = (
            json.dumps(
                {
                    "custom_id": custom_id,
                    "method": "POST",
                    "url": _ENDPOINT,
                    "body": self.body(request, plain=plain),
                }
            )
            for custom_id, request in requests.items()
        )
        content = "\n".join(lines).encode()
        try:
            file = await self._client.files.create(
                file=(f"ig4-{key}.jsonl", content), purpose="batch"
            )
        except openai.OpenAIError as error:
            if getattr(error, "status_code", None) == 413:
                raise batches.submission_error(error, self.to_call_error(error)) from None
            raise batches.upload_error(self.to_call_error(error)) from None
        return await self._start_batch(key, file.id)

    async def _start_batch(self, key: str, file: str) -> str:
        """Start a batch of a file, which the service may not find at once; return its id."""
        import openai

        pauses = iter(batches.FILE_PAUSES)
        while True:
            try:
                batch = await self._client.batches.create(
                    input_file_id=file,
                    endpoint=_ENDPOINT,
                    completion_window="24h",
                    metadata={"ig4": key},
                )
            except openai.OpenAIError as error:
                pause = next(pauses, None) if _is_file_missing(error) else None
                if pause is None:
                    raise batches.submission_error(error, self.to_call_error(error)) from None
                await asyncio.sleep(pause)
            else:
                return str(batch.id)

    async def find(self, key: str, custom: set[str], since: datetime) -> str | None:
        """Find a batch by its key among all of the account: no two clocks are compared."""
        import openai

        try:
            async for batch in self._client.batches.list(limit=100):
                if (batch.metadata or {}).get("ig4") == key:
                    return str(batch.id)
        except openai.OpenAIError as error:
            raise self.to_call_error(error) from None
        return None

    async def batch(self, remote_id: str) -> BatchState:
        """Return the progress of a batch."""
        batch = await self._await_response(self._client.batches.retrieve(remote_id))
        counts = batch.request_counts
        errors = getattr(batch.errors, "data", None) or []
        state: Any = _STATES.get(batch.status, "running")
        message = redact("; ".join(str(one.message or one.code) for one in errors[:3]))
        codes = " ".join(str(one.code) for one in errors[:3])
        return BatchState(
            state=state,
            done=counts.completed + counts.failed if counts else 0,
            total=counts.total if counts else 0,
            message=message,
            error=batches.failure(codes, message) if state == "failed" else None,
            replies=counts.completed if counts else None,
        )

    async def results(self, remote_id: str) -> AsyncIterator[tuple[str, Reply | CallError]]:
        """Yield the outcome of each request of a batch, from its two files."""
        batch = await self._await_response(self._client.batches.retrieve(remote_id))
        for file in (batch.output_file_id, batch.error_file_id):
            if file:
                async for line in self._lines(file):
                    yield self._outcome(line)

    def _outcome(self, line: Any) -> tuple[str, Reply | CallError]:
        """Return a request's hash and its outcome, from a line of a batch's files."""
        line = line if isinstance(line, dict) else {}
        custom_id = str(line.get("custom_id"))
        response = line.get("response")
        response = response if isinstance(response, dict) else {}
        status, body = response.get("status_code"), response.get("body")
        if status == 200:
            error = find_error(body)
            if error is not None:
                return custom_id, self.to_call_error(error)
            try:
                return custom_id, self._noted(_reply(body))
            except TransientError as broken:
                return custom_id, broken
        inner = body.get("error", body) if isinstance(body, dict) else body
        given = line.get("error") or inner or "no reply in the batch"
        known = status if isinstance(status, int) and status >= 400 else None
        return custom_id, error_in(given, self._service, "OPENAI_API_KEY", known)

    def _noted(self, reply: Reply) -> Reply:
        """Return a batch's reply, from which the next batch learns about schemas."""
        if self.schemas.wanted is None and is_endless_space(reply):
            self.schemas.note_reply(reply, plain=False)
        return reply

    async def _lines(self, file: str) -> AsyncIterator[dict[str, Any]]:
        import openai

        streaming = self._client.files.with_streaming_response
        try:
            async with streaming.content(file) as response:
                async for line in response.iter_lines():
                    if line.strip():
                        yield replies.parse_json(line)
        except (openai.OpenAIError, connection.connection_error(openai)) as error:
            raise self.to_call_error(error) from None

    async def cancel(self, remote_id: str) -> None:
        """Ask the service to stop a batch."""
        await self._await_response(self._client.batches.cancel(remote_id))


def _is_file_missing(error: Exception) -> bool:
    """Tell whether a batch was refused because its file is not there (yet)."""
    if getattr(error, "status_code", None) == 404:
        return True  # there is nothing else that it could miss
    return batches.is_file_missing(service_message(error))


def _messages(request: Request) -> list[dict[str, Any]]:
    content: Any = request.prompt
    if request.images:
        content = [
            {"type": "image_url", "image_url": {"url": f"data:image/jpeg;base64,{_base64(image)}"}}
            for image in request.images
        ] + [{"type": "text", "text": request.prompt}]
    messages: list[dict[str, Any]] = []
    if request.system:
        messages.append({"role": "system", "content": request.system})
    messages.append({"role": "user", "content": content})
    return messages + [{"role": role, "content": text} for role, text in request.history]


def _base64(image: bytes) -> str:
    return base64.b64encode(image).decode()


def _reply(body: Any) -> Reply:
    """Return the reply in a chat completion.

    Raises:
        TransientError: the completion has no reply.
    """
    return replies.parse_reply(body, _make_reply, "choice")


def _make_reply(body: Any) -> Reply:
    choice = body["choices"][0]
    message = choice["message"]
    usage = body.get("usage")
    refusal = message.get("refusal")
    finish = replies.finish_of(choice.get("finish_reason"))
    return Reply(
        text=replies.message_text(refusal or message.get("content")),
        finish=finish,
        input_tokens=replies.token_count(usage, "prompt_tokens"),
        cached_tokens=replies.token_count(usage, "prompt_tokens_details", "cached_tokens"),
        output_tokens=replies.token_count(usage, "completion_tokens"),
        refused=bool(refusal) or replies.is_refusal(finish),
        logprobs=read_logprobs(choice),
    )
