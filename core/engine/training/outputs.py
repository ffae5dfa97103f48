"""Claims the folder of a training, so that one training at a time writes into it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

from ig4.core.contracts.training import MANIFEST, Checkpoint
from ig4.core.engine.training.contents import JOB, listing, remove_training
from ig4.core.errors import UsageError
from ig4.core.files.writing.atomic import make_folder, sync
from ig4.core.files.writing.locks import hold_lock, may_be_locked
from ig4.core.files.writing.written import MANIFEST as LIST


def finished_checkpoint(output: Path, inputs: str) -> Checkpoint | None:
    """Return the checkpoint in a folder if it belongs to the training with the digest `inputs`.

    Processes that train together call this one by one: none can finish without the others, so a
    checkpoint that is there was there before they began.
    """
    if _owner(output / JOB) != inputs or not (output / MANIFEST).is_file():
        return None
    return Checkpoint.read(output)


def is_training(output: Path) -> bool:
    """Return whether a process trains in a folder; True also where that cannot be known.

    It cannot be known without locks, nor from another machine, where the folder is missing.
    """
    return may_be_locked(output / JOB)


@contextmanager
def claim_folder(output: Path, inputs: str, *, overwrite: bool) -> Iterator[Checkpoint | None]:
    """Claim a folder for a training while the block runs; yields the checkpoint that is there.

    A folder in which another training has saved nothing yet is taken over. What is written in it
    while the block runs is listed as ig4's.

    Raises:
        UsageError: the folder holds something else, or another process trains in it.
    """
    if output.is_symlink() and not output.exists():
        raise UsageError(f"{output} is a link that leads nowhere: name another folder with --out")
    if output.exists() and not output.is_dir():
        raise UsageError(f"{output} is a file: name a folder with --out")
    with suppress(FileNotFoundError), _held(output):
        _clear(output, inputs, overwrite=overwrite)
    if not (output / JOB).exists():
        if output.exists() and any(output.iterdir()):
            raise UsageError(
                f"{output} is not empty, and holds no training of ig4: name another folder with "
                "--out"
            )
        make_folder(output)
        with suppress(FileExistsError), (output / JOB).open("x", encoding="utf-8") as file:
            file.write(json.dumps({"inputs": inputs}) + "\n")
        sync(output)
    with _held(output):
        finished = finished_checkpoint(output, inputs)
        if finished is not None:
            yield finished
            return
        with listing(output):
            yield None


def _clear(output: Path, inputs: str, *, overwrite: bool) -> None:
    """Remove another training from a folder; one of the same inputs stays unless overwritten.

    Raises:
        UsageError: the other training may not be removed, or there are files of others beside it.
    """
    owner = _owner(output / JOB)
    if owner == inputs and not overwrite:
        return
    if not overwrite and not _is_bare(output):
        raise UsageError(
            f"{output} holds a training of another model, other samples or another seed: name "
            "another folder with --out, or --overwrite it"
        )
    if overwrite and int(os.environ.get("WORLD_SIZE", "1")) > 1:
        # The other processes may be reading its saved states at this moment.
        raise UsageError(
            f"{output}: several processes cannot overwrite a training; remove the folder first"
        )
    if output.is_symlink():
        raise UsageError(
            f"{output} is a link to {output.readlink()}, which is not removed: name that folder "
            "with --out"
        )
    remove_training(output)


def _is_bare(output: Path) -> bool:
    """Return whether a training has saved nothing in its folder yet."""
    return all(path.name in (JOB, LIST) for path in output.rglob("*") if not path.is_dir())


def _owner(file: Path) -> str | None:
    """Return the inputs of the training that a folder belongs to.

    None without the file, "" where it cannot be read.
    """
    try:
        return str(json.loads(file.read_text(encoding="utf-8"))["inputs"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return ""


def _held(output: Path) -> AbstractContextManager[None]:
    return hold_lock(
        output / JOB,
        f"another process is training in {output} now: wait for it, or name another folder with "
        "--out",
    )
