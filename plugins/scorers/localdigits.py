"""DEITA's and SelectIT's scores by causal language models on this machine."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import Field

from ig4.core.contracts import Scorer
from ig4.core.records import Failure, Sample, Score
from ig4.plugins.llm.digitprompts import selectit_templates
from ig4.plugins.llm.digits import DigitChances
from ig4.plugins.llm.exchanges import Exchange, exchanges
from ig4.plugins.models.causal import (
    CausalModelOptions,
    DigitModel,
    check_folder,
    load_digit_model,
)
from ig4.plugins.models.rewardmodels import folder_of
from ig4.plugins.scorers import deita, selectit

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ig4.core.contracts import Digest
    from ig4.core.records import JSON

COMPLEXITY_FORM = (
    "You are a helpful assistant. Please identify the complexity score of the following user "
    "query. \n##Query: {instruction}  \n##Complexity: "
)
QUALITY_FORM = (
    "You are a helpful assistant. Please identify the quality score of the Response corresponding "
    "to the Question. \n #Question#:\n{instruction}\n#Response#:\n{output} \n##Quality: "
)
"""The inputs that the published scorers of DEITA were trained on; no others give their numbers."""

_LINE = "\nThe rating is:\n"
"""After which a base model goes on with a digit at the start of a line."""


class DeitaLocalOptions(CausalModelOptions):
    """Options of the scorer `deita-local`."""

    complexity_model: str = Field(
        "hkust-nlp/deita-complexity-scorer",
        description="Model of the Hugging Face hub that rates instructions, or a folder.",
    )
    complexity_revision: str | None = Field(None, description="Its branch, tag or commit.")
    quality_model: str = Field(
        "hkust-nlp/deita-quality-scorer",
        description="Model of the Hugging Face hub that rates answers, or a folder.",
    )
    quality_revision: str | None = Field(None, description="Its branch, tag or commit.")


class SelectitLocalOptions(CausalModelOptions, selectit.SelectitFormula):
    """Options of the scorer `selectit-local`."""

    model: str = Field(
        "meta-llama/Llama-2-7b-hf",
        description="Base model of the Hugging Face hub that is to be trained, or a folder.",
    )
    revision: str | None = Field(None, description="Branch, tag or commit on the hub.")


class DeitaLocal(Scorer):
    """As `deita`, by the published scorers themselves, or any others with their inputs."""

    Options = DeitaLocalOptions
    options: DeitaLocalOptions
    outputs = deita.OUTPUTS
    _complexity: DigitModel | None = None
    _quality: DigitModel | None = None

    @property
    def batch_size(self) -> int:
        """How many samples to score, and commit, at a time."""
        return self.options.batch_size

    def identity(self, digest: Digest) -> Mapping[str, JSON]:
        """Return both models (folders by their content), precision, and the longest prompt."""
        options = self.options
        return {
            "complexity": _weights(options.complexity_model, options.complexity_revision, digest),
            "quality": _weights(options.quality_model, options.quality_revision, digest),
            "max_length": options.max_length,
            "precision": options.resolved_precision,
        }

    def open(self) -> None:
        """Load both models, or the one where they are the same.

        Raises:
            PrerequisiteError: weights or device are not there.
        """
        options = self.options
        first = (options.complexity_model, options.complexity_revision)
        second = (options.quality_model, options.quality_revision)
        self._complexity = self._load(*first, "complexity_model")
        same = first == second
        self._quality = self._complexity if same else self._load(*second, "quality_model")

    def close(self) -> None:
        """Free the models."""
        self._complexity = self._quality = None

    def score(self, batch: Sequence[Sample]) -> list[Score | Failure]:
        """Return the score of each sample; all exchanges of the batch share forward passes."""
        assert self._complexity is not None
        assert self._quality is not None
        parts = [exchanges(sample) for sample in batch]
        flat = [one for part in parts for one in part]
        complexity = iter(_ratings(self._complexity, map_form(COMPLEXITY_FORM, flat), deita.LEVELS))
        quality = iter(_ratings(self._quality, map_form(QUALITY_FORM, flat), deita.LEVELS))
        return [_score([next(complexity) for _ in part], [next(quality) for _ in part])
                for part in parts]  # fmt: skip

    def to_percent(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return 0 for the least sum of one exchange and 100 for its greatest."""
        return deita.product_percent(values)

    def output_to_percent(self, output: str, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return 0 for the lowest rating, and 100 for the highest."""
        return deita.rating_percent(values)

    def _load(self, name: str, revision: str | None, option: str) -> DigitModel:
        return load_digit_model(
            name,
            revision,
            self.options,
            component="deita-local",
            option=f"deita-local.{option}",
        )


class SelectitLocal(Scorer):
    """As `selectit`, by the base model that is to be trained, as the paper has it."""

    Options = SelectitLocalOptions
    options: SelectitLocalOptions
    _model: DigitModel | None = None

    def __init__(self, options: SelectitLocalOptions) -> None:
        super().__init__(options)
        self._templates = selectit_templates(options.prompts, selectit.LEVELS)

    @property
    def batch_size(self) -> int:
        """How many samples to score, and commit, at a time."""
        return self.options.batch_size

    def identity(self, digest: Digest) -> Mapping[str, JSON]:
        """Return model (a folder by its content), precision, prompts, formula, longest prompt."""
        options = self.options
        prompts = [template.hash for template in self._templates]
        return {
            "model": _weights(options.model, options.revision, digest),
            "max_length": options.max_length,
            "precision": options.resolved_precision,
            **selectit.formula_identity(options, prompts),
        }

    def open(self) -> None:
        """Load the model.

        Raises:
            PrerequisiteError: weights or device are not there.
        """
        options = self.options
        self._model = load_digit_model(
            options.model,
            options.revision,
            options,
            component="selectit-local",
            option="selectit-local.model",
        )

    def close(self) -> None:
        """Free the model."""
        self._model = None

    def score(self, batch: Sequence[Sample]) -> list[Score | Failure]:
        """Return the score of each sample; all prompts of the batch share forward passes."""
        assert self._model is not None
        prompts = [
            template.render(sample.instruction, sample.answer) + _LINE
            for sample in batch
            for template in self._templates
        ]
        found = self._model.digit_logprobs(prompts, selectit.LEVELS)
        number = len(self._templates)
        return [self._score(found[at : at + number]) for at in range(0, len(found), number)]

    def _score(self, found: Sequence[list[float] | str]) -> Score | Failure:
        problem = next((one for one in found if isinstance(one, str)), None)
        if problem is not None:
            return Failure(problem)
        chances = [_chances(one) for one in found if not isinstance(one, str)]
        return selectit.selectit_score(chances, self.options)

    def to_percent(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return 100 for a model that is sure of a 5."""
        return selectit.formula_percent(values, flatten=self.options.flatten)


def map_form(form: str, pairs: Sequence[Exchange]) -> list[str]:
    """Return the published scorers' input for each exchange; braces in its texts mean nothing."""
    before, _, rest = form.partition("{instruction}")
    between, shows_answer, after = rest.partition("{output}")
    if not shows_answer:
        return [before + one.instruction + rest for one in pairs]
    return [before + one.instruction + between + one.answer + after for one in pairs]


def _ratings(model: DigitModel, prompts: Sequence[str], levels: int) -> list[float | str]:
    """Return the mean rating for each prompt, or why it has none."""
    found = model.digit_logprobs(prompts, levels)
    return [one if isinstance(one, str) else _chances(one).expectation for one in found]


def _chances(logprobs: Sequence[float]) -> DigitChances:
    """Return the digits' chances among themselves: the softmax of their logits."""
    most = max(logprobs)
    weights = [math.exp(one - most) for one in logprobs]
    mass = min(1.0, sum(math.exp(one) for one in logprobs))
    return DigitChances(tuple(weight / sum(weights) for weight in weights), mass)


def _score(complexity: Sequence[float | str], quality: Sequence[float | str]) -> Score | Failure:
    problem = next((one for one in (*complexity, *quality) if isinstance(one, str)), None)
    if problem is not None:
        return Failure(problem)
    numbers: list[list[Any]] = [list(complexity), list(quality)]
    return deita.deita_score(*numbers)


def _weights(model: str, revision: str | None, digest: Digest) -> dict[str, JSON]:
    """Return what a model is known by: a folder by its content, one of the hub by its name."""
    folder = folder_of(model)
    check_folder(folder)
    if folder is None:
        return {"model": model, "revision": revision}
    return {"model": "folder", "weights": f"sha256:{digest(folder)}"}
