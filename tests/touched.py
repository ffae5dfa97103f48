"""Names the tests of what was changed since a commit: for `make quick`.

    python tests/touched.py [COMMIT]      # by default HEAD: what is not committed

Tests mirror the folders: those of `core/files/remote/web.py` are in `tests/core/files/remote`, or
in the nearest folder above that has some; those of a file directly in `cli` are the ones with its
name, or all that stand directly in `tests/cli`.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("cli", "core", "plugins", "storage", "web")
ALWAYS = ("tests/test_architecture.py",)
_WHOLE = 2  # folders below `tests` from which on all that is in them is named


def mirrored(changed: Iterable[str], root: Path) -> list[str]:
    """Return the paths of tests of changed files, given relative to the root; sorted."""
    found = {path for name in changed for path in _of_file(Path(name), root)}
    whole = {path for path in found if not path.suffix}
    kept = {path for path in found if not any(one in whole for one in path.parents)}
    return sorted({*ALWAYS, *(path.as_posix() for path in kept)})


def _of_file(path: Path, root: Path) -> list[Path]:
    if path.parts[0] == "tests" and path.name.startswith("test_") and (root / path).is_file():
        return [path]
    folder = path.parent if path.parts[0] == "tests" else Path("tests") / path.parent
    if path.parts[0] not in (*FOLDERS, "tests") or path.suffix not in (".py", ".js", ".css"):
        return []
    while not (root / folder).is_dir() or not any((root / folder).glob("test_*.py")):
        if len(folder.parts) <= _WHOLE:
            return []
        folder = folder.parent
    if len(folder.parts) > _WHOLE:
        return [folder]
    files = sorted((root / folder).glob("test_*.py"))
    same = [one for one in files if one.stem.removeprefix("test_") in path.stem]
    return [one.relative_to(root) for one in same or files]


def _changed(commit: str) -> list[str]:
    names = []
    for how in (["diff", "--name-only", commit], ["ls-files", "--others", "--exclude-standard"]):
        done = subprocess.run(["git", *how], cwd=ROOT, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(done.stderr.strip() or f"git knows no commit {commit}")
        names += done.stdout.splitlines()
    return names


if __name__ == "__main__":
    commit = sys.argv[1] if sys.argv[1:] else "HEAD"
    sys.stdout.write(" ".join(mirrored(_changed(commit), ROOT)) + "\n")
