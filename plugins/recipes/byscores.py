"""Recipes of methods that look at scores, labels, or at all samples together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from ig4.core.contracts import Recipe

if TYPE_CHECKING:
    from ig4.core.records import JSON

CLIP_ANSWER: dict[str, JSON] = {"clip-answer": {"use": "clip", "reads": "answer"}}
"""The space of answers by the model that embeds the images."""


LENGTH_IN_TOKENS = "length-tokens"
"""What lengths in tokens are called."""


def best_by(scorer: str, **more: JSON) -> dict[str, JSON]:
    """Return the settings of a method that takes the best by one score."""
    return {
        "run": {"scorers": [scorer]},
        "cluster": {"clusterer": "none"},
        "select": {"selector": "topk", "weights": {scorer: 1.0}},
        **more,
    }


class NegClipLossRecipe(Recipe):
    """CLIP score less what fits everything, then the best."""

    source: ClassVar[str] = "negCLIPLoss, NeurIPS 2024 (arXiv 2405.19547)"

    def settings(self) -> Mapping[str, JSON]:
        """The pool scorer on CLIP's vectors of images and answers."""
        return best_by("negclip-loss", embedders=CLIP_ANSWER)


class NormSimRecipe(Recipe):
    """The best 30 % by negCLIPLoss, of these the most like the pool (or a target)."""

    source: ClassVar[str] = "negCLIPLoss with NormSim, NeurIPS 2024 (arXiv 2405.19547)"

    def settings(self) -> Mapping[str, JSON]:
        """A funnel: negCLIPLoss, then NormSim. `-o normsim.target=FILE` names target vectors."""
        return {
            "run": {"scorers": ["negclip-loss", "normsim"]},
            "embedders": CLIP_ANSWER,
            "cluster": {"clusterer": "none"},
            "select": {
                "selector": "topk",
                "weights": {"normsim": 1.0},
                "stages": [{"do": "reject", "tails": {"negclip-loss": [70, 100]}}],
            },
        }


class CcsRecipe(Recipe):
    """Equal budgets for strata of a score, without the hardest."""

    source: ClassVar[str] = "coverage-centric selection, ICLR 2023 (arXiv 2210.15809)"

    def settings(self) -> Mapping[str, JSON]:
        """Strata of the CLIP score."""
        return {
            "run": {"scorers": ["clip"]},
            "cluster": {"clusterer": "none"},
            "select": {"selector": "ccs", "weights": {"clip": 1.0}},
        }


class MetaClipRecipe(Recipe):
    """Frequent kinds are thinned out, rare ones stay."""

    source: ClassVar[str] = "balancing of MetaCLIP, ICLR 2024 (arXiv 2309.16671)"

    def settings(self) -> Mapping[str, JSON]:
        """The forms of questions in place of MetaCLIP's list of entries."""
        return {
            "run": {"scorers": []},
            "cluster": {"clusterer": "none"},
            "select": {"selector": "metaclip"},
        }


class MigRecipe(Recipe):
    """What adds most information over the labels of samples."""

    source: ClassVar[str] = "MIG, Findings of ACL 2025 (arXiv 2504.13835)"

    def settings(self) -> Mapping[str, JSON]:
        """DEITA's scores as quality; the forms of questions as labels, where there are no tags."""
        return {
            "run": {"scorers": ["deita"]},
            "cluster": {"clusterer": "none"},
            "select": {"selector": "mig", "weights": {"deita": 1.0}},
            "selectors": {"mig": {"groups": "form"}},
        }


class DeitaRecipe(Recipe):
    """Complex questions with good answers, without those like a better one."""

    source: ClassVar[str] = "DEITA, ICLR 2024 (arXiv 2312.15685)"

    def settings(self) -> Mapping[str, JSON]:
        """Complexity x quality over turns, then the filter at a cosine of 0.9."""
        return {
            "run": {"scorers": ["deita"]},
            "cluster": {"clusterer": "none"},
            "select": {"selector": "repr-filter", "weights": {"deita": 1.0}},
            "selectors": {"repr-filter": {"space": "sentence", "threshold": 0.9}},
        }


class AlpaGasusRecipe(Recipe):
    """Answers that a language model rates 4.5 of 5 or better."""

    source: ClassVar[str] = "AlpaGasus, ICLR 2024 (arXiv 2307.08701)"

    def settings(self) -> Mapping[str, JSON]:
        """A rating of accuracy from 0 to 5, and what reaches 4.5."""
        return {
            "run": {"scorers": ["alpagasus"]},
            "cluster": {"clusterer": "none"},
            "select": {"selector": "alpagasus", "weights": {"alpagasus": 1.0}},
            "selectors": {"alpagasus": {"rating": "alpagasus", "threshold": 4.5}},
        }


