"""Run migrations on the connection that `ig4.storage.versions` passes in."""

from __future__ import annotations

from alembic import context

from ig4.storage.schema import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,  # SQLite cannot alter a column in place
)
# The caller owns the transaction: a failed migration is rolled back.
context.run_migrations()
