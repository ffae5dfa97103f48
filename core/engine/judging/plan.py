"""What is to be judged: every pair of two files of answers in both orders, and by whom."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

from ig4.core.calls.settings import CallSettings
from ig4.core.contracts import Judge
from ig4.core.contracts.evaluation import Pair, Verdict
from ig4.core.engine.ingesting.paths import ImageRoots
from ig4.core.engine.ingesting.texts import sanitize
from ig4.core.errors import UsageError
from ig4.core.files.pairs import MatchedPair, match, read_answers, read_contexts, side_labels
from ig4.core.files.questions import read_questions
from ig4.core.host.fingerprint import digest_of
from ig4.core.records import JSON, Choice, Failure

if TYPE_CHECKING:
    from ig4.core.engine.session import ConfiguredComponent, Session
    from ig4.storage.judgements import VerdictRow


@dataclass(frozen=True, slots=True)
class JudgeRequest:
    """Which answers to compare over which questions, and who is to do it.

    `labels` are what to call both sides, by default their models or files. `seed` is that of the
    bootstrap intervals; it decides no verdict. With `renew`, failed verdicts are taken up again.
    """

    judge: Choice
    first: Path
    second: Path
    questions: Path
    contexts: Path | None = None
    labels: tuple[str, str] | None = None
    image_root: Path | None = None
    seed: int = 42
    call_settings: CallSettings = field(default_factory=CallSettings)
    renew: bool = False


@dataclass(frozen=True, slots=True)
class OrderedPair:
    """A pair in one order; with `swapped` the second answer is shown first."""

    pair: Pair
    swapped: bool
    problem: str | None = None

    @property
    def shown(self) -> Pair:
        """The pair as the judge sees it."""
        if not self.swapped:
            return self.pair
        return replace(self.pair, first=self.pair.second, second=self.pair.first)

    @property
    def key(self) -> tuple[str, bool]:
        """What the verdict is stored under."""
        return sanitize(self.pair.id), self.swapped


@dataclass(frozen=True, slots=True)
class JudgingPlan:
    """All that is to be judged, and by whom."""

    configured: ConfiguredComponent
    component_id: int
    labels: tuple[str, str]
    inputs: str
    ordered_pairs: list[OrderedPair]

    @property
    def judge(self) -> Judge:
        """Who judges."""
        return cast("Judge", self.configured.component)

    def left(self, rows: Sequence[VerdictRow]) -> list[OrderedPair]:
        """Return the showings that have no verdict among `rows`."""
        known = {(row[0], bool(row[1])) for row in rows}
        return [one for one in self.ordered_pairs if one.key not in known]


def make_plan(session: Session, request: JudgeRequest) -> JudgingPlan:
    """Read all files, and find out who judges."""
    configured = session.configured(request.judge)
    component = cast("Judge", configured.component)
    questions = read_questions(request.questions)
    answers = read_answers(request.first, questions), read_answers(request.second, questions)
    first, second = request.labels or side_labels(*answers)
    labels = sanitize(first), sanitize(second)
    if labels[0] == labels[1]:
        raise UsageError(f"both sides are called {labels[0]!r}: give them different --labels")
    contexts = read_contexts(request.contexts) if request.contexts else None
    roots = ImageRoots(request.questions.parent, request.image_root)
    matches = match(questions, answers, contexts, roots)
    _tell_what_is_missing(session, component, matches)
    ordered_pairs = [
        OrderedPair(one.pair, swapped, one.problem) for one in matches for swapped in (False, True)
    ]
    inputs = digest_of(
        [
            configured.fingerprint.value,
            [_content(session, component, one) for one in matches],
        ]
    )
    return JudgingPlan(
        configured, session.component_id(configured.fingerprint), labels, inputs, ordered_pairs
    )


def _tell_what_is_missing(
    session: Session, component: Judge, matches: Sequence[MatchedPair]
) -> None:
    unmatched = sum(one.problem is not None for one in matches)
    if unmatched:
        session.notice(f"{unmatched:,} of {len(matches):,} questions lack an answer: they fail")
    blind = sum(not one.pair.context and one.problem is None for one in matches)
    if blind and not component.sees_images:
        session.notice(
            f"{blind:,} of {len(matches):,} questions have no description of their image, and "
            "the judge does not see it: give --contexts"
        )


def _content(session: Session, component: Judge, one: MatchedPair) -> JSON:
    """Return what the verdicts of a pair depend on, JSON-able."""
    pair = one.pair
    images: list[str] = []
    if component.sees_images:
        for image in pair.images:
            readable = image.path is not None and image.path.is_file()
            images.append(
                session.digest(image.path) if readable and image.path else image.problem or ""
            )
    return [
        pair.id, pair.question, pair.first, pair.second, pair.context, pair.category, images,
        one.problem,
    ]  # fmt: skip


def verdict_row(ordered_pair: OrderedPair, answer: Verdict | Failure) -> VerdictRow:
    """Return the store's row of a verdict, its scores given back to the answers they belong to."""
    key, category = ordered_pair.key, sanitize(ordered_pair.pair.category)
    if isinstance(answer, Failure):
        return *key, category, None, None, None, sanitize(str(answer.reason))
    first, second = float(answer.first), float(answer.second)
    if not (math.isfinite(first) and math.isfinite(second)):
        told = f"the judge returned {first} and {second}, which are no scores"
        return *key, category, None, None, None, told
    if ordered_pair.swapped:
        first, second = second, first
    return *key, category, first, second, sanitize(str(answer.explanation)), None
