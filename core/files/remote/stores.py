"""Reads object stores through fsspec's file systems: S3, Google Cloud, the Hugging Face hub.

Credentials are found by the libraries themselves, where they always look: ig4 knows none.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from ig4.core.files.remote.errors import DeniedFileError, RemoteFileError, TransientError
from ig4.core.files.remote.web import missing

_LIBRARIES = {"s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "hf": "huggingface_hub"}
_LOGGING = ("gcsfs", "s3fs", "fsspec", "aiobotocore", "botocore", "huggingface_hub")
_SILENT = logging.NullHandler()
_VERSIONS = ("ETag", "etag", "blob_id", "generation", "LastModified", "mtime", "updated")
_FINAL = (
    "NoCredentials", "PartialCredentials", "ProfileNotFound", "GatedRepo", "RepositoryNotFound",
    "RevisionNotFound", "ParamValidation", "HFValidation", "InvalidRegion", "NoAuth",
    "DefaultCredentials",
)  # fmt: skip
"""How errors are called that another try would not mend."""


class StoredFile(NamedTuple):
    """A file of a store: its address, its bytes, and what tells it from an earlier one."""

    address: str
    size: int
    version: str | None


def file_system(address: str) -> Any:
    """Return the fsspec file system of an address.

    Raises:
        MissingExtraError: its library is not installed.
    """
    scheme = address.partition("://")[0].lower()
    for library in _LOGGING:  # errors are told by ig4; with -vvv the libraries say more
        logging.getLogger(library).addHandler(_SILENT)
    try:
        import fsspec

        return fsspec.filesystem(scheme)
    except ImportError:
        raise missing(f"fsspec and {_LIBRARIES[scheme]}") from None


def stored_files(address: str) -> tuple[list[StoredFile], bool]:
    """Return the file at an address, or all below the folder there; and whether it is a folder.

    Raises:
        RemoteFileError: nothing is there, or it cannot be had.
    """
    store = file_system(address)
    with _told():
        store.invalidate_cache()
        if not store.isdir(address):
            return [_stored(address, store.info(address))], False
        scheme = address.partition("://")[0]
        found = store.find(address, detail=True)
        return [
            _stored(f"{scheme}://{name}", told)
            for name, told in sorted(found.items())
            if told.get("type") != "directory" and not name.endswith("/")
        ], True


def stored_file(address: str) -> StoredFile | None:
    """Return the file at an address, None where none is; raises as `stored_files`."""
    store = file_system(address)
    with _told():
        store.invalidate_cache()
        try:
            told = store.info(address)
        except FileNotFoundError:
            return None
    return None if told.get("type") == "directory" else _stored(address, told)


def matching(address: str) -> list[StoredFile]:
    """Return the files that an address with `*` stands for, in the order of names."""
    store = file_system(address)
    scheme = address.partition("://")[0]
    with _told():
        store.invalidate_cache()
        found = store.glob(address, detail=True)
    return [
        _stored(f"{scheme}://{name}", told)
        for name, told in sorted(found.items())
        if told.get("type") != "directory"
    ]


def read_range(address: str, start: int, end: int) -> bytes:
    """Return the bytes of a file from `start` up to `end`, fewer if it is shorter."""
    store = file_system(address)
    with _told():
        try:
            data: bytes = store.cat_file(address, start=start, end=end)
        except Exception as error:
            if not _is_beyond(error):
                raise
            return b""
        return data


def download(address: str, path: Path) -> None:
    """Fetch a file whole."""
    store = file_system(address)
    with _told():
        store.get_file(address, str(path))


def _is_beyond(error: Exception) -> bool:
    """Tell whether a store says that a file has no bytes there: an empty one has none at all."""
    status = getattr(error, "status", None) or getattr(error, "code", None)
    status = getattr(getattr(error, "response", None), "status_code", status)
    text = str(error).lower()
    return str(status) == "416" or "range is not satisfiable" in text or "invalidrange" in text


def _stored(address: str, told: Any) -> StoredFile:
    version = next((str(told[key]) for key in _VERSIONS if told.get(key)), None)
    return StoredFile(address, int(told.get("size") or 0), version)


@contextmanager
def _told() -> Iterator[None]:
    """Tell what went wrong in our words, whatever a library raises."""
    try:
        yield
    except RemoteFileError:
        raise
    except FileNotFoundError:
        raise RemoteFileError("nothing is there") from None
    except PermissionError as error:
        raise DeniedFileError(f"the store refuses it ({_reason(error)})") from None
    except ImportError as error:
        raise missing(str(error.name or "libraries")) from None
    except Exception as error:  # noqa: BLE001 - libraries of others raise what they like
        name = type(error).__name__
        if name.startswith(_FINAL):
            raise DeniedFileError(f"the store refuses it ({_reason(error)})") from None
        raise TransientError(f"the store does not give it ({_reason(error)})") from None


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 200 else f"{text[:200]}…"
