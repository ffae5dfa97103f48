"""The JavaScript that draws charts in a browser: Vega, Vega-Lite and Vega-Embed in one text.

It comes out of the installed vl-convert and takes seconds to make, so it is kept.
"""

from __future__ import annotations

import hashlib
import os
import stat
from contextlib import suppress
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

from ig4.core.charts.library import vega_lite, vl_convert
from ig4.core.errors import Ig4Error
from ig4.core.files.writing.atomic import replacing
from ig4.core.files.writing.written import open_regular

_LONGEST = 1 << 24  # bytes
_SIGNED = b"/* ig4 vega bundle sha256:%s */\n"


def vega_bundle(cache: Path | None = None) -> str:
    """Return the JavaScript that defines `vega`, `vegaLite` and `vegaEmbed` in a page.

    `cache` is the folder where it is kept, by default the user's own (`$XDG_CACHE_HOME/ig4`); what
    others may write to is not read. Without a folder that can be written it is made each time.

    Raises:
        MissingExtraError: vl-convert is not installed.
    """
    convert = vl_convert()
    name = f"vega-{version('vl-convert-python')}-{vega_lite()}.js"
    return _kept(convert, (cache or cache_folder()) / name)


def cache_folder() -> Path:
    """Return the folder where ig4 keeps what it can make again."""
    asked = os.environ.get("XDG_CACHE_HOME", "")
    home = Path(asked) if os.path.isabs(asked) else Path("~/.cache").expanduser()  # noqa: PTH117
    return home / "ig4"


@lru_cache(maxsize=2)
def _kept(convert: object, path: Path) -> str:
    found = _read(path)
    if found is not None:
        return found
    made: str = convert.javascript_bundle(vl_version=vega_lite())  # type: ignore[attr-defined]
    # Inside <script> these would end the script, or start a comment.
    made = made.replace("</script", "<\\/script").replace("<!--", "<\\!--")
    _write(path, made.encode())
    return made


def _read(path: Path) -> str | None:
    """Return what was kept, if it is whole and nobody else could have written it."""
    with suppress(OSError, ValueError):
        with open_regular(path) as file:
            status = os.fstat(file.fileno())
            if (hasattr(os, "getuid") and not _is_own(status)) or status.st_size > _LONGEST:
                return None
            data = file.read()
        first, _, text = data.partition(b"\n")
        if first + b"\n" == _signature(text):
            return text.decode()
    return None


def _is_own(status: os.stat_result) -> bool:
    others = stat.S_IWGRP | stat.S_IWOTH
    return status.st_uid == os.getuid() and not status.st_mode & others


def _signature(text: bytes) -> bytes:
    return _SIGNED % hashlib.sha256(text).hexdigest().encode()


def _write(path: Path, text: bytes) -> None:
    with suppress(OSError, Ig4Error):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with replacing(path) as partial:
            partial.write_bytes(_signature(text) + text)
            partial.chmod(0o600)
