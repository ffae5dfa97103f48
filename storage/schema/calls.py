"""Tables of requests to language models: the ledger, its workers and batches."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    ForeignKey,
    Index,
)
from sqlalchemy.orm import Mapped, mapped_column

from ig4.storage.schema.base import Base


class LlmWorker(Base):
    """A process that sends requests or scores; when it has ended, its claims are released.

    `beats` changes every few seconds while it is alive, and `seen_at` (PostgreSQL: by the server's
    clock) with it. `started` tells it from a later process of the same `pid`, where the system
    says when processes started.
    """

    __tablename__ = "llm_workers"
    id: Mapped[str] = mapped_column(primary_key=True)
    host: Mapped[str]
    pid: Mapped[int]
    started: Mapped[str | None]
    beats: Mapped[int] = mapped_column(server_default="0")
    seen_at: Mapped[datetime]


class LlmBatch(Base):
    """Requests submitted to a service together; `key` is stored before they are submitted."""

    __tablename__ = "llm_batches"
    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(unique=True)
    provider: Mapped[str]
    model: Mapped[str]
    remote_id: Mapped[str | None]
    state: Mapped[str]  # preparing, submitted, ended, cancelled, failed, lost, resent
    requests: Mapped[int]
    error: Mapped[str | None]
    component_id: Mapped[int | None] = mapped_column(ForeignKey("components.id"))
    worker: Mapped[str | None]
    run_id: Mapped[int | None] = mapped_column(ForeignKey("runs.id", ondelete="SET NULL"))
    created_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    crc: Mapped[int | None] = mapped_column(BigInteger)


class LlmCall(Base):
    """One request to a language model and its reply: cache and ledger at once.

    `state` is "claimed" while `worker` sends it, "batch" while it waits in batch `batch_id`, "done"
    with a reply, "unreadable" with a reply that does not answer the request, "failed" with an
    error, "lost" with a batch that the service does not have. `cost` is in US dollars, NULL if the
    price is not known; without a reply it is the most that may have to be paid. `seconds` is the
    latency.
    """

    __tablename__ = "llm_calls"
    __table_args__ = (Index(None, "batch_id"), Index(None, "component_id"))
    id: Mapped[int] = mapped_column(primary_key=True)
    request_hash: Mapped[str] = mapped_column(unique=True)
    provider: Mapped[str]
    model: Mapped[str]
    component_id: Mapped[int | None] = mapped_column(ForeignKey("components.id"))
    run_id: Mapped[int | None] = mapped_column(ForeignKey("runs.id", ondelete="SET NULL"))
    state: Mapped[str]
    worker: Mapped[str | None]
    batch_id: Mapped[int | None] = mapped_column(ForeignKey("llm_batches.id"))
    reply: Mapped[str | None]
    finish: Mapped[str | None]
    error: Mapped[str | None]
    input_tokens: Mapped[int | None]
    cached_tokens: Mapped[int | None]
    output_tokens: Mapped[int | None]
    cost: Mapped[float | None]
    seconds: Mapped[float | None]
    attempts: Mapped[int]
    created_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    crc: Mapped[int | None] = mapped_column(BigInteger)
