"""`--dry-run` with what it takes: shared by `ig4 run` and `ig4 score`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import click

from ig4.cli.terminal import render
from ig4.core.counts import counted, verb
from ig4.core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ig4.core.engine.estimating.workload import Workload
    from ig4.core.engine.ingesting.ingest import DatasetSource
    from ig4.core.engine.scoring.estimate import ScoreEstimate
    from ig4.core.engine.scoring.plan import ScoreRequest
    from ig4.core.engine.session import Session
    from ig4.storage.datasets import DatasetRow

F = TypeVar("F", bound="Callable[..., Any]")

_DEVICES = click.option(
    "--devices",
    type=click.IntRange(1, 1_000_000_000),
    metavar="N",
    help="With --dry-run: tell hours for so many devices.  [default: the executor's actors]",
)
_MEASURE = click.option(
    "--measure",
    type=click.IntRange(min=1),
    metavar="N",
    help="With --dry-run: begin with N samples of each component, keep them, and take the time.",
)


def estimate_options(function: F) -> F:
    """Add the options that say how an estimate is made."""
    return _DEVICES(_MEASURE(function))


def check_estimate_options(*, dry_run: bool, devices: int | None, measure: int | None) -> None:
    """Refuse options of an estimate where none is asked for.

    Raises:
        UsageError: there is one.
    """
    for name, value in (("--devices", devices), ("--measure", measure)):
        if value is not None and not dry_run:
            raise UsageError(
                f"{name} is about the estimate of --dry-run: add --dry-run, or leave it out "
                "(the executor's own options say how many devices a run uses)"
            )


def estimated(
    session: Session,
    dataset: DatasetRow | DatasetSource,
    request: ScoreRequest,
    *,
    devices: int | None,
    measure: int | None,
) -> ScoreEstimate:
    """Return what scoring takes, of a stored data set or of one that is only looked through.

    Raises:
        UsageError: what is not stored cannot be measured.
    """
    from ig4.core.engine.estimating.measuring import measure as begin
    from ig4.core.engine.estimating.survey import estimate_unstored
    from ig4.core.engine.ingesting.ingest import DatasetSource
    from ig4.core.engine.scoring.estimate import estimate

    if isinstance(dataset, DatasetSource):
        if measure is not None:
            raise UsageError(
                f"--measure begins with scoring, and {dataset.path} is not in the database as it "
                "is now: run `ig4 ingest` on it first"
            )
        return estimate_unstored(session, dataset, request, devices=devices)
    if measure is not None:
        begin(session, dataset, request, measure)
    return estimate(session, dataset, request, devices=devices)


def print_score_estimate(found: ScoreEstimate) -> None:
    """Print what would be computed, with time, reading, disk and money."""
    click.echo(f"{found.dataset}: {_size_text(found)}. To be computed:")
    rows = [
        (name, count, _speed_text(found, name), _time_text(found, name))
        for name, count in found.calls.items()
    ]
    head = "time" if found.devices == 1 else f"time on {found.devices} devices"
    render.print_table(("component", "to do", "each", head), rows)
    for name, calls in found.asking.items():
        click.echo(render.calls_estimate(name, calls))
    render.print_facts(_totals(found))
    if found.unknown:
        first = "" if found.stored else "once it is ingested, "
        click.echo(
            f"No speed of {', '.join(found.unknown)} is known in this database yet: {first}"
            "`--measure 256` begins with so many samples, keeps what it computes, and takes the "
            "time.",
            err=True,
        )
    if not found.stored:
        click.echo(
            "The data set was only looked through, and all of it counted as new: the numbers are "
            "about right.",
            err=True,
        )


def _size_text(found: ScoreEstimate) -> str:
    data = found.data
    if data is None or not data.images:
        return counted(found.samples, "sample")
    return (
        f"{counted(found.samples, 'sample')}, {counted(data.images, 'distinct image')} "
        f"({_images_text(data, data.image_bytes)})"
    )


def _images_text(data: Workload, size: int | None) -> str:
    """Return the bytes of images; where some are unknown, those of the others, and of how many."""
    if size is not None:
        return bytes_text(size)
    if not data.known_bytes:
        return "of unknown size"
    return f"{bytes_text(data.known_bytes)} and {counted(data.unsized, 'image')} of unknown size"


def _speed_text(found: ScoreEstimate, name: str) -> str:
    seconds, count = found.seconds[name], found.calls[name]
    if seconds is None or not count:
        return ""
    device = found.measured_on.get(name)
    return f"{1000 * seconds / count:,.3g} ms" + (f" on {device}" if device else "")


def _time_text(found: ScoreEstimate, name: str) -> str:
    if not found.calls[name]:
        return "0 s"
    hours = found.hours[name]
    return "not known" if hours is None else duration_text(3600 * hours)


def _totals(found: ScoreEstimate) -> dict[str, str]:
    facts = {}
    data = found.data
    if data is not None:
        facts["to read"] = (
            f"{counted(data.read_images, 'image')}, {_images_text(data, data.read_bytes)}"
            if data.read_images
            else "no images"
        )
        sizes = {name: size for name, size in data.vectors.items() if size != 0}
        known = [size for size in sizes.values() if size is not None]
        if sizes:
            unknown = [name for name, size in sizes.items() if size is None]
            facts["vectors"] = " and ".join(
                [bytes_text(sum(known))] * bool(known)
                + [f"those of {', '.join(unknown)}, whose length is not known yet"] * bool(unknown)
            )
    total = sum(one or 0.0 for one in found.hours.values())
    if any(found.calls.values()):
        more = f", without {', '.join(found.unknown)}" if found.unknown else ""
        on = counted(found.devices, "device")
        facts["in all"] = (
            f"{duration_text(3600 * total)} on {on}{more}" if total or not more else "not known"
        )
    if found.asking:
        cost = found.cost
        facts["money"] = "not known" if cost is None else f"about ${cost:,.4f}"
    return facts


def duration_text(seconds: float) -> str:
    """Return a time in the unit that fits: "12 s", "3.5 minutes", "5.2 hours", "3.1 days"."""
    if seconds < 100:
        return f"{seconds:,.0f} s" if seconds >= 1 or not seconds else f"{seconds:,.1g} s"
    if seconds < 100 * 60:
        return f"{seconds / 60:,.1f} minutes"
    if seconds < 100 * 3600:
        return f"{seconds / 3600:,.1f} hours"
    return f"{seconds / 86400:,.1f} days"


def bytes_text(size: int) -> str:
    """Return a number of bytes in the unit that fits: "812 bytes", "1.4 MB"."""
    if size < 1000:
        return f"{size} {verb(size, 'byte', 'bytes')}"
    number = float(size)
    for unit in ("kB", "MB", "GB", "TB"):
        number /= 1000
        if number < 1000:
            return f"{number:,.1f} {unit}"
    return f"{number / 1000:,.1f} PB"
