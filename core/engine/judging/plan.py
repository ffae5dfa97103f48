"""Plans a judgement: every pair of two files of answers in both orders, and the judge."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

from ig4.core.calls.settings import CallSettings
from ig4.core.contracts import Judge
from ig4.core.contracts.evaluation import Pair, Verdict
from ig4.core.counts import counted, verb
from ig4.core.engine.ingesting.paths import ImageRoots
from ig4.core.errors import UsageError
from ig4.core.files.answers.pairs import (
    MatchedPair,
    match,
    read_answers,
    read_contexts,
    side_labels,
)
from ig4.core.files.answers.questions import read_questions
from ig4.core.files.images.decode import ImageError
from ig4.core.host.fingerprint import digest_of
from ig4.core.records import JSON, Choice, Failure
from ig4.core.secrets import redact
from ig4.core.texts import sanitize

if TYPE_CHECKING:
    from ig4.core.engine.session import ConfiguredComponent, Session
    from ig4.storage.judgements import VerdictRow


@dataclass(frozen=True, slots=True)
class JudgeRequest:
    """Which answers to compare, on which questions, and with which judge.

    `labels` name the two sides, by default after their models or files. `seed` is that of the
    bootstrap intervals; no verdict depends on it. With `renew`, failed verdicts are made again.
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
    """A pair in one order: with `swapped`, the judge sees the second answer first."""

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
        """The key that the verdict is stored under."""
        return sanitize(self.pair.id), self.swapped


@dataclass(frozen=True, slots=True)
class JudgingPlan:
    """All pairs to judge, in both orders, and the judge; `inputs` is a digest of all this."""

    configured: ConfiguredComponent
    component_id: int
    labels: tuple[str, str]
    inputs: str
    ordered_pairs: list[OrderedPair]

    @property
    def judge(self) -> Judge:
        """The judge."""
        return cast("Judge", self.configured.component)

    def missing(self, rows: Sequence[VerdictRow]) -> list[OrderedPair]:
        """Return the ordered pairs that have no verdict among `rows`."""
        known = {(row[0], bool(row[1])) for row in rows}
        return [pair for pair in self.ordered_pairs if pair.key not in known]


def make_plan(session: Session, request: JudgeRequest) -> JudgingPlan:
    """Read the files, match answers to questions, and configure the judge.

    Raises:
        UsageError: an unknown judge or option, or both sides have one label.
        DatasetError: a file cannot be read, or none of its ids matches a question.
    """
    configured = session.configured(request.judge)
    component = cast("Judge", configured.component)
    questions = read_questions(request.questions, session.notice)
    answers = (
        read_answers(request.first, questions, session.notice),
        read_answers(request.second, questions, session.notice),
    )
    first, second = request.labels or side_labels(*answers)
    labels = sanitize(first), sanitize(second)
    if labels[0] == labels[1]:
        raise UsageError(f"both sides are called {labels[0]!r}: give them different --labels")
    contexts = read_contexts(request.contexts) if request.contexts else None
    roots = ImageRoots(request.questions.parent, request.image_root)
    matches = match(questions, answers, contexts, roots)
    if component.sees_images:
        matches = [replace(entry, pair=_with_digests(entry.pair)) for entry in matches]
    _report_missing(session, component, matches)
    ordered_pairs = [
        OrderedPair(entry.pair, swapped, entry.problem)
        for entry in matches
        for swapped in (False, True)
    ]
    contents = [_content(component, entry) for entry in matches]
    inputs = digest_of([configured.fingerprint.value, contents])
    return JudgingPlan(
        configured, session.component_id(configured.fingerprint), labels, inputs, ordered_pairs
    )


def _report_missing(session: Session, component: Judge, matches: Sequence[MatchedPair]) -> None:
    """Report questions without an answer, and those without a description that the judge needs."""
    unmatched = sum(entry.problem is not None for entry in matches)
    if unmatched:
        session.notice(
            f"{unmatched:,} of {counted(len(matches), 'question')} "
            f"{verb(unmatched, 'lacks an answer: it fails', 'lack an answer: they fail')}"
        )
    blind = sum(not entry.pair.context and entry.problem is None for entry in matches)
    if blind and not component.sees_images:
        session.notice(
            f"{blind:,} of {counted(len(matches), 'question')} {verb(blind, 'has', 'have')} no "
            "description of their image, and the judge does not see it: give --contexts"
        )


def _with_digests(pair: Pair) -> Pair:
    """Return a pair whose images are those of now: the judge sees these or none."""
    images = []
    for image in pair.images:
        try:
            images.append(replace(image, sha256=image.digest()))
        except ImageError as error:
            images.append(replace(image, problem=str(error)))
    return replace(pair, images=tuple(images))


def _content(component: Judge, entry: MatchedPair) -> JSON:
    """Return what the verdicts of a pair depend on, as JSON."""
    pair = entry.pair
    images: list[str] = []
    if component.sees_images:
        images = [image.sha256 or image.problem or "" for image in pair.images]
    return [
        pair.id, pair.question, pair.first, pair.second, pair.context, pair.category, images,
        entry.problem,
    ]  # fmt: skip


def verdict_row(ordered_pair: OrderedPair, answer: Verdict | Failure) -> VerdictRow:
    """Return the database row of a verdict; scores of a swapped pair are swapped back."""
    key, category = ordered_pair.key, sanitize(ordered_pair.pair.category)
    if isinstance(answer, Failure):
        return *key, category, None, None, None, sanitize(redact(str(answer.reason)))
    first, second = float(answer.first), float(answer.second)
    if not (math.isfinite(first) and math.isfinite(second)):
        error = f"the judge returned {first} and {second}, which are not finite numbers"
        return *key, category, None, None, None, error
    if ordered_pair.swapped:
        first, second = second, first
    return *key, category, first, second, sanitize(str(answer.explanation)), None
