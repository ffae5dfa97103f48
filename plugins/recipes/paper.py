"""The recipe of the InstructionGPT-4 paper."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from ig4.core.contracts import Recipe

if TYPE_CHECKING:
    from ig4.core.records import JSON


class Paper(Recipe):
    """The values of the paper's sections 3 and 4 and of its Table 2."""

    source: ClassVar[str] = "InstructionGPT-4, arXiv 2308.12067"

    def settings(self) -> Mapping[str, JSON]:
        """Four scores, ten spectral clusters, quotas, 200 samples."""
        return {
            "run": {"scorers": ["clip", "length", "reward", "gpt"], "seed": 42},
            "scorers": {
                "clip": {"model": "ViT-bigG-14", "pretrained": "laion2b_s39b_b160k"},
                "gpt": {"model": "gpt-4"},
            },
            "cluster": {"clusterer": "spectral", "k": 10},
            "select": {
                "selector": "quota",
                "size": 200,
                "scale": "paper",
                "weights": {"clip": 0.53, "length": 0.10, "reward": 0.10, "gpt": 0.27},
            },
        }
