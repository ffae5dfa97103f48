"""Asks before something is deleted."""

from __future__ import annotations

import sys

import click

from ig4.core.errors import UsageError

YES = click.option("--yes", "-y", is_flag=True, help="Do not ask for confirmation.")


def confirm(question: str, *, yes: bool) -> None:
    """Ask on a terminal; elsewhere there must be --yes.

    Raises:
        UsageError: nobody can be asked.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError(f"{question} Confirm with --yes")
    click.confirm(question, abort=True, err=True)
