"""What processes that tests start have around them."""

from __future__ import annotations

import os
from pathlib import Path


def environment(*folders: Path | str, **variables: str) -> dict[str, str]:
    """Return this process's environment with folders at the front of Python's path.

    Whatever else stands in PYTHONPATH stays, so that the ig4 that is started is the one under test.
    """
    rest = os.environ.get("PYTHONPATH")
    path = os.pathsep.join([*map(str, folders), *([rest] if rest else [])])
    return {**os.environ, "PYTHONPATH": path, **variables}
