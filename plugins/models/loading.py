"""What the loaders of models share: libraries that stay quiet, and errors in one sentence."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ig4.core.errors import PrerequisiteError


def one_line(error: BaseException, limit: int = 300) -> str:
    """Return an error's message as one line of at most `limit` characters, else its class."""
    return " ".join(str(error).split())[:limit] or type(error).__name__


@contextmanager
def explain_loading_errors(
    model: str, device: str, explain: Callable[[str], str]
) -> Iterator[None]:
    """Turn any error into one sentence that says what to do.

    `explain` makes the sentence from the error's own message, except where memory runs out.

    Raises:
        PrerequisiteError: loading failed.
    """
    import torch

    try:
        yield
    except (MemoryError, torch.OutOfMemoryError) as error:
        raise PrerequisiteError(
            f"{model} does not fit into the memory of {device}: take a smaller model, a lower "
            "precision, or another device"
        ) from error
    except Exception as error:
        raise PrerequisiteError(explain(one_line(error))) from error


@contextmanager
def quiet_logging(ignored: type[Warning] = Warning) -> Iterator[None]:
    """Keep log lines, and the `ignored` class of warnings, off the terminal."""
    level = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ignored)
            yield
    finally:
        logging.disable(level)


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Keep transformers' progress bars and log lines off the terminal while it loads."""
    import transformers

    hf_logging: Any = transformers.utils.logging  # untyped
    bars = hf_logging.is_progress_bar_enabled()
    hf_logging.disable_progress_bar()
    try:
        with quiet_logging(FutureWarning):
            yield
    finally:
        if bars:
            hf_logging.enable_progress_bar()
