"""The modules of examples/miniature that the arena builds upon: worlds, models, commands, tables.

They are no package. Those that load torch (`base`, `tiny_clip`, `tiny_reward`) are imported where
they are used, after this module.
"""

from __future__ import annotations

import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / "miniature"
if str(FOLDER) not in sys.path:
    sys.path.append(str(FOLDER))

import commands  # noqa: E402
import instructions  # noqa: E402
import miniature  # noqa: E402
import report as miniature_report  # noqa: E402
import world  # noqa: E402

__all__ = ["commands", "instructions", "miniature", "miniature_report", "world"]