class SelectItRecipe(Recipe):
    """Ratings by a model's digit probabilities, less what prompts disagree on."""

    source: ClassVar[str] = "SelectIT, NeurIPS 2024 (arXiv 2402.16705): token and sentence level"

    def settings(self) -> Mapping[str, JSON]:
        """The best by the scorer."""
        return best_by("selectit")


class MlmFilterRecipe(Recipe):
    """Image and text match, and the text tells the image's objects."""

    source: ClassVar[str] = "MLM-Filter (arXiv 2403.02677)"

    def settings(self) -> Mapping[str, JSON]:
        """Four metrics in one scorer; the mean of two of them decides."""
        return {
            "run": {"scorers": ["mlm-filter"]},
            "cluster": {"clusterer": "none"},
            "select": {
                "selector": "topk",
                "weights": {
                    "mlm-filter.image_text_matching": 1.0,
                    "mlm-filter.object_detail_fulfillment": 1.0,
                },
            },
        }


class MmssrRecipe(Recipe):
    """Rounds over fourteen rated capabilities, evenly over styles."""

    source: ClassVar[str] = "mmSSR (arXiv 2503.13383)"

    def settings(self) -> Mapping[str, JSON]:
        """One call a sample gives all ratings and the styles."""
        from ig4.plugins.llm.rubrics import CAPABILITIES, STYLES

        return {
            "run": {"scorers": ["mmssr"]},
            "cluster": {"clusterer": "none"},
            "select": {"selector": "capability-style"},
            "selectors": {
                "capability-style": {
                    "ratings": "mmssr",
                    "capabilities": list(CAPABILITIES),
                    "style_outputs": [f"style-{style}" for style in STYLES],
                }
            },
        }


class LongestRecipe(Recipe):
    """The longest answers in tokens."""

    source: ClassVar[str] = "Long is more for alignment, ICML 2024 (arXiv 2402.04833)"

    def settings(self) -> Mapping[str, JSON]:
        """Length in tokens, beside the paper's `length`, which counts characters."""
        return {
            "run": {"scorers": [LENGTH_IN_TOKENS]},
            "scorers": {LENGTH_IN_TOKENS: {"use": "length", "unit": "tokens"}},
            "cluster": {"clusterer": "none"},
            "select": {"selector": "longest"},
            "selectors": {"longest": {"length": LENGTH_IN_TOKENS}},
        }


class MiddleRecipe(Recipe):
    """Neither the best nor the worst by a score."""

    source: ClassVar[str] = "When less is more (arXiv 2309.04564), there for perplexity"

    def settings(self) -> Mapping[str, JSON]:
        """The middle of the CLIP score; `--scorers NAME --weights NAME=1` for another."""
        return {
            "run": {"scorers": ["clip"]},
            "cluster": {"clusterer": "none"},
            "select": {"selector": "middle", "weights": {"clip": 1.0}},
        }


class ReprFilterRecipe(Recipe):
    """DEITA's filter on scores that need no language model."""

    source: ClassVar[str] = "the filter of DEITA, ICLR 2024 (arXiv 2312.15685), section 2.4"

    def settings(self) -> Mapping[str, JSON]:
        """The best by CLIP score, without those whose image is like a better one's."""
        return {
            "run": {"scorers": ["clip"]},
            "cluster": {"clusterer": "none"},
            "select": {"selector": "repr-filter", "weights": {"clip": 1.0}},
        }


class ScalSelectRecipe(Recipe):
    """What stands out where the vectors of the pool vary most."""

    source: ClassVar[str] = "ScalSelect (arXiv 2602.11636), steps 4 and 5"

    def settings(self) -> Mapping[str, JSON]:
        """The highest leverage; `-o leverage.space=NAME` names the vectors."""
        return best_by("leverage")


class PrototypicalityRecipe(Recipe):
    """The typical samples: near the centre of all."""

    source: ClassVar[str] = "beyond neural scaling laws, NeurIPS 2022 (arXiv 2206.14486)"

    def settings(self) -> Mapping[str, JSON]:
        """The nearest to the centre; `--weights prototypicality=-1` takes the unusual."""
        return best_by("prototypicality")


class AuthorsSelectorRecipe(Recipe):
    """The InstructionGPT-4 authors' second, trained selector: the best by its score."""

    source: ClassVar[str] = "InstructionGPT-4, second version (arXiv 2308.12067v2)"

    def settings(self) -> Mapping[str, JSON]:
        """`-o authors-selector.checkpoint=FILE`; its spaces are imported with `import-vectors`."""
        return {
            "run": {"scorers": ["clip", "length", "reward", "gpt", "authors-selector"]},
            "cluster": {"clusterer": "spectral", "k": 10},
            "select": {"selector": "quota", "size": 200, "weights": {"authors-selector": 1.0}},
        }
