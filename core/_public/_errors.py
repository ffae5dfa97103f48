"""The root of all errors: what the database raises and what the engine raises have it in common."""

from __future__ import annotations


class Ig4Error(Exception):
    """The root of every error that ig4 raises on purpose; shown without a traceback."""

    exit_code = 1
