"""Where a data set comes from: whether it may be read, and whether it is the one that is stored."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ig4.core.errors import DatasetError, UsageError
from ig4.core.files.opening import OutsideFileError, folder_roots, open_beneath
from ig4.core.files.patterns import is_local_pattern, local_files
from ig4.core.files.reading.encodings import unreadable_error
from ig4.core.files.remote.addresses import is_address
from ig4.core.host.fingerprint import canonical
from ig4.core.texts import sanitize
from ig4.storage import datasets

if TYPE_CHECKING:
    from ig4.core.contracts import Format
    from ig4.core.engine.ingesting.paths import ImageRoots
    from ig4.core.engine.session import Session
    from ig4.core.files.remote.places import Place


def require_names(path: Path | str, image_root: Path | str | None, name: str | None) -> None:
    """Refuse names that are no text: a database cannot hold them."""
    named = {"the path of the data set": path, "--image-root": image_root, "--name": name}
    for what, value in named.items():
        if value is not None and sanitize(str(value)) != str(value):
            raise UsageError(
                f"{what}, {str(value)!r}, is not valid {sys.getfilesystemencoding()}, so it cannot "
                "be stored: rename it"
            )


def record_roots(path: Path, roots: ImageRoots) -> tuple[str, ...]:
    """Return the real paths of the folders in which the records of a folder may lie."""
    return (*folder_roots(path), *roots.real)


def refuse_outside(form: Format, path: Path, roots: ImageRoots) -> None:
    """Refuse a folder whose records lie elsewhere, or in no regular file."""
    if not path.is_dir():
        return  # the user named the file itself
    for file in form.sources(path):
        try:
            open_beneath(file, record_roots(path, roots)).close()
        except OutsideFileError:
            raise DatasetError(
                f"{file} is a link that leaves the folder {path}: if you trust it, name the file "
                "itself"
            ) from None
        except OSError as error:
            raise unreadable_error(file, error) from None


def refuse_name(session: Session, name: str) -> None:
    """Refuse a new name that `--dataset` would take for several; a stored data set keeps its own.

    Raises:
        UsageError: it holds a comma, or is what the mixture of stored data sets is called.
    """
    with session.store.reading() as connection:
        known = {row.name for row in datasets.list_all(connection)}
    if name in known:
        return
    if "," in name:
        raise UsageError(
            f"a data set cannot be called {name!r}: a comma joins the names of several "
            "(--dataset a,b); give it a name without one (--name)"
        )
    parts = name.split("+")
    if len(parts) > 1 and known.issuperset(parts):
        raise UsageError(
            f"a data set cannot be called {name!r}: so the mixture of "
            f"{' and '.join(map(repr, parts))} is called; give it another name (--name)"
        )


def refuse_mixture(session: Session, name: str) -> None:
    """Refuse the name of a mixture, which has no records of its own.

    Raises:
        UsageError: it is that of one.
    """
    with session.store.reading() as connection:
        known = datasets.find(connection, name)
    if known is not None and known.is_mixture:
        raise UsageError(
            f"{name!r} is a mixture of {' and '.join(map(repr, known.options['members']))} in "
            f"{session.store.location}: give this data set another name with --name"
        )


def refuse_other(session: Session, name: str, path: str, state: str) -> None:
    """Refuse a path if another data set has the name, unless that one was moved here."""
    with session.store.reading() as connection:
        known = datasets.find(connection, name)
    if known is None or _is_same(known.path, path):
        return
    if _is_gone(known.path):
        if known.source_state is not None and _sizes(known.source_state) == _sizes(state):
            session.notice(f"{name} was moved: from {known.path} to {path}")
            return
        raise UsageError(
            f"the data set {name!r} in {session.store.location} came from {known.path}, which is "
            f"gone, and {path} holds other files: add --replace to put this one in its place, or "
            "give it another name with --name"
        )
    raise UsageError(
        f"the data set {name!r} in {session.store.location} came from {known.path}: give "
        f"this one another name with --name, or add --replace to put it in that one's place."
    )


def _is_gone(path: str) -> bool:
    """Tell whether nothing is at a path any more, nor any file that it stands for as a pattern."""
    if is_address(path) or not is_local_pattern(path):
        return not is_address(path) and not Path(path).exists()
    try:
        return not local_files(path)
    except (DatasetError, UsageError):
        return True


def _is_same(known: str, path: str) -> bool:
    """Tell whether two paths mean the same file; `../data` and `/home/me/data` may."""
    if known == path or is_address(known) or is_address(path):
        return known == path
    one, other = Path(known), Path(path)
    return one == other or (one.exists() and other.exists() and one.samefile(other))


def _sizes(state: str) -> list[tuple[str, int]]:
    """Return the names and sizes of the files of a state, wherever they lie."""
    files = json.loads(state)[2]
    return [(Path(file).name, size) for file, size, _ in files]


def source_state(form: Format, place: Place, config: Mapping[str, Any]) -> str:
    """Return a text that changes whenever the data set has to be read again."""
    files = [list(place.state(file)) for file in form.sources(place.path)]
    return canonical([form.version, config, files])
