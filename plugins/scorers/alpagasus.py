"""AlpaGasus' rating of an answer from 0 to 5 (arXiv 2307.08701)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from ig4.plugins.llm.anyservice import Service, provider_of
from ig4.plugins.llm.rubrics import ALPAGASUS, rating_schema, rating_template, reminder
from ig4.plugins.llm.scorer import RatingOptions, RatingScorer

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ig4.core.calls.provider import Provider
    from ig4.core.contracts import Digest
    from ig4.core.records import JSON
    from ig4.plugins.llm.prompt import Template

_MAXIMUM = 5


class AlpagasusOptions(RatingOptions):
    """Options of the scorer `alpagasus`."""

    model: str = Field("gpt-4o-mini", description="Model, as the service names it.")
    service: Service = Field(
        "openai", description="openai (and every compatible server), or anthropic."
    )
    dimension: Literal["accuracy", "helpfulness"] = Field(
        "accuracy", description="What is rated, where no prompt is named."
    )


class Alpagasus(RatingScorer):
    """Asks a language model how accurate, or helpful, an answer is (AlpaGasus, section 2.2).

    The paper keeps what has 4.5 or more.
    """

    version = "1"
    Options = AlpagasusOptions
    options: AlpagasusOptions
    usual_name = "alpagasus"
    maximum = _MAXIMUM
    reminder = reminder(_MAXIMUM)
    schema: ClassVar[Mapping[str, Any]] = rating_schema(_MAXIMUM)

    def provider(self) -> Provider:
        """Return the service, not opened."""
        return provider_of(self.options, self.options.service, self.usual_name)

    def default_template(self) -> Template:
        """Return the prompt for the dimension."""
        what = ALPAGASUS[self.options.dimension]
        return rating_template(what, _MAXIMUM, vision=self.options.vision)

    def identity(self, digest: Digest) -> Mapping[str, JSON]:
        """Return what shapes replies; the dimension is in the prompt."""
        return {**super().identity(digest), "service": self.options.service}

    def to_percent(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return 20 x rating."""
        return 100.0 / _MAXIMUM * values
