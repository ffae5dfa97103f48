"""What the providers of both services share: one request over HTTP, sent until its form fits."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Awaitable, Mapping
from contextlib import nullcontext
from typing import Any, ClassVar, TypeVar

from ig4.core.calls.provider import Provider
from ig4.core.calls.request import CallError, Reply, Request
from ig4.plugins.llm import connection, replies
from ig4.plugins.llm.bodyerrors import find_error
from ig4.plugins.llm.errors import BodyError
from ig4.plugins.llm.structured import SchemaTrial

Answer = TypeVar("Answer")


class HttpProvider(Provider):
    """Takes keys and addresses from the options and the client's own environment variables.

    `structured` says whether to ask for an answer by a JSON schema: None does until the server
    refuses. `component` is who asks, as the user gives it options. A subclass makes the vendor's
    client in `open`, and names its errors.
    """

    endpoint: ClassVar[str]
    """The path of a single request, below the address of the client."""

    schema_key: ClassVar[str]
    """The key of a body with which it asks for an answer by a schema."""

    structured_option: ClassVar[str]
    """What a user calls the option for `structured`."""

    _client: Any
    _client_error: type[Exception]
    _response: Any

    def __init__(
        self,
        *,
        base_url: str | None = None,
        timeout: float = 120.0,
        structured: bool | None = None,
        batch_requests: int | None = None,
        batch_tokens: int | None = None,
        component: str | None = None,
    ) -> None:
        self.batch_requests = min(batch_requests or self.batch_requests, self.batch_requests)
        self.batch_tokens = batch_tokens or 0
        self.base_url = base_url
        self.timeout = timeout
        self.component = component or self.structured_option.partition(".")[0]
        self.schemas = SchemaTrial(structured, f"{self.component}.structured", self._tell)
        self._no_temperature = False
        self._client = None

    def _tell(self, text: str) -> None:
        self.notice(text)  # which the engine sets later

    async def close(self) -> None:
        """Close the client's connections."""
        if self._client is not None:
            await self._client.close()

    @abstractmethod
    def body(self, request: Request, *, plain: bool = False) -> dict[str, Any]:
        """Return the body of a request, without what this server has refused before.

        With `plain` it has no schema.
        """

    @abstractmethod
    def read_reply(self, content: Any) -> Reply:
        """Return the reply that the body of a response holds.

        Raises:
            TransientError: it holds none.
        """

    @abstractmethod
    def adapt(self, error: Exception, body: Mapping[str, Any]) -> None:
        """Find out from a refusal what this server does not accept."""

    @abstractmethod
    def to_call_error(self, error: Exception) -> CallError:
        """Return what an error of the client, or in a body, means for the calls."""

    async def send(self, request: Request) -> Reply:
        """Send one request.

        Raises:
            TransientError, RejectedError, ServiceError: as `errors.call_error` says.
        """
        spent = Reply("")
        while True:
            async with self.schemas.turn() if request.schema else nullcontext():
                plain = self.schemas.suspicious
                body = self.body(request, plain=plain)
                try:
                    reply = (await self._post(body, request)).within(request.max_tokens)
                except (self._client_error, BodyError) as error:
                    if plain:
                        self.schemas.note_plain_failure()
                        raise self.to_call_error(error) from None
                    self.adapt(error, body)
                    # Another request may have changed the settings meanwhile.
                    if body != self.body(request):
                        continue
                    raise self.to_call_error(error) from None
            has_schema = self.schema_key in body
            if request.schema and self.schemas.note_reply(reply, plain=not has_schema):
                spent = replies.with_spent(reply, spent)
                if body != self.body(request):
                    continue
            return replies.with_spent(reply, spent)

    async def _post(self, body: Mapping[str, Any], request: Request) -> Reply:
        options = {"timeout": connection.seconds_for(request, self.timeout)}
        response = await self._client.post(
            self.endpoint, cast_to=self._response, body=dict(body), options=options
        )
        content = replies.parse_json(response.content)
        error = find_error(content, response)
        if error is not None:
            raise error
        return self.read_reply(content)

    async def _await_response(self, awaitable: Awaitable[Answer]) -> Answer:
        """Await what the client asks the service; its errors become those of calls."""
        try:
            return await awaitable
        except self._client_error as error:
            raise self.to_call_error(error) from None
