"""Which files of a training's folder are the training's, so that none of the user's is removed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ig4.core.contracts.training import MANIFEST as CHECKPOINT
from ig4.core.errors import UsageError
from ig4.core.files.writing.atomic import replacing
from ig4.core.files.writing.written import (
    MANIFEST,
    Written,
    WrittenFile,
    manifest_text,
    read_manifest,
)

JOB = "ig4_training.json"
"""The file that says which training a folder belongs to; whoever trains holds a lock on it."""

_OWN = (JOB, CHECKPOINT, f"{CHECKPOINT}.partial", MANIFEST)
_STATES = "state/"
_SHOWN = 3
_UNLISTED = frozenset({
    "README.md", "adapter_config.json", "added_tokens.json", "chat_template.jinja",
    "chat_template.json", "config.json", "generation_config.json", "image_processor_config.json",
    "merges.txt", "preprocessor_config.json", "processor_config.json", "sizes.json",
    "special_tokens_map.json", "tokenizer.json", "tokenizer.model", "tokenizer_config.json",
    "video_preprocessor_config.json", "vocab.json",
})  # fmt: skip
"""What a checkpoint of Hugging Face's has beside its weights: older folders have no list."""
_WEIGHTS = (".safetensors", ".safetensors.index.json", ".bin", ".pt", ".pth", ".npz")


@contextmanager
def listing(output: Path) -> Iterator[None]:
    """Keep the list of what is written in a folder while the block runs.

    Files that were there before, and are neither in the list nor a training's by their name, stay
    the user's.
    """
    foreign = set(foreign_files(output))
    try:
        yield
    finally:
        with suppress(OSError):
            _write_list(output, foreign)


def foreign_files(output: Path) -> list[str]:
    """Return the files below a training's folder that ig4 did not write, or that changed since."""
    known = read_manifest(output)
    return [name for name in _names(output) if not _is_ours(output, name, known)]


def remove_training(output: Path) -> None:
    """Remove what a training wrote, and the folders that are empty then.

    Raises:
        UsageError: there are files of others in the folder; then nothing is removed.
    """
    foreign = foreign_files(output)
    if foreign:
        listed = ", ".join(foreign[:_SHOWN])
        more = f" and {len(foreign) - _SHOWN:,} more" if len(foreign) > _SHOWN else ""
        raise UsageError(
            f"{output} also holds files that ig4 did not write, or that were changed since "
            f"({listed}{more}): move them elsewhere, or name another folder with --out"
        )
    # What tells ig4's files goes last, and of it the lock: after a kill the rest is still known.
    for name in sorted(_names(output), key=lambda name: (name in _OWN, name == JOB)):
        (output / name).unlink()
    for folder, _, _ in os.walk(output, topdown=False):
        with suppress(OSError):  # the working directory, or where a disk is mounted
            Path(folder).rmdir()


def _write_list(output: Path, foreign: set[str]) -> None:
    kept: Written = {
        name: files
        for name, files in read_manifest(output).items()
        if any(map(_is_of_an_export, files))
    }
    for name in _names(output):
        if name not in foreign and name not in kept and name not in _OWN:
            kept[name] = [WrittenFile(name, size=(output / name).lstat().st_size)]
    with replacing(output / MANIFEST) as partial:
        partial.write_text(manifest_text(kept), encoding="utf-8")


def _is_ours(output: Path, name: str, known: Written) -> bool:
    if name in _OWN or name.startswith(_STATES):
        return True
    if not (output / CHECKPOINT).exists() and _is_of_a_checkpoint(name.removesuffix(".partial")):
        return True  # a training that was killed has listed nothing
    if not known:
        return (output / CHECKPOINT).exists() and _is_of_a_checkpoint(name)
    size = (output / name).lstat().st_size
    return any(size == one.size and not _is_of_an_export(one) for one in known.get(name, ()))


def _is_of_an_export(one: WrittenFile) -> bool:
    return bool(one.sha256 or one.link)


def _is_of_a_checkpoint(name: str) -> bool:
    return name in _UNLISTED or name.endswith(_WEIGHTS)


def _names(output: Path) -> list[str]:
    """Return the files and links below a folder; a link to a folder is a link."""
    found = []
    for folder, folders, files in os.walk(output):
        links = [name for name in folders if Path(folder, name).is_symlink()]
        found += [Path(folder, name).relative_to(output).as_posix() for name in [*files, *links]]
    return sorted(found)
