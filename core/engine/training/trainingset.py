"""The samples of a training: which ones there are, and which of them cannot be trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ig4.core.contracts import Trainer
from ig4.core.contracts.training import is_main_process
from ig4.core.counts import counted, verb
from ig4.core.engine.exporting.export import dataset_of_selection, find_selection
from ig4.core.engine.scoring.samples import sample_of
from ig4.core.engine.training.checking import (
    CheckResult,
    check_samples,
    require_usable,
    tell,
)
from ig4.core.errors import DatasetError, PrerequisiteError, UsageError
from ig4.core.records import Choice, Sample
from ig4.storage import samples as stored
from ig4.storage import selections

if TYPE_CHECKING:
    from ig4.core.engine.session import Session
    from ig4.storage.datasets import DatasetRow
    from ig4.storage.samples import SampleRow

ALL = "all"
NO_ANSWER = "no answer"
PROBLEM = "a problem that `ig4 ingest` named"


@dataclass(frozen=True, slots=True)
class TrainingRequest:
    """What to train, and on which samples.

    `selection` is a number, a name, "last" or "all"; `missing` says what to do with samples that
    the trainer cannot train on (an image cannot be read, or its processor refuses it): "error" or
    "skip". Without `check_images` the samples are not checked, and none is skipped.
    """

    trainer: Choice
    selection: str = "last"
    output: Path | None = None
    seed: int = 42
    missing: str = "error"
    check_images: bool = True
    overwrite: bool = False


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """The samples of a training, where they come from, and why others were left out."""

    dataset: DatasetRow
    selection: int | None
    digest: str | None
    samples: list[Sample]
    contents: list[int]
    reasons: dict[str, int]
    check: CheckResult | None


@dataclass(frozen=True, slots=True)
class _Source:
    """Where the samples of a training come from: a data set, and what was selected of it."""

    dataset: DatasetRow
    rows: Sequence[SampleRow]
    selection: int | None = None
    digest: str | None = None


def read_training_set(
    session: Session,
    dataset: DatasetRow | None,
    trainer: Trainer,
    request: TrainingRequest,
    *,
    lenient: bool = False,
) -> TrainingSet:
    """Read the samples to train on, without those that have no answer or that are skipped.

    If it is `lenient`, what the check needs may be missing; then nothing is skipped.

    Raises:
        UsageError: there is no such selection, or it is one of another data set.
        DatasetError: some samples cannot be trained on, and are not to be skipped.
    """
    source = _source(session, dataset, request.selection)
    sound, reasons = _sound(session, source.rows)
    check = None
    try:
        check = _check(session, trainer, [sample for sample, _ in sound], request)
    except (PrerequisiteError, UsageError) as error:
        if not lenient:
            raise
        session.notice(f"the samples cannot be checked here: {error}")
    usable = sound if check is None else [sound[place] for place in check.usable]
    if check is not None:
        reasons |= check.reasons
    return TrainingSet(
        source.dataset, source.selection, source.digest, [sample for sample, _ in usable],
        [content for _, content in usable], reasons, check,
    )  # fmt: skip


def _source(session: Session, dataset: DatasetRow | None, selection: str) -> _Source:
    """Return all of a data set, or what a selection (a number, a name or "last") holds of it."""
    if selection == ALL:
        source = dataset or session.dataset()
        with session.store.reading() as connection:
            return _Source(source, list(stored.stream(connection, source.id)))
    number = find_selection(session, dataset, selection)
    source = dataset_of_selection(session, number)
    if dataset is not None and source.id != dataset.id:
        raise UsageError(
            f"selection {number} was made from {source.name!r}, not from {dataset.name!r}: "
            "leave --dataset away, or select from it first"
        )
    with session.store.reading() as connection:
        items = selections.samples(connection, number)
        rows = stored.by_id(connection, [item.sample_id for item in items], source.id)
        found = selections.find(connection, number)
    selected_contents = {item.sample_id: item.content_id for item in items}
    changed = sum(row.content_id != selected_contents[row.id] for row in rows)
    if changed:
        were = verb(changed, "it was", "they were")
        session.notice(f"{counted(changed, 'sample')} changed after {were} selected")
    return _Source(source, rows, number, None if found is None else found.digest)


def _sound(
    session: Session, rows: Sequence[SampleRow]
) -> tuple[list[tuple[Sample, int]], dict[str, int]]:
    """Return (sample, content id) of those that are worth a check, and why others are not."""
    sound, unanswered, faulty = [], 0, 0
    for row in rows:
        sample = sample_of(row)
        if not sample.answer.strip():
            unanswered += 1
        elif row.problem is not None:
            faulty += 1
        else:
            sound.append((sample, row.content_id))
    for count, reason in ((unanswered, "without an answer"), (faulty, f"with {PROBLEM}")):
        if count:
            session.notice(
                f"{counted(count, 'sample')} {reason} {verb(count, 'is', 'are')} left out"
            )
    counts = {NO_ANSWER: unanswered, PROBLEM: faulty}
    return sound, {reason: count for reason, count in counts.items() if count}


def _check(
    session: Session, trainer: Trainer, samples: list[Sample], request: TrainingRequest
) -> CheckResult | None:
    """Check the samples before any weights are loaded; None if they are not checked.

    Processes that train together must train on the same samples. With "skip" that depends on the
    check, so each of them checks; with "error" all samples are trained on, or none, so that the
    main process checks for all.

    Raises:
        DatasetError: some cannot be trained on, and the request does not say to skip them; or all
            would be skipped.
    """
    if not request.check_images:
        if request.missing == "skip" and is_main_process():
            session.notice("the samples are not checked, so that none of them is skipped")
        return None
    if request.missing == "error" and not is_main_process():
        return None
    check = check_samples(session, trainer, samples)
    if request.missing == "error":
        require_usable(check, len(samples))
    if samples and not check.usable:
        raise DatasetError(f"{check.summary(len(samples))}: no sample is left to train on")
    tell(session, check, len(samples))
    return check
