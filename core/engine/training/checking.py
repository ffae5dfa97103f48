"""Checks samples before a training: what the trainer would refuse, and which answers it cuts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ig4.core.counts import counted, verb
from ig4.core.errors import DatasetError, PluginError
from ig4.core.events import StageAdvanced, StageFinished, StageStarted
from ig4.core.texts import sanitize

if TYPE_CHECKING:
    from ig4.core.contracts import Trainer
    from ig4.core.contracts.training import SampleCheck
    from ig4.core.engine.session import Session
    from ig4.core.records import JSON, Sample

STAGE = "check samples"
_NO_REASON = "the trainer refuses them"
_SHOWN = 3
_SHOWN_CHARACTERS = 300


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What a check found: the places of usable samples, why others are not, which are cut.

    `refused` has the problem of each sample that cannot be trained on by its id, `reasons` counts
    them by kind. `cut` is the number of usable samples whose answers lose `cut_tokens` tokens at
    their end to the option `limit`.
    """

    usable: Sequence[int]
    refused: Mapping[str, str] = field(default_factory=dict)
    reasons: Mapping[str, int] = field(default_factory=dict)
    cut: int = 0
    cut_tokens: int = 0
    limit: str = ""

    @property
    def cut_metrics(self) -> dict[str, JSON]:
        """The counts of what is cut, as metrics of a checkpoint; none if nothing is."""
        return {"cut_answers": self.cut, "cut_tokens": self.cut_tokens} if self.cut else {}

    def summary(self, samples: int) -> str:
        """Return how many of the samples are refused and why, with the first of them."""
        kinds = "; ".join(f"{reason}: {count:,}" for reason, count in self.reasons.items())
        shown = "; ".join(
            f"{name!r:.80} ({_shorten(problem)})"
            for name, problem in list(self.refused.items())[:_SHOWN]
        )
        count = sum(self.reasons.values())
        more = f" and {count - _SHOWN:,} more" if count > _SHOWN else ""
        return (
            f"{count:,} of {counted(samples, 'sample')} cannot be trained on ({kinds}): "
            f"{shown}{more}"
        )


def check_samples(session: Session, trainer: Trainer, samples: Sequence[Sample]) -> CheckResult:
    """Let the trainer check all samples, with progress, before any weights are loaded.

    Raises:
        PluginError: the trainer gives more or fewer results than samples.
        PrerequisiteError: as `Trainer.check_samples`.
    """
    session.emit(StageStarted(STAGE, len(samples), "samples"))
    checks: list[SampleCheck] = []
    for check in trainer.check_samples(samples):
        checks.append(check)
        session.emit(StageAdvanced(STAGE, 1, int(check.problem is not None)))
    session.emit(StageFinished(STAGE))
    if len(checks) != len(samples):
        raise PluginError(
            f"trainer {type(trainer).__name__} checked {len(checks):,} of "
            f"{counted(len(samples), 'sample')}"
        )
    return _result(samples, checks)


def _result(samples: Sequence[Sample], checks: Sequence[SampleCheck]) -> CheckResult:
    usable = [place for place, check in enumerate(checks) if check.problem is None]
    refused = [(sample, one) for sample, one in zip(samples, checks, strict=True)
               if one.problem is not None]  # fmt: skip
    cut = [checks[place] for place in usable if checks[place].cut > 0]
    return CheckResult(
        usable,
        {sample.id: one.problem or "" for sample, one in refused},
        dict(Counter(one.reason or _NO_REASON for _, one in refused)),
        len(cut),
        sum(one.cut for one in cut),
        next((one.limit for one in cut), ""),
    )


def require_usable(result: CheckResult, samples: int) -> None:
    """Require that the trainer takes all samples.

    Raises:
        DatasetError: it does not; the message counts them and names some.
    """
    if result.refused:
        raise DatasetError(
            f"{result.summary(samples)}. Correct them, or leave them out with --missing skip"
        )


def tell(session: Session, result: CheckResult, samples: int) -> None:
    """Tell which samples are left out, and how many answers lose their end."""
    if result.refused:
        session.notice(f"{result.summary(samples)}: they are left out")
    if result.cut:
        remedy = f": raise {result.limit}" if result.limit else ""
        session.notice(
            f"{result.cut:,} of {counted(len(result.usable), 'sample')} "
            f"{verb(result.cut, 'loses the end of its answer', 'lose the end of their answers')}, "
            f"{counted(result.cut_tokens, 'token')} in all{remedy}"
        )


def _shorten(text: str) -> str:
    text = sanitize(" ".join(text.split()))
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}..."
